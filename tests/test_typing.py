"""Type checkers know the public names, their arguments and what they return."""

import re
import subprocess
import sys
from pathlib import Path

import write_stub

import generalization

# Lines that are wrong end with what mypy says of them.
PROGRAM = """
import torch
from torch import nn

import generalization as g

module, inputs, labels = nn.Linear(4, 3), torch.randn(5, 4), torch.arange(5) % 3
norms: torch.Tensor = g.jacobian_norm(module, inputs)
similarity: float = g.linear_cka(inputs, inputs, debiased=True).value
g.ablation_auc(module, inputs, labels, torch.Generator(), orders=2)
g.points(module, inputs, labels)
g.disagreement(torch.randn(1, 5, 3), torch.randn(1, 5, 3))
g.measure(module, inputs, labels, ["jacobian_norm"], repeats=2)
g.compare(module, module, inputs, layers=[""])
g.jacobian_norm(module)  # call-arg
g.jacobian_norm("network", inputs)  # arg-type
g.tangent_sensitivity(module, inputs, probe=3)  # call-arg
g.linear_cka(inputs, inputs, debiased="no")  # arg-type
g.measure(module, inputs, repeats="two")  # arg-type
number: float = g.weight_norm(module)  # assignment
g.jacobian_nrm(module, inputs)  # attr-defined
"""


def test_the_stub_is_that_of_today():
    assert Path("generalization/__init__.pyi").read_text() == write_stub.stub(), "Run `make stub`."


def test_the_stub_has_every_public_name():
    names = {}
    exec(write_stub.stub(), names)
    assert names["__all__"] == sorted(generalization.__dir__())
    for name in names["__all__"]:
        assert names[name] is getattr(generalization, name)


def test_mypy_finds_wrong_calls_and_no_others(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    options = ["--follow-imports=silent", "--ignore-missing-imports", f"--cache-dir={tmp_path}"]
    command = [sys.executable, "-m", "mypy", *options, program]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert not checked.stderr
    found = re.findall(r"^\S+:(\d+): error: .* \[([\w-]+)\]$", checked.stdout, re.MULTILINE)
    lines = [line.partition("  # ")[2] for line in PROGRAM.splitlines()]
    assert {int(line): code for line, code in found} == {
        number: code for number, code in enumerate(lines, 1) if code
    }

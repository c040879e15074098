"""The measure of the walk-through in CONTRIBUTING.md is as it says: it can be copied and run."""

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from oracles.softmax_jacobian import random_networks
from torch.testing import assert_close

from generalization.measures.gradient_norm import gradient_norm
from generalization.networks.sequences import sequence_of

TEXT = Path("CONTRIBUTING.md").read_text(encoding="utf-8")
NAME = "loss_gradient_norm"


@pytest.fixture
def walk_through(monkeypatch):
    """Modules of the measure and of its test."""
    modules = []
    names = (f"generalization.measures.{NAME}", f"test_{NAME}")
    for name, code in zip(names, re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL), strict=False):
        modules.append(ModuleType(name))
        monkeypatch.setitem(sys.modules, name, modules[-1])
        exec(compile(code, name, "exec"), modules[-1].__dict__)
    return modules


def test_the_test_of_the_measure_passes(walk_through):
    _, test = walk_through
    found = [function for name, function in vars(test).items() if name.startswith("test_")]
    assert found
    for function in found:
        function()


def test_the_measure_is_that_of_the_project_for_stacks_and_modules(walk_through):
    measure, test = walk_through
    networks, (inputs, labels) = random_networks((9, 8, 4), count=2), test.training_set(4)
    values = getattr(measure, NAME)(networks, inputs, labels, "cross_entropy")
    assert_close(values, gradient_norm(networks, inputs, labels))
    module = sequence_of(networks[:1])
    alone = getattr(measure, NAME)(module, inputs, labels, "cross_entropy")
    assert_close(alone, values[:1])


def test_the_skeletons_are_announced_as_they_are(tmp_path):
    for folder in ("workflow", "generalization/measures", "tests/measures"):
        (tmp_path / folder).mkdir(parents=True)
    script = tmp_path / "workflow/new_measure.py"
    script.write_bytes(Path("workflow/new_measure.py").read_bytes())
    done = subprocess.run(
        [sys.executable, script, NAME], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert f"$ make measure NAME={NAME}\n{done.stdout}```" in TEXT


def test_files_that_are_named_exist():
    named = set(re.findall(r"`((?:generalization|tests|workflow|config|scripts)/[^\s`]+)`", TEXT))
    given = {file for file in named if "NAME" not in file and NAME not in file}
    assert given
    assert {file for file in given if not Path(file).exists()} == set()

"""``make measure`` writes files that pass the checks, and overwrites none."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

FILES = ["generalization/measures/l2_gradient.py", "tests/measures/test_l2_gradient.py"]


@pytest.fixture
def checkout(tmp_path):
    for folder in ("workflow", "tests/measures"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy("pyproject.toml", tmp_path)
    shutil.copy("workflow/new_measure.py", tmp_path / "workflow")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree("generalization", tmp_path / "generalization", ignore=ignored)
    return tmp_path


def new_measure(checkout, *name):
    command = [sys.executable, checkout / "workflow/new_measure.py", *name]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_skeletons_pass_the_checks(checkout):
    done = new_measure(checkout, "l2_gradient")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("".join(f"Wrote {file}.\n" for file in FILES))
    for command in (["check"], ["format", "--check"]):
        ruff = Path(sys.executable).with_name("ruff")
        subprocess.run([ruff, *command, "--no-cache", *FILES], cwd=checkout, check=True)


def test_skeletons_fail_until_they_are_written(checkout):
    new_measure(checkout, "l2_gradient")
    variables = {}
    exec((checkout / FILES[0]).read_text(), variables)
    with pytest.raises(NotImplementedError, match=r"^l2_gradient is not written yet\.$"):
        variables["l2_gradient"](None, None)


def test_entries_are_the_ones_to_add(checkout):
    printed = new_measure(checkout, "l2_gradient").stdout
    assert '    "l2_gradient": Measure(),\n' in printed
    entry = yaml.safe_load(printed.split("test inputs):\n")[1])
    assert entry == {
        "l2_gradient": {
            "description": "The quantity, in one sentence.",
            "$ref": "#/$defs/of_points",
        }
    }


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ((), "NAME must be lower-case letters, digits and underscores, not ''.\n"),
        (("2norm",), "NAME must be lower-case letters, digits and underscores, not '2norm'.\n"),
        (("L2",), "NAME must be lower-case letters, digits and underscores, not 'L2'.\n"),
        (
            ("jacobian_norm",),
            "NAME must be new, but generalization/measures/jacobian_norm.py exists.\n",
        ),
    ],
)
def test_an_impossible_name_is_refused_in_one_sentence(checkout, name, sentence):
    before = sorted(checkout.rglob("*"))
    done = new_measure(checkout, *name)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", sentence)
    assert sorted(checkout.rglob("*")) == before

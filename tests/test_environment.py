"""environment.yml, requirements.lock and pyproject.toml say the same."""

import os
import re
import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path

import pytest
import rattler
import yaml

CONDA_NAMES = {"torch": "pytorch"}
IMPORTED_AS = {"pyyaml": "yaml", "scikit-learn": "sklearn"}
ENVIRONMENT = yaml.safe_load(Path("environment.yml").read_text())
LOCK = Path("requirements.lock").read_text()
PROJECT = tomllib.loads(Path("pyproject.toml").read_text())["project"]


def required(*groups):
    lists = [PROJECT["optional-dependencies"][group] for group in groups]
    for requirement in sum(lists, PROJECT["dependencies"]):
        yield re.match(r"[\w-]+", requirement)[0]


def locked(name):
    """Versions of a package on Python 3.11, the one of environment.yml."""
    lines = re.findall(rf"^{name}==(\S+) ?(;.*)?\\$", LOCK, re.MULTILINE)
    return [version for version, marker in lines if "python_full_version >=" not in marker]


def test_environment_is_one_that_conda_reads():
    assert set(ENVIRONMENT) == {"name", "channels", "dependencies"}
    for spec in ENVIRONMENT["dependencies"]:
        assert rattler.MatchSpec(spec).name is not None


def test_environment_has_the_locked_versions():
    specs = dict(re.split(r" +=*", spec) for spec in ENVIRONMENT["dependencies"] if " =" in spec)
    assert specs.pop("python") == "3.11"
    assert set(specs) == {CONDA_NAMES.get(name, name) for name in required("workflow")}
    for name in required("workflow"):
        assert [specs[CONDA_NAMES.get(name, name)]] == locked(name), name


@pytest.mark.parametrize("name", sorted(required("workflow", "development")))
def test_every_requirement_is_locked_with_hashes(name):
    entry = re.search(rf"^{name}==[^\n]*\n((?:    --hash=.*\n)+)", LOCK, re.MULTILINE)
    assert entry is not None
    assert "sha256:" in entry[1]


def test_only_the_lock_asks_for_a_version():
    groups = PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()
    assert not [one for group in groups for one in group if "==" in one]


def test_lock_names_no_host():
    assert "://" not in LOCK
    assert "--index-url" not in LOCK


def test_measures_need_no_package_of_the_workflow():
    light = {re.match(r"[\w-]+", one)[0] for one in PROJECT["dependencies"]}
    named = [*set(required("workflow")) - light, "torchvision"]
    others = [IMPORTED_AS.get(name, name.replace("-", "_")) for name in named]
    program = f"""
import sys
sys.modules.update(dict.fromkeys({sorted(others)}))
import generalization
for name in dir(generalization):
    getattr(generalization, name)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_marks_that_snakemake_leaves_in_folders_are_not_tracked():
    git = partial(subprocess.run, capture_output=True, text=True)
    if git(["git", "rev-parse"]).returncode and "CI" not in os.environ:
        pytest.skip("this is no checkout of git")
    mark = "docs/findings/study/.snakemake_timestamp"
    assert git(["git", "check-ignore", "--no-index", mark]).stdout == f"{mark}\n"
    assert git(["git", "ls-files", "*/.snakemake_timestamp"]).stdout == ""

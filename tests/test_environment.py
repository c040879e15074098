"""environment.yml, requirements.lock and pyproject.toml say the same."""

import re
import tomllib
from pathlib import Path

import pytest
import rattler
import yaml

CONDA_NAMES = {"torch": "pytorch"}
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


def test_lock_names_no_host():
    assert "://" not in LOCK
    assert "--index-url" not in LOCK

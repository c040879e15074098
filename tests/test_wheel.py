"""What is installed without the workflow: the wheel, and what it says that it needs."""

import ensurepip
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# A pip that runs where none is installed; Debian keeps it elsewhere.
WHEELS = sysconfig.get_config_var("WHEEL_PKG_DIR") or Path(ensurepip.__file__).parent / "_bundled"
*_, PIP = sorted(Path(WHEELS).glob("pip-*.whl"))
NOWHERE = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_COMPILE": "1"}
PROJECT = tomllib.loads(Path("pyproject.toml").read_text())["project"]
BUILD = "from setuptools.build_meta import build_wheel; print(build_wheel('built'))"
PROGRAM = """
import importlib.util, pathlib, sys
import torch
import generalization as g

assert pathlib.Path(g.__file__).is_relative_to(sys.prefix), g.__file__
found = [name for name in sys.argv[1:] if importlib.util.find_spec(name)]
assert not found, found
torch.manual_seed(0)
module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
inputs, names = torch.randn(6, 4), ["jacobian_norm", "gradient_norm", "path_norm"]
table = g.measure(module, inputs, torch.arange(6) % 2, names)
assert list(table["status"]) == ["ok"] * 3, table.to_string()
found = g.compare(module, module, inputs, layers=["0"], similarities="linear_cka")
assert abs(found["value"][0] - 1) < 1e-6, found.to_string()
for name in dir(g):
    getattr(g, name)
"""


def needed(requirements):
    """Distributions that requirements ask for on this machine, and those that they need."""
    found, waiting = {}, [Requirement(one) for one in requirements]
    while waiting:
        one = waiting.pop()
        if (one.name, *one.extras) not in found:
            found[one.name, *one.extras] = of_name = distribution(one.name)
            asked = map(Requirement, of_name.requires or ())
            waiting += [another for another in asked if applies(another, one.extras)]
    return list(found.values())


def applies(requirement, extras):
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": one}) for one in ("", *extras))


def link(distributions, folder):
    """Make a folder in which Python finds some of the distributions that are installed here."""
    folder.mkdir()
    for one in distributions:
        for top in {file.parts[0] for file in one.files} - {"..", "__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(one.locate_file(top))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, built outside of it."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(name, source)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree("generalization", source / "generalization", ignore=ignored)
    command = [sys.executable, "-c", BUILD]
    built = subprocess.run(command, cwd=source, check=True, capture_output=True, text=True)
    return source / "built" / built.stdout.split()[-1]


def names(requirements):
    return {canonicalize_name(Requirement(one).name) for one in requirements}


def test_the_wheel_measures_with_what_it_says_that_it_needs(wheel, tmp_path):
    light = needed(PROJECT["dependencies"])
    link(light, tmp_path / "light")
    venv.create(tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    (packages,) = (tmp_path / "venv/lib").glob("python*/site-packages")
    (packages / "light.pth").write_text(f"{tmp_path / 'light'}\n")
    # It may look nowhere else, so that everything that the wheel requires must be there.
    install = [python, PIP / "pip", "install", "--quiet", "--no-index", wheel]
    installed = subprocess.run(install, env=NOWHERE, capture_output=True, text=True)
    assert installed.returncode == 0, installed.stderr
    others = names(PROJECT["optional-dependencies"]["workflow"]) - names(one.name for one in light)
    modules = [
        module
        for module, of in packages_distributions().items()
        if others & {canonicalize_name(one) for one in of}
    ]
    assert {"snakemake", "statsmodels", "h5py", "matplotlib", "torchvision"} <= set(modules)
    ended = subprocess.run([python, "-I", "-c", PROGRAM, *modules], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr

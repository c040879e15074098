"""Paths of modules for all tests, and a small study that is run once."""

import os
import sys
from functools import wraps
from pathlib import Path

import pytest
from hypothesis import settings

# Threads do not speed up small tensors, and slow them down where cores are shared. Read when numpy
# and torch are imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from generalization.statistics import claims as judging

# No deadlines: the machine may be busy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def distinct(judge):
    """Claims, of which no two rows say that they are about the same."""

    @wraps(judge)
    def judged(*arguments, **given):
        table = judge(*arguments, **given)
        again = table[table.duplicated(["claim", "labels", "about"])]
        assert again.empty, again[["claim", "labels", "about"]]
        return table

    return judged


# Before any test imports it: whatever tables tests make, their rows are told apart.
judging.claims = distinct(judging.claims)

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "workflow")]

from small_study import checkout  # noqa: E402


def pytest_collection_modifyitems(items):
    """Begin with the files that take minutes, so that no process is left with one at the end."""
    items.sort(key=lambda item: item.path.parent.name not in {"own_modules", "slurm", "workflow"})


@pytest.fixture
def new_study(tmp_path):
    """The small study, of which nothing was run."""
    return checkout(tmp_path / "study")


@pytest.fixture(scope="module")
def shared_study(tmp_path_factory):
    """The small study, of which nothing was run, for all tests of a file."""
    return checkout(tmp_path_factory.mktemp("shared") / "study")


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The small study, finished. Tests only read it."""
    folder = checkout(tmp_path_factory.mktemp("finished") / "study")
    folder.snakemake()
    return folder


@pytest.fixture
def study(finished, tmp_path):
    """A copy of the finished small study, modification times included."""
    return finished.copied_to(tmp_path / "study")

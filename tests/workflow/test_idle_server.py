"""The server that scripts are forked from ends when nobody needs it, and leaves nothing behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IDLE = 2.0
SCRIPT = """
import pathlib, sys, time
pathlib.Path(sys.argv[1]).touch()
time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def runtime():
    """A folder for sockets, with a path as short as they need it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)
        for pid in servers(folder):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def launch(tmp_path):
    """The launcher, whose server has less patience."""
    shutil.copytree(ROOT / "workflow", tmp_path / "workflow")
    (tmp_path / "generalization").mkdir()  # What it watches over.
    changed = 0
    for file in (tmp_path / "workflow").glob("launch*.py"):
        text, count = re.subn(
            r"^IDLE = .*$", f"IDLE = {IDLE}", file.read_text(), flags=re.MULTILINE
        )
        file.write_text(text)
        changed += count
    assert changed == 1
    return tmp_path / "workflow/launch.py"


def servers(runtime):
    """The processes that serve from a folder: servers, and their forks."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue  # It has ended in the meantime.
        if any(word.startswith(str(runtime)) for word in words):
            found.append(int(folder.name))
    return found


def wait_for(condition):
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_an_idle_server_ends_and_leaves_no_socket(runtime, launch, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SLURM")}
    command = [sys.executable, "-ES", str(launch), "script.py", "begun", str(2 * IDLE)]
    about = {"cwd": tmp_path, "env": kept | {"XDG_RUNTIME_DIR": str(runtime)}}
    script = subprocess.Popen(command, **about)
    wait_for((tmp_path / "begun").exists)
    assert any(path.is_socket() for path in runtime.rglob("*"))
    # A script that takes longer than an idle server waits is not left alone.
    assert script.wait(60) == 0
    assert servers(runtime)
    wait_for(lambda: not servers(runtime))
    assert [path for path in runtime.rglob("*") if path.is_socket()] == []

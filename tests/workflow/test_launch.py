"""A script that is launched does what it does when it is run, without importing torch anew."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAUNCH = ("-ES", str(ROOT / "workflow/launch.py"))
SCRIPT = """
import os, signal, sys, time
import helper
mark = sys.argv[1]
if mark == "say":
    print("torch" in sys.modules, helper.VALUE, os.environ["SAID"], os.getcwd(), sys.argv[2:])
    print("to the other stream", file=sys.stderr)
elif mark == "sentence":
    sys.exit("InputError: a sentence.")
elif mark == "status":
    sys.exit(7)
elif mark == "raise":
    raise ValueError("told with its traceback")
elif mark == "wait":
    open(sys.argv[2], "w").close()
    time.sleep(60)
    open(sys.argv[2] + ".done", "w").close()
"""


@pytest.fixture(scope="module")
def runtime():
    """A folder for the sockets of these tests, with a path as short as sockets need it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield folder
        subprocess.run(["pkill", "-f", f"serve {folder}"], check=False)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "helper.py").write_text("VALUE = 1\n")
    return tmp_path


def environment(runtime, **more):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SLURM")}
    return kept | {"XDG_RUNTIME_DIR": runtime, "SAID": "here"} | more


def launched(runtime, folder, *arguments, launch=LAUNCH, **more):
    command = [sys.executable, *launch, "script.py", *arguments]
    about = {"cwd": folder, "env": environment(runtime, **more), "text": True}
    return subprocess.run(command, capture_output=True, check=False, **about)


def started(runtime, folder, *arguments):
    command = [sys.executable, *LAUNCH, "script.py", *arguments]
    return subprocess.Popen(command, cwd=folder, env=environment(runtime))


def wait_for(condition):
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def servers(runtime):
    found = subprocess.run(["pgrep", "-f", f"serve {runtime}"], capture_output=True, text=True)
    return found.stdout.split()


def test_streams_arguments_folder_and_environment_are_those_of_the_caller(runtime, folder):
    plain = launched(runtime, folder, "say", "a b", "", launch=())
    done = launched(runtime, folder, "say", "a b", "")
    # Only there the third-party packages are imported already.
    assert done.stdout == plain.stdout.replace("False", "True")
    assert (done.returncode, done.stderr) == (0, plain.stderr)


@pytest.mark.parametrize("how", ["sentence", "status", "raise"])
def test_it_ends_as_the_script_does(runtime, folder, how):
    plain = launched(runtime, folder, how, launch=())
    done = launched(runtime, folder, how)
    assert done.returncode == plain.returncode
    assert done.stderr.splitlines()[-1] == plain.stderr.splitlines()[-1] if plain.stderr else True


def test_an_edit_of_the_project_is_seen(runtime, folder):
    assert "True 1 here" in launched(runtime, folder, "say").stdout
    (folder / "helper.py").write_text("VALUE = 20\n")
    assert "True 20 here" in launched(runtime, folder, "say").stdout


def test_one_server_serves_all(runtime, folder):
    launched(runtime, folder, "say")
    both = [started(runtime, folder, "wait", str(folder / name)) for name in ("one", "two")]
    wait_for(lambda: (folder / "one").exists() and (folder / "two").exists())
    # The two scripts are forks, which bear its name.
    assert len(servers(runtime)) == 3
    for process in both:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_reaches_the_script(runtime, folder, number):
    process = started(runtime, folder, "wait", str(folder / "begun"))
    wait_for((folder / "begun").exists)
    process.send_signal(number)
    assert process.wait(10) == -number


def test_a_script_whose_launcher_was_killed_ends(runtime, folder):
    launched(runtime, folder, "say")
    before = set(servers(runtime))
    process = started(runtime, folder, "wait", str(folder / "begun"))
    wait_for((folder / "begun").exists)
    process.kill()
    process.wait()
    wait_for(lambda: set(servers(runtime)) == before)
    assert not (folder / "begun.done").exists()


def test_a_killed_server_loses_nothing(runtime, folder):
    process = started(runtime, folder, "wait", str(folder / "begun"))
    wait_for((folder / "begun").exists)
    for pid in servers(runtime):
        os.kill(int(pid), signal.SIGKILL)
    assert process.wait(10) not in {0, None}
    assert launched(runtime, folder, "say").returncode == 0


def test_inside_a_job_of_a_cluster_the_script_is_run_as_it_is(runtime, folder):
    assert "False 1 here" in launched(runtime, folder, "say", SLURM_JOB_ID="1").stdout


def test_where_no_server_can_be_had_the_script_is_run_as_it_is(folder):
    far = "/tmp/" + "x" * 120
    assert "False 1 here" in launched(far, folder, "say").stdout

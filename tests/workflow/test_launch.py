"""A script that is launched does what it does when it is run, without importing torch anew."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAUNCH = ("-ES", str(ROOT / "workflow/launch.py"))
SCRIPT = """
import os, signal, sys, time
imported = "pandas" in sys.modules
import helper, pandas
mark = sys.argv[1]
if mark == "say":
    print(imported, helper.VALUE, os.environ["SAID"], os.getcwd(), sys.argv[2:])
    print("to the other stream", file=sys.stderr)
elif mark == "sentence":
    sys.exit("InputError: a sentence.")
elif mark == "status":
    sys.exit(7)
elif mark == "raise":
    raise ValueError("told with its traceback")
elif mark == "touch":
    open(sys.argv[2], "w").close()
elif mark == "wait":
    open(sys.argv[2], "w").close()
    time.sleep(60)
    open(sys.argv[2] + ".done", "w").close()
"""

IDLE = 2.0
WAIT = f"pathlib.Path('begun').touch()\ntime.sleep({2 * IDLE})\n"


@contextmanager
def folder_of_sockets():
    """Make a folder with a path as short as sockets need it, and end its servers."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield folder
        subprocess.run(["pkill", "-f", f"launch_server.py {folder}"], check=False)


@pytest.fixture(scope="module")
def runtime():
    with folder_of_sockets() as folder:
        yield folder


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


def started(runtime, folder, *arguments, launch=LAUNCH):
    command = [sys.executable, *launch, "script.py", *arguments]
    return subprocess.Popen(command, cwd=folder, env=environment(runtime))


def wait_for(condition):
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def servers(runtime):
    found = subprocess.run(
        ["pgrep", "-f", f"launch_server.py {runtime}"], capture_output=True, text=True
    )
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


@pytest.fixture
def its_runtime():
    with folder_of_sockets() as folder:
        yield folder


@pytest.fixture
def checkout(tmp_path):
    """A checkout with a small package, and a script that says what is imported before it begins."""
    for folder in ("workflow", "generalization/inner"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("launch", "launch_server", "gpus"):
        shutil.copy(ROOT / f"workflow/{name}.py", tmp_path / "workflow")
    (tmp_path / "generalization/__init__.py").touch()
    (tmp_path / "generalization/inner/value.py").write_text("VALUE = 1\n")
    (tmp_path / "script.py").write_text(
        'import sys\nbefore = "generalization.inner.value" in sys.modules\n'
        "from generalization.inner.value import VALUE\nprint(before, VALUE)\n"
    )
    return tmp_path


def said(its_runtime, checkout):
    return launched(its_runtime, checkout, launch=("-ES", "workflow/launch.py")).stdout.split()


def test_what_a_script_imports_is_imported_before(its_runtime, checkout):
    assert said(its_runtime, checkout) == ["True", "1"]


def test_what_arguments_name_is_imported_before(its_runtime, checkout):
    script = checkout / "script.py"
    script.write_text(
        'import sys\nprint("generalization.inner.value" in sys.modules, "pandas" in sys.modules)\n'
    )
    words = ["generalization.inner.value:VALUE", "pandas", "generalization.absent:x"]
    done = launched(its_runtime, checkout, *words, launch=("-ES", "workflow/launch.py"))
    assert done.stdout.split() == ["True", "False"]


def test_what_a_script_imports_later_the_next_ones_have(its_runtime, checkout):
    script = checkout / "script.py"
    lines = script.read_text().splitlines()
    script.write_text("\n".join([*lines[:2], f"if True:\n    {lines[2]}", lines[3]]))
    assert [said(its_runtime, checkout) for _ in range(2)] == [["False", "1"], ["True", "1"]]


@pytest.mark.parametrize("edit", ["longer", "same_length_and_time", "new", "deleted"])
def test_every_edit_of_what_the_server_has_imported_is_seen(its_runtime, checkout, edit):
    module = checkout / "generalization/inner/value.py"
    for _ in range(2):
        said(its_runtime, checkout)
    about = module.stat()
    if edit == "new":
        (checkout / "generalization/other.py").touch()
    elif edit == "deleted":
        module.unlink()
    else:
        module.write_text("VALUE = 2\n" + "#" * (edit == "longer"))
    if edit == "same_length_and_time":  # To the second, as some file systems have it.
        os.utime(module, ns=(about.st_atime_ns, about.st_mtime_ns + 1))
        shutil.rmtree(checkout / "generalization/inner/__pycache__", ignore_errors=True)
    expected = {"new": ["1"], "deleted": []}.get(edit, ["2"])
    assert said(its_runtime, checkout)[1:] == expected
    # The next server knows the new state.
    assert [said(its_runtime, checkout)[1:] for _ in range(2)] == [expected, expected]


def test_an_edit_while_the_server_is_busy_is_seen(its_runtime, checkout):
    """A client that comes while the server is at something else has come after the edit."""
    server = checkout / "workflow/launch_server.py"
    busy = "last = _reap(running) or last"
    assert busy in server.read_text()
    server.write_text(server.read_text().replace(busy, f"{busy}\n        time.sleep(0.5)"))
    for _ in range(2):
        said(its_runtime, checkout)
    (checkout / "generalization/inner/value.py").write_text("VALUE = 20\n")
    assert said(its_runtime, checkout)[1:] == ["20"]


def test_who_waits_while_the_project_changes_is_not_forgotten(its_runtime, checkout):
    (checkout / "script.py").write_text(
        "import time\nfrom generalization.inner.value import VALUE\ntime.sleep(0.3)\nprint(VALUE)\n"
    )
    said(its_runtime, checkout)
    (checkout / "generalization/inner/value.py").write_text("VALUE = 20\n")
    command = [sys.executable, "-ES", "workflow/launch.py", "script.py"]
    about = {"cwd": checkout, "env": environment(its_runtime), "stdout": subprocess.PIPE}
    many = [subprocess.Popen(command, **about) for _ in range(12)]
    assert [process.communicate()[0] for process in many] == [b"20\n"] * 12
    assert [process.returncode for process in many] == [0] * 12


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
    (server,) = (pid for pid in map(int, servers(runtime)) if os.getsid(pid) == pid)
    os.kill(server, signal.SIGKILL)
    assert process.wait(10) not in {0, None}
    wait_for(lambda: not servers(runtime))  # The script ends, too.
    assert not (folder / "begun.done").exists()
    assert launched(runtime, folder, "say").returncode == 0


def test_files_have_the_permissions_of_the_caller_and_not_of_who_started_the_server(folder):
    with folder_of_sockets() as fresh:
        for mask, mode in ((0o077, 0o600), (0o002, 0o664), (0o027, 0o640)):
            before = os.umask(mask)
            try:
                launched(fresh, folder, "touch", f"{mode:o}")
            finally:
                os.umask(before)
            assert (folder / f"{mode:o}").stat().st_mode & 0o777 == mode


def test_inside_a_job_of_a_cluster_the_script_is_run_as_it_is(runtime, folder):
    assert "False 1 here" in launched(runtime, folder, "say", SLURM_JOB_ID="1").stdout


def test_where_no_server_can_be_had_the_script_is_run_as_it_is(folder):
    far = "/tmp/" + "x" * 120
    assert "False 1 here" in launched(far, folder, "say").stdout


def test_an_idle_server_ends_and_leaves_no_socket(its_runtime, checkout):
    server = checkout / "workflow/launch_server.py"
    text, changed = re.subn(r"(?m)^IDLE = .*$", f"IDLE = {IDLE}", server.read_text())
    assert changed == 1
    server.write_text(text)
    (checkout / "script.py").write_text("import pathlib, time\n" + WAIT)
    launch = "-ES", "workflow/launch.py"
    script = started(its_runtime, checkout, launch=launch)
    wait_for((checkout / "begun").exists)
    assert any(path.is_socket() for path in Path(its_runtime).rglob("*"))
    # A script that takes longer than an idle server waits is not left alone.
    assert script.wait(60) == 0
    assert servers(its_runtime)
    wait_for(lambda: not servers(its_runtime))
    assert [path for path in Path(its_runtime).rglob("*") if path.is_socket()] == []

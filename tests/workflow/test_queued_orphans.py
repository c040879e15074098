"""Jobs that a killed Snakemake left in the queue of Slurm are named, and ended by one command."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import snakemake_executor_plugin_slurm as plugin
from orphans import Process, queued_orphans
from orphans import orphans as found_orphans
from watchdog import watch

ORPHANS = Path(__file__).parents[2] / "workflow/orphans.py"
SAID = (
    "jobs of a Snakemake that was killed here are still in the queue: 7 9. They take time and "
    "write the same bits as those that replace them; `scancel 7 9` ends them."
)


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """A folder of which two jobs are in the queue, beside one of another folder."""
    folder = tmp_path / "study"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "bin").mkdir()
    jobs = f"7 {folder}\\n8 {folder}2\\n9 {folder}\\n"
    for name, script in {
        "squeue": f"printf '{jobs}'",
        "scancel": f"echo $@ >>{tmp_path / 'cancelled'}",
        "scontrol": "echo AccountingStorageType = accounting_storage/slurmdbd",
    }.items():
        command = tmp_path / "bin" / name
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)
    return folder


def orphans(*arguments):
    """What the command says that finds and ends orphans."""
    command = [sys.executable, str(ORPHANS), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_they_are_listed_and_cancelled(queue):
    assert orphans() == (
        "cluster job 7\ncluster job 9\n`python workflow/orphans.py --end` ends them.\n"
    )
    assert not (queue.parent / "cancelled").exists()
    assert "2 ended, 0 half-written files removed." in orphans("--end")
    assert (queue.parent / "cancelled").read_text() == "7 9\n"


def test_those_of_a_snakemake_on_another_machine_are_not_touched(queue):
    """It may live there, and what it writes is no longer half-written soon."""
    (queue / ".snakemake").mkdir()
    (queue / ".snakemake/submitted_from").write_text("login2")
    command = [sys.executable, str(ORPHANS), "--end"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "The last Snakemake of this folder that submitted jobs ran on login2: look for orphans "
        "there, or remove .snakemake/submitted_from if none can live there.\n"
    )
    assert not (queue.parent / "cancelled").exists()
    (queue / ".snakemake/submitted_from").write_text(socket.gethostname())
    assert "cluster job 7" in orphans()


def test_jobs_of_a_snakemake_that_lives_are_no_orphans(queue):
    head = SimpleNamespace(words=["python", "/bin/snakemake", "--jobs", "3"], folder=str(queue))
    assert list(queued_orphans({1: head}, str(queue))) == []
    head.folder = "/elsewhere"
    assert list(queued_orphans({1: head}, str(queue))) == ["7", "9"]


SHELL = ["bash", "-c", "trap : TERM; run_script() ...; run_script train_ensemble"]
HEAD = ["python", "/bin/snakemake", "--cores", "2"]
CLIENT = ["python", "-ES", "{here}/workflow/launch.py", "{here}/scripts/train_ensemble.py"]
PLAIN = ["python", "{here}/scripts/train_ensemble.py", "--seeds", "1"]
SERVER = ["python", "{here}/workflow/launch_server.py", "/tmp/socket"]


@pytest.mark.parametrize("here", ["the checkout", "a link to it", "relative", "another checkout"])
@pytest.mark.parametrize(
    ("chain", "orphan"),
    [
        ([SHELL, CLIENT], True),
        ([CLIENT], True),
        ([SHELL, PLAIN], True),
        ([HEAD, SHELL, CLIENT], False),
        ([HEAD, SHELL, PLAIN], False),
        # By hand, and for a client that waits.
        ([["bash"], PLAIN], False),
        ([SERVER, PLAIN], False),
        ([SHELL, ["python", "train.py"]], False),
    ],
)
def test_processes_that_run_a_job_without_a_head_are_orphans(tmp_path, here, chain, orphan):
    place, folder = ORPHANS.parents[1], tmp_path
    if here == "a link to it":
        (tmp_path / "link").symlink_to(place)
        place = tmp_path / "link"
    elif here == "relative":
        place, folder = ".", place
    elif here == "another checkout":
        place = tmp_path
    found = {
        2 + number: Process(1 + number, [word.format(here=place) for word in words], str(folder))
        for number, words in enumerate(chain)
    }
    expected = [max(found)] if orphan and here != "another checkout" else []
    assert list(found_orphans(found, str(folder))) == expected


class Executor:
    """As much of the plugin's as is looked at before anything is submitted."""

    next_seconds_between_status_checks = 20
    check_active_jobs = None

    def __init__(self):
        settings = SimpleNamespace(status_command="sacct", no_requeue=True)
        self.workflow = SimpleNamespace(executor_settings=settings)


def test_a_new_head_names_them(queue, monkeypatch):
    for name in ("query_job_status", "get_submit_command"):  # They are replaced.
        monkeypatch.setattr(plugin, name, getattr(plugin, name))
    monkeypatch.setattr(Executor, "__module__", plugin.__name__)
    (queue / ".snakemake").mkdir()  # as Snakemake makes it
    told = []
    workflow = SimpleNamespace(scheduler=SimpleNamespace(_executor=Executor()))
    assert watch(workflow, told.append) is None
    assert told == [SAID]
    assert (queue / ".snakemake/submitted_from").read_text() == socket.gethostname()

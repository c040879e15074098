"""Heads that are killed, orphans, two heads on one folder, and folders that are not as usual."""

import base64
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

# Training that takes some seconds, so that it can be interrupted.
SLOW = {
    "ensembles": [
        {"dataset": "digits", "batch_size": 8, "width": 60, "max_steps": 40_000}
        | {"stop_at_accuracy": None}
    ],
    "measures": {"weight_norm": {}},
}

# As `make study` does.
LOCAL = ("--workflow-profile", "workflow/profiles/local")


def heed_interrupts():
    """Undo what a shell without job control does to programs in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(study, *arguments):
    """Start a Snakemake in the folder of a study, in a session of its own, as a terminal would."""
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("snakemake")), "--cores", "2", *arguments],
        cwd=study.path,
        env={**os.environ, "PYTHONPATH": str(study.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )


def orphans(study, *arguments):
    """What the command says that finds and ends orphans."""
    done = subprocess.run(
        [sys.executable, "workflow/orphans.py", *arguments],
        cwd=study.path,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def wait_for(condition, seconds=60):
    limit = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < limit, "this never came"
        time.sleep(0.1)
    return found


def training_runs(study):
    """Whether a training has begun."""
    logs = study.path.glob(".snakemake/log/*.log")
    return any("Train ensemble" in log.read_text() for log in logs)


@pytest.fixture
def slow(new_study):
    """A study whose datasets are prepared, and whose training takes some seconds."""
    new_study.configure(**SLOW)
    new_study.snakemake("datasets")
    return new_study


@pytest.fixture
def killed(slow):
    """That study, whose head was killed while it trained; its job goes on."""
    head = start(slow)
    wait_for(lambda: training_runs(slow))
    assert "No orphans" in orphans(slow)
    os.kill(head.pid, signal.SIGKILL)
    head.wait()
    assert "train_ensemble.py" in orphans(slow)
    return slow


def failure(study, *arguments):
    """What a Snakemake says that fails."""
    done = study.snakemake(*arguments, check=False)
    assert done.returncode != 0
    return done.stdout + done.stderr


def resume(study):
    """Follow the words of the README after a kill of Snakemake."""
    assert "Directory cannot be locked" in failure(study, *LOCAL)
    study.snakemake("--unlock")
    study.snakemake(*LOCAL)


def test_an_orphan_that_trains_beside_its_successor_changes_nothing(killed, tmp_path):
    resume(killed)
    wait_for(lambda: "No orphans" in orphans(killed))
    found = killed.results()
    assert not [path for path in found if ".partial" in path or "checkpoint" in path]
    shutil.rmtree(killed.path / "results")
    shutil.rmtree(killed.path / ".snakemake")
    killed.snakemake()
    assert killed.results() == found


def test_one_command_ends_orphans(killed):
    folder = next((killed.path / "results/ensembles").glob("*/seeds-1-1"), None)
    left = killed.path / "results/.networks.safetensors.0.partial"
    left.write_text("half")
    said = orphans(killed, "--end")
    assert "1 ended, 1 half-written files removed." in said
    assert not left.exists()
    assert "No orphans" in orphans(killed)
    assert folder is None or not (folder / "networks.safetensors").exists()
    resume(killed)


def test_two_heads_on_one_folder(slow):
    first = start(slow)
    wait_for(lambda: training_runs(slow))
    assert "Directory cannot be locked" in failure(slow, *LOCAL)
    said, _ = first.communicate()
    assert first.returncode == 0, said


def test_interrupted_by_ctrl_c_the_same_command_goes_on(slow):
    head = start(slow)
    wait_for(lambda: training_runs(slow))
    time.sleep(1)
    os.killpg(head.pid, signal.SIGINT)  # As a terminal does: to the head and its jobs.
    said, _ = head.communicate(timeout=60)
    assert head.returncode != 0, said
    assert "No orphans" in orphans(slow)
    slow.snakemake(*LOCAL)  # Nothing to unlock.


def test_what_an_interrupted_snakemake_left_is_made_again(study):
    """As after Ctrl-C between the end of a job and the note that it has ended."""
    left = next(study.path.glob("results/ensembles/*/*/measures/*.csv")).relative_to(study.path)
    notes = study.path / ".snakemake/incomplete"
    (notes / base64.urlsafe_b64encode(str(left).encode()).decode()).touch()
    assert "--rerun-incomplete" in failure(study)
    assert "measure_networks" in study.planned(*LOCAL)
    study.snakemake(*LOCAL)
    assert study.planned() == {}


def test_results_may_be_a_link_to_another_disk(study, tmp_path):
    (study.path / "results").rename(tmp_path / "elsewhere")
    (study.path / "results").symlink_to(tmp_path / "elsewhere")
    assert study.planned() == {}
    (study.path / "results/studies/study/summary.txt").unlink()
    study.snakemake()
    assert (tmp_path / "elsewhere/studies/study/summary.txt").exists()


def test_a_clock_that_was_wrong_recomputes_nothing(study):
    """Files may come from the future, or the inputs be younger than what is made from them."""
    ahead = time.time() + 86_400
    for path in study.path.glob("results/datasets/*.h5"):
        os.utime(path, (ahead, ahead))
    assert study.planned() == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_results_that_are_read_only(study):
    tables = study.path / "results/studies/study"
    (tables / "measures.csv").unlink()
    tables.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        done = study.snakemake(check=False)
    finally:
        tables.chmod(stat.S_IRWXU)
    assert done.returncode != 0
    assert "ermission denied" in done.stdout + done.stderr
    study.snakemake(*LOCAL)

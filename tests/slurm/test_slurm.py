"""The words `snakemake --profile slurm`, on a real Slurm, where nothing goes well."""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from live_cluster import (
    FAULTS,
    REFUSED,
    Cluster,
    different_networks,
    ensembles,
    run_struck,
    strike,
    wait_for,
)
from small_study import checkout

pytestmark = pytest.mark.slurm

WORDS = (
    *("--profile", "slurm", "--slurm-init-seconds-before-status-checks", "2"),
    *("--default-resources", "mem_mb=2000", "runtime=10", "slurm_partition=cpu"),
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, request):
    """A cluster, with accounting if a test asks for that."""
    accounting = getattr(request, "param", False)
    needed = ["slurmctld", "munged", *(["slurmdbd", "mariadbd"] if accounting else [])]
    if not all(map(shutil.which, needed)) and "CI" not in os.environ:
        pytest.skip(f"Not all of {', '.join(needed)} are installed: see .ci/run.")
    with (
        Cluster(tmp_path_factory.mktemp("slurm"), accounting) as cluster,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name in ("SLURM_CONF", "PATH"):
            patch.setenv(name, cluster.environment[name])
        yield cluster


@pytest.fixture(scope="module")
def quiet(cluster, shared_study):
    """What Snakemake said of a study to which nothing happened, on a head that sees a GPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "0")
        return shared_study.snakemake(*WORDS)


@pytest.fixture(scope="module")
def struck(cluster, shared_study, quiet):
    """A study on the same dataset, whose trainings and controller were struck by faults."""
    return run_struck(cluster, shared_study)


def test_a_study_runs_on_slurm(quiet, shared_study):
    """Nobody says that this cluster has no accounting: it is found out."""
    assert "this cluster has no accounting, so that squeue tells" in quiet.stderr
    assert "found 1 GPU" not in quiet.stderr
    submitted = (quiet.stdout + quiet.stderr).count("has been submitted with SLURM jobid")
    assert submitted == 1 + 1  # a dataset; all networks and measures, which take seconds
    measures = pd.read_csv(shared_study.path / "results/studies/study/measures.csv")
    assert measures["value"].notna().all()
    assert shared_study.planned() == {}


ONCE = """
import sys
import time
from pathlib import Path

from torch import nn


def make(image, classes, width):
    if width == 21 and sys.argv[0].endswith("train_ensemble.py"):
        befall(Path(__file__).with_name("befallen"))
    layers = nn.Linear(image[1] * image[2], width), nn.ReLU(), nn.Linear(width, classes)
    return nn.Sequential(nn.Flatten(), *layers)


def befall(file):
    if not file.exists():
        file.touch()
        {}
"""
FAILS, WAITS = 'raise RuntimeError("This fails once.")', "time.sleep(600)"


def configure_once(study, what):
    """Three ensembles that one submission trains and measures; what befalls the second, once."""
    (study.path / "config/once.py").write_text(ONCE.replace("{}", what))
    (study.path / "config/befallen").unlink(missing_ok=True)
    foreign = {"dataset": "digits", "batch_size": 32, "architecture": "once:make"}
    arguments = [{"width": width} for width in (20, 21, 22)]
    study.configure(ensembles=[foreign | {"architecture_arguments": arguments}])


def check_measured(study):
    assert study.planned() == {}
    measures = pd.read_csv(study.path / "results/studies/study/measures.csv")
    assert measures["value"].notna().all()
    assert measures["ensemble"].nunique() == 3


def test_what_has_ended_in_a_submission_that_failed_is_kept(cluster, shared_study, quiet):
    configure_once(shared_study, FAILS)
    done = shared_study.snakemake(*WORDS)
    said = done.stdout + done.stderr
    assert "3 of the 9 jobs of the submission together-0 did not end" in said
    assert said.count("has been submitted with SLURM jobid") == 1 + 3
    assert "This fails once." in said
    check_measured(shared_study)


@pytest.mark.parametrize(("fault", "state"), [("cancel", "CANCELLED"), ("preempt", "PREEMPTED")])
def test_what_has_ended_in_a_submission_that_was_struck_is_kept(cluster, new_study, fault, state):
    configure_once(new_study, WAITS)
    befallen = new_study.path / "config/befallen"
    with ThreadPoolExecutor(1) as beside:
        head = beside.submit(new_study.snakemake, *WORDS)
        wait_for(befallen.exists)
        ended = {path: path.read_bytes() for path in trained(new_study)}
        ((job, node),) = [
            (job, node) for job, (now, node) in cluster.observe().items() if now == "RUNNING"
        ]
        strike(cluster, fault, job, node)
        wait_for(lambda: cluster.observe()[job][0] == state)
        head.result()
    assert len(ended) < 3
    assert {path: path.read_bytes() for path in ended} == ended
    check_measured(new_study)


def trained(study):
    """Networks whose training has ended."""
    return list((study.path / "results/ensembles").rglob("networks.safetensors"))


def test_jobs_of_a_killed_head_are_named_by_the_next_and_cancelled_by_one_command(
    cluster, shared_study, quiet
):
    """They queue where no node takes them, and later because they are held."""

    def queued():
        return cluster.run("squeue", "--noheader", "--format=%i").split()

    def nodes(state):
        cluster.run("scontrol", "update", "nodename=ALL", f"state={state}", "reason=test")

    def orphans(*arguments):
        command = [sys.executable, "workflow/orphans.py", *arguments]
        return subprocess.check_output(command, cwd=shared_study.path, text=True)

    few = {"dataset": "digits", "batch_size": 32, "depth": 2, "width": 23, "max_steps": 40}
    shared_study.configure(ensembles=[few], measures={"weight_norm": {}})
    snakemake = str(Path(sys.executable).with_name("snakemake"))
    nodes("drain")
    try:
        environment = os.environ | {"PYTHONPATH": str(shared_study.path)}
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        words, place = [snakemake, *WORDS], shared_study.path
        with subprocess.Popen(words, cwd=place, env=environment, **silent) as head:
            wait_for(queued)
            assert "No orphans" in orphans()
            head.kill()
        (job,) = queued()
        cluster.run("scontrol", "hold", job)
    finally:
        nodes("resume")
    assert f"cluster job {job}\n" in orphans()
    shared_study.snakemake("--unlock")
    said = shared_study.snakemake(*WORDS).stderr
    assert f"Slurm: jobs of a Snakemake that was killed here are still in the queue: {job}." in said
    assert queued() == [job]
    assert "1 ended, 0 half-written files removed." in orphans("--end")
    wait_for(lambda: not queued())
    assert shared_study.planned() == {}


def test_a_study_that_is_struck_by_every_fault_ends_well(struck):
    assert struck.status == 0, struck.said
    assert tuple(struck.job) == FAULTS


@pytest.mark.parametrize(
    ("fault", "state"),
    [("cancel", "CANCELLED"), ("preempt", "PREEMPTED"), ("limit", "FAILED"), ("node", "NODE_FAIL")],
)
def test_a_job_that_is_struck_is_submitted_once_more(struck, fault, state):
    """By scancel, preemption by cancelling, the signal before a limit, death of its node."""
    job = struck.job[fault]
    assert struck.states[job][-1] == state
    again = struck.jobs(struck.ensemble[fault])
    assert again[0] == job
    assert [struck.states[one][-1] for one in again] == [state, "COMPLETED"]


def test_a_job_that_slurm_requeues_is_not_submitted_again(struck):
    job = struck.job["requeue"]
    assert struck.jobs(struck.ensemble["requeue"]) == [job]
    states = struck.states[job]
    assert states[-1] == "COMPLETED"
    assert "PENDING" in states[states.index("RUNNING") :]


@pytest.mark.parametrize("fault", ["cancel", "limit", "preempt", "requeue"])
def test_a_training_that_was_told_to_end_writes_its_checkpoint(struck, fault):
    said = struck.interrupted[struck.ensemble[fault]]
    step = re.search(r"was told to end at step (\d+), and goes on from there", said)
    assert 0 < int(step[1]) < ensembles()[0].max_steps


def test_networks_are_bit_for_bit_those_of_undisturbed_trainings(struck, shared_study):
    assert different_networks(shared_study, ensembles()) == []
    assert not list((shared_study.path / "results/ensembles").rglob("checkpoint*"))


def test_a_job_with_too_little_memory_is_ended_and_given_more(struck, shared_study):
    ensemble = ensembles()[0].name
    jobs = struck.jobs(ensemble, "measure_networks")
    assert [struck.states[job][-1] for job in jobs] == ["FAILED", "COMPLETED"]
    log = next((shared_study.path / ".snakemake/slurm_logs").rglob(f"{jobs[0]}.log"))
    assert "error: Exceeded job memory limit" in log.read_text()


def test_failing_submissions_are_told_once_and_tried_again(struck):
    sentence = f"Slurm: sbatch fails for now and is tried again: {REFUSED}"
    assert struck.said.count(sentence) == 1
    assert struck.said.count("SLURM sbatch failed") == 0


def test_jobs_outlive_a_restart_of_the_controller(struck, cluster):
    """It was stopped while jobs were submitted and ran: nothing was submitted twice for that."""
    log = (cluster.folder / "log/slurmctld.log").read_text()
    assert log.count("Running as primary controller") == 2
    submitted = struck.said.count("has been submitted with SLURM jobid")
    assert submitted == 5 + 4 + 2  # trainings, four of them once more; measures, twice


@pytest.mark.parametrize("cluster", [True], indirect=True)
def test_a_job_that_profits_has_a_gpu_where_there_is_accounting(cluster, tmp_path):
    """A core so slow that training is worth a GPU, on nodes whose GPUs can compute nothing."""
    study = checkout(tmp_path / "study")
    study.configure(
        ensembles=[{"dataset": "digits", "batch_size": 32, "width": 20, "depth": 2}],
        measures={"weight_norm": {}},
        rates={"flops": 1e5, "numbers": 1e5},
    )
    limits = "limits={hours: 24, memory_gb: 4, gpus: 1}"
    said = study.snakemake(*WORDS, "--config", limits).stderr
    assert "this cluster has no accounting" not in said
    words = ("--allusers", "--allocations", "--noheader", "--parsable2", "--format=State,AllocTRES")
    jobs = cluster.run("sacct", *words).splitlines()
    assert len(jobs) == 3  # a dataset, networks, norms of their weights
    assert all(job.startswith("COMPLETED|") for job in jobs)
    assert ["gres/gpu=1" in job for job in jobs] == [False, True, False]
    assert study.planned("--config", limits) == {}

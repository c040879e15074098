"""The words `snakemake --profile slurm`, on a real Slurm, where nothing goes well."""

import os
import re
import shutil

import pandas as pd
import pytest
import torch
from live_cluster import FAULTS, REFUSED, Cluster, ensembles, run_struck

from generalization.datasets.dataset import read_dataset
from generalization.datasets.experiment_data import experiment_data
from generalization.networks.networks_file import read_networks
from generalization.training import train_ensemble

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if not (shutil.which("slurmctld") and shutil.which("munged")) and "CI" not in os.environ:
        pytest.skip("Slurm is not installed: apt-get install slurm-wlm munge.")
    with (
        Cluster(tmp_path_factory.mktemp("slurm")) as cluster,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name in ("SLURM_CONF", "PATH"):
            patch.setenv(name, cluster.environment[name])
        yield cluster


@pytest.fixture(scope="module")
def struck(cluster, shared_study):
    """A study that ran while every training and the controller were struck by a fault."""
    return run_struck(cluster, shared_study)


def test_a_study_runs_on_slurm(cluster, new_study):
    """Nobody says that this cluster has no accounting: it is found out."""
    done = new_study.snakemake(
        "--profile",
        "slurm",
        *("--slurm-init-seconds-before-status-checks", "2"),
        *("--default-resources", "mem_mb=2000", "runtime=10", "slurm_partition=cpu"),
    )
    assert "this cluster has no accounting, so that squeue tells" in done.stderr
    submitted = (done.stdout + done.stderr).count("has been submitted with SLURM jobid")
    assert submitted == 1 + 2 + 4  # one data set; two ensembles; two jobs of measures for each
    measures = pd.read_csv(new_study.path / "results/studies/study/measures.csv")
    assert measures["value"].notna().all()
    assert new_study.planned() == {}


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
    assert struck.states[job][-1] == "COMPLETED"
    assert struck.restarts[job] == 1


@pytest.mark.parametrize("fault", ["cancel", "limit", "preempt", "requeue"])
def test_a_training_that_was_told_to_end_goes_on_from_its_checkpoint(struck, shared_study, fault):
    folder = shared_study.path / ".snakemake/slurm_logs/rule_train_ensemble"
    logs = [next(folder.rglob(f"{job}.log")) for job in struck.jobs(struck.ensemble[fault])]
    said = "".join(log.read_text() for log in logs)
    step = re.search(r"Interrupted: the training of \S+ was told to end at step (\d+), and", said)
    assert 0 < int(step[1]) < ensembles()[0].max_steps


def test_networks_are_bit_for_bit_those_of_undisturbed_trainings(struck, shared_study):
    data = read_dataset(shared_study.path / "results/datasets/digits.h5")
    for one in ensembles():
        folder = shared_study.path / f"results/ensembles/{one.name}/seeds-1-1"
        assert {path.name for path in folder.iterdir()} - {"measures"} == {
            "networks.safetensors",
            "training.csv",
        }
        trained = read_networks(folder / "networks.safetensors").networks[-1]
        whole = train_ensemble(experiment_data(data, one), one, [1], device="cpu")
        for name, tensor in whole.kept.networks[-1].tensors.items():
            assert torch.equal(tensor, trained.tensors[name])


def test_a_job_with_too_little_memory_is_ended_and_given_more(struck):
    ensemble = ensembles()[0].name
    jobs = struck.jobs(ensemble, "measure_networks")
    assert [struck.states[job][-1] for job in jobs] == ["OUT_OF_MEMORY", "COMPLETED"]


def test_failing_submissions_are_told_once_and_tried_again(struck):
    sentence = f"Slurm: sbatch fails for now and is tried again: {REFUSED}"
    assert struck.said.count(sentence) == 1
    assert struck.said.count("SLURM sbatch failed") == 0


def test_jobs_outlive_a_restart_of_the_controller(struck, cluster):
    """It was stopped while jobs were submitted and ran: nothing was submitted twice for that."""
    assert len(list((cluster.folder / "log").glob("slurmctld.log"))) == 1
    submitted = struck.said.count("has been submitted with SLURM jobid")
    assert submitted == 1 + 5 + 4 + 2

"""Jobs that ask for a GPU have one each; the others have none."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from estimate import Estimate, told_gpus
from gpus import own_gpu, visible_gpus, wanted_gpus
from planning import read_study
from rates import CORE
from schema import settings_of

LAUNCH = Path(__file__).parents[2] / "workflow/launch.py"
SCRIPT = """
import os, sys
print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""


def estimate_of(name, gpus=0, cluster=False, device="auto", **limits):
    study = read_study(yaml.safe_load(Path(f"config/{name}.yaml").read_text()))
    limits = settings_of("limits") | limits
    study = dataclasses.replace(study, limits=limits, device=device)
    return Estimate(study, CORE, gpus=gpus, cluster=cluster)


def asked(estimate, rule="train_ensemble"):
    job = {"ensemble": next(iter(estimate.study.ensembles)), "block": "seeds-1-8"}
    found = estimate.asked(rule, job, 1)
    return found.gpu, estimate.device(found)


@pytest.mark.parametrize(
    ("study", "settings", "expected"),
    [
        # Trainings of days, and of seconds.
        ("novak_small", {"gpus": 2}, (1, "auto")),
        ("novak_small", {}, (0, "auto")),
        ("novak_small", {"gpus": 2, "device": "cpu"}, (0, "cpu")),
        ("novak_small", {"cluster": True}, (0, "cpu")),
        ("smoke", {"gpus": 2}, (0, "cpu")),
        ("smoke", {"gpus": 2, "device": "cuda"}, (1, "cuda")),
        ("smoke", {"cluster": True, "device": "cuda"}, (1, "cuda")),
        ("smoke", {}, (0, "auto")),
    ],
    ids=str,
)
def test_jobs_ask_for_a_gpu_where_it_is_worth_it(study, settings, expected):
    assert asked(estimate_of(study, **settings)) == expected


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda"])
@pytest.mark.parametrize("where", [{}, {"gpus": 1}, {"cluster": True}, {"hours": 24}], ids=str)
def test_what_is_the_same_for_all_jobs_is_what_each_asks_for(where, device):
    estimate = estimate_of("novak_small", device=device, **where)
    (gpu, on), same = asked(estimate), estimate.same_for_all
    assert same.get("gpu", gpu) == gpu
    assert same.get("device", on) == on
    constant = device == "cpu" or (device == "auto" and "gpus" not in where)
    assert ("gpu" in same) == ("device" in same) == constant
    assert ("threads" in same) == ("hours" not in where)


def test_all_blocks_of_an_ensemble_are_trained_on_one_device():
    few = estimate_of("study", gpus=1)
    many = dataclasses.replace(few, study=dataclasses.replace(few.study, seeds=10**4), _jobs={})
    for ensemble in few.study.ensembles:
        assert not few.job("train_ensemble", ensemble, 1).profits
        assert all(many.job("train_ensemble", ensemble, size).profits for size in (1, 10**4))


def test_every_job_with_a_device_asks_for_it():
    for rule, _, _, found in estimate_of("smoke", device="cuda").jobs():
        assert found.gpu == (rule != "prepare_dataset")


def test_it_is_told_which_jobs_have_a_gpu():
    jobs = len(list(estimate_of("smoke").jobs()))
    assert told_gpus(estimate_of("smoke", gpus=2)) == (
        f"device: auto found 2 GPUs: jobs have one each, the 0 of {jobs} that it makes 4 times as "
        "fast."
    )
    assert told_gpus(estimate_of("smoke", gpus=1, device="cuda")) == (
        "device: cuda found 1 GPU: jobs have one each, all."
    )


def test_gpus_are_those_that_a_process_may_see(tmp_path):
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "sda"):
        (tmp_path / name).touch()
    assert visible_gpus({}, str(tmp_path)) == ["0", "1"]
    for named, seen in {"": [], "1": ["1"], "3, GPU-a,-1,0": ["3", "GPU-a"], "-1": []}.items():
        assert visible_gpus({"CUDA_VISIBLE_DEVICES": named}, tmp_path) == seen


def test_only_scripts_that_ask_for_any_gpu_take_one():
    for device, wanted in {"auto": True, "cuda": True, "cpu": False, "cuda:1": False}.items():
        assert wanted_gpus(["script.py", "--device", device, "--threads", "1"]) == wanted
    assert not wanted_gpus(["script.py"])


def test_a_gpu_is_free_again_when_its_job_has_ended(tmp_path, capsys):
    gpu, lock = own_gpu(["4", "7"], str(tmp_path))
    other, _other_lock = own_gpu(["4", "7"], str(tmp_path))
    assert (gpu, other) == ("4", "7") and os.get_inheritable(lock)
    os.close(lock)
    assert own_gpu(["4", "7"], str(tmp_path))[0] == "4"
    assert capsys.readouterr().err == ""


def test_jobs_on_one_machine_get_different_gpus(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, LAUNCH, "script.py", "--device", "auto"]
    # In a job of a cluster no server is started, which these tests would have to end.
    about = {"CUDA_VISIBLE_DEVICES": "3,5", "XDG_RUNTIME_DIR": str(tmp_path), "SLURM_JOB_ID": "9"}
    jobs = []
    try:
        for _ in range(2):
            streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
            jobs.append(
                subprocess.Popen(
                    command, cwd=tmp_path, env=os.environ | about, text=True, **streams
                )
            )
        assert {job.stdout.readline().strip() for job in jobs} == {"3", "5"}
        third = subprocess.Popen(
            command, cwd=tmp_path, env=os.environ | about, text=True, **streams
        )
        jobs.append(third)
        assert third.stderr.readline() == "Waiting for a GPU: other jobs have 3, 5.\n"
        jobs[0].communicate()
        assert third.stdout.readline().strip() in {"3", "5"}
    finally:
        for job in jobs:
            if job.poll() is None:
                job.communicate()

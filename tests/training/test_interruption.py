"""A live training that is sent SIGTERM brings its work to a safe place and ends."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles.blobs import blobs

from generalization.datasets.dataset import read_dataset
from generalization.datasets.dataset_file import write_dataset
from generalization.datasets.experiment_data import experiment_data
from generalization.hyperparameters import Hyperparameters
from generalization.networks.networks_file import read_networks
from generalization.networks.tensor_file import read_tensors
from generalization.training import train_ensemble
from generalization.training.interruption import noticed_sigterm

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/train_ensemble.py"
LAUNCH = ROOT / "workflow/launch.py"
LONG = Hyperparameters(
    dataset="blobs", width=20, max_steps=8000, stop_at_accuracy=None, batch_size=5
)


@pytest.fixture
def dataset(tmp_path):
    data, arrays = blobs(), {}
    for part in ("train", "test"):
        inputs, labels = getattr(data, f"{part}_inputs"), getattr(data, f"{part}_labels")
        arrays |= {f"{part}/inputs": inputs.numpy(), f"{part}/labels": labels.numpy()}
        for name in ("pixel_means", "pixel_deviations"):
            arrays[f"{part}/{name}"] = np.zeros(len(labels))
    write_dataset(
        tmp_path / "blobs.h5", arrays, name="blobs", classes=3, normalization="", source=""
    )
    return tmp_path / "blobs.h5"


@pytest.fixture
def runtime():
    """A folder with a path as short as the sockets of the launcher need it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield folder


def start(launch, dataset, folder, runtime):
    words = ["--dataset", dataset, "--hyperparameters", json.dumps(LONG.as_dict())]
    words += ["--seeds", "seeds-1-3", "--networks", folder / "networks.safetensors"]
    words += ["--training", folder / "training.csv", "--device", "cpu"]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SLURM")}
    return subprocess.Popen(
        [sys.executable, *launch, SCRIPT, *words],
        env=kept | {"XDG_RUNTIME_DIR": runtime, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )


def notices_sigterm(mark):
    """Whether a process with this mark in its command handles SIGTERM."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (process / "cmdline").read_text(errors="replace"):
                caught = re.search(r"^SigCgt:\s*(\w+)", (process / "status").read_text(), re.M)
                if int(caught[1], 16) >> (signal.SIGTERM - 1) & 1:
                    return True
    return False


@pytest.mark.parametrize("launch", [(), (LAUNCH,)], ids=["run", "launched"])
def test_at_sigterm_training_writes_its_checkpoint_and_goes_on_later(
    launch, dataset, runtime, tmp_path
):
    process = start(launch, dataset, tmp_path, runtime)
    # A script that was launched is a fork, which bears the name of its server.
    mark = f"launch_server.py\0{runtime}" if launch else f"{tmp_path}/networks"
    while not notices_sigterm(mark):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    time.sleep(0.05)
    process.terminate()
    said = process.communicate(timeout=60)[1]
    checkpoint = tmp_path / "checkpoint-by-hand.safetensors"
    step = read_tensors(checkpoint)[0]["step"]
    assert 0 < step < LONG.max_steps
    assert process.returncode == 1
    assert said.splitlines()[-1] == (
        f"Interrupted: the training of {LONG.name} was told to end at step {step}, and goes on "
        "from there when it is started again."
    )
    assert not (tmp_path / "networks.safetensors").exists()

    process = start(launch, dataset, tmp_path, runtime)
    assert process.wait() == 0
    assert not checkpoint.exists()
    trained = read_networks(tmp_path / "networks.safetensors")
    whole = train_ensemble(
        experiment_data(read_dataset(dataset), LONG), LONG, (1, 2, 3), device="cpu"
    )
    for ours, theirs in zip(trained.networks, whole.kept.networks, strict=True):
        for name, tensor in ours.tensors.items():
            assert torch.equal(tensor, theirs.tensors[name])


def test_without_a_checkpoint_training_does_not_end_early():
    hyperparameters = replace(LONG, max_steps=3)
    trained = train_ensemble(blobs(), hyperparameters, [1], told_to_end=lambda: True)
    assert trained.kept.steps[-1] == (3,)


def test_told_after_its_last_step_training_ends_as_always(tmp_path):
    """What is left is to write the results."""
    trained = train_ensemble(
        blobs(),
        replace(LONG, max_steps=1),
        [1],
        checkpoint=tmp_path / "checkpoint",
        told_to_end=lambda: True,
    )
    assert trained.kept.statuses == ("stopped",)
    assert list(tmp_path.iterdir()) == []


def test_sigterm_is_noticed_only_within():
    before = signal.getsignal(signal.SIGTERM)
    with noticed_sigterm() as told_to_end:
        assert not told_to_end()
        os.kill(os.getpid(), signal.SIGTERM)
        assert told_to_end()
    assert signal.getsignal(signal.SIGTERM) == before

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from oracles.blobs import blobs
from safetensors import safe_open

from generalization.devices import origin
from generalization.errors import InputError
from generalization.hyperparameters import Hyperparameters
from generalization.training import train_ensemble
from generalization.training.checkpoint import checkpoint_beside
from generalization.training.optimizers import FirstOrder

SEEDS = (1, 2, 3, 4, 5)
OPTIMIZERS = {"sgd": 0.1, "momentum": 0.05, "adam": 0.01, "rmsprop": 0.01, "lbfgs": 1.0}


def settings(**changes):
    return Hyperparameters(
        **{
            "dataset": "blobs",
            "width": 9,
            "batch_size": 16,
            "max_steps": 40,
            "stop_at_accuracy": 1.0,
            "kept_steps": (0, 8, 16),
        }
        | changes
    )


class Killed(Exception):
    """Stands for a kill at a step of our choice."""


def train_until(steps, hyperparameters, checkpoint, **settings):
    """Train with a checkpoint after every step, and be killed after so many steps."""
    calls = 0

    def report(done, share):
        nonlocal calls
        calls += 1
        if calls == steps:
            raise Killed

    with pytest.raises(Killed):
        train_ensemble(
            blobs(noise=1.5),
            hyperparameters,
            SEEDS,
            checkpoint=checkpoint,
            checkpoint_seconds=0.0,
            report=report,
            **settings,
        )


def assert_same_bits(one, other):
    assert one.kept.steps == other.kept.steps
    assert one.kept.statuses == other.kept.statuses
    for ours, theirs in zip(one.kept.networks, other.kept.networks, strict=True):
        for name, tensor in ours.tensors.items():
            assert torch.equal(tensor, theirs.tensors[name])
    assert repr(one.training) == repr(other.training)


@pytest.fixture(autouse=True)
def _report_every_step(monkeypatch):
    monkeypatch.setattr("generalization.training.ensemble.REPORT_SECONDS", 0.0)


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_killed_within_an_epoch_training_ends_with_the_same_bits(optimizer, biases, tmp_path):
    hyperparameters = settings(
        optimizer=optimizer, learning_rate=OPTIMIZERS[optimizer], biases=biases
    )
    checkpoint, data = tmp_path / "checkpoint.safetensors", blobs(noise=1.5)
    whole = train_ensemble(data, hyperparameters, SEEDS)
    train_until(7, hyperparameters, checkpoint)
    resumed = train_ensemble(data, hyperparameters, SEEDS, checkpoint=checkpoint)
    assert_same_bits(resumed, whole)


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": "convolutional", "optimizer": "adam", "learning_rate": 0.01},
        {"architecture": "all_convolutional", "dropout": 0.2, "pooling": "max"},
        {"architecture": "vgg", "normalization": "batch", "augmentation": "translate_flip"},
        {"architecture": "convolutional", "optimizer": "lbfgs"},
    ],
    ids=str,
)
def test_convolutional_training_resumes_to_the_same_bits(changes, tmp_path):
    hyperparameters = settings(**changes)
    checkpoint, data = tmp_path / "checkpoint.safetensors", blobs(noise=1.5)
    whole = train_ensemble(data, hyperparameters, SEEDS)
    train_until(7, hyperparameters, checkpoint)
    resumed = train_ensemble(data, hyperparameters, SEEDS, checkpoint=checkpoint)
    assert_same_bits(resumed, whole)


@pytest.mark.parametrize(
    "changes",
    [
        {"augmentation": "translate_flip"},
        {"stop_at_accuracy": None, "stop_at_loss": 0.3, "loss": "squared"},
        {"stop_at_accuracy": 0.3, "stop_epochs": 4},
        {"decay_epochs": 1},
        {"schedule": "cosine", "warmup_steps": 9},
        {"schedule": "exponential", "decay_epochs": 1, "decay_factor": 0.5},
        {"kept_steps": "powers_of_two", "activation": "hardsigmoid"},
        {"kept_steps": "every_epoch", "initialization": "uniform", "biases": True},
        {"weight_decay": 0.1, "optimizer": "adam"},
        {"normalization": "batch", "biases": True},
        {"dropout": 0.3},
        {"normalization": "batch", "dropout": 0.3, "weight_decay": 0.1, "optimizer": "sgd"},
    ],
    ids=str,
)
def test_same_bits_for_other_choices_too(changes, tmp_path):
    hyperparameters, data = settings(**changes), blobs(noise=1.5)
    checkpoint = tmp_path / "checkpoint.safetensors"
    whole = train_ensemble(data, hyperparameters, SEEDS)
    train_until(7, hyperparameters, checkpoint)
    assert_same_bits(train_ensemble(data, hyperparameters, SEEDS, checkpoint=checkpoint), whole)


def test_killed_again_and_again_training_ends_with_the_same_bits(tmp_path):
    checkpoint, data = tmp_path / "c", blobs(noise=1.5)
    hyperparameters = settings(learning_rate=0.05, max_steps=200)
    whole = train_ensemble(data, hyperparameters, SEEDS, stack_size=2)
    assert len(set(whole.kept.steps[-1])) > 1, "or no stack gets smaller on the way"
    for steps in (1, 3, 5, 11, 13, 17, 29):
        train_until(steps, hyperparameters, checkpoint, stack_size=2)
    resumed = train_ensemble(data, hyperparameters, SEEDS, checkpoint=checkpoint, stack_size=2)
    assert_same_bits(resumed, whole)


LONG = Hyperparameters(dataset="blobs", max_steps=2000, stop_at_accuracy=None, batch_size=16)

LONG_TRAINING = """
import json
import sys
from pathlib import Path
import torch
from oracles.blobs import blobs
from generalization.hyperparameters import Hyperparameters
from generalization.training import train_ensemble

torch.set_num_threads(1)
hyperparameters = Hyperparameters(**json.loads(sys.argv[2]))
train_ensemble(
    blobs(), hyperparameters, (1, 2, 3), checkpoint=Path(sys.argv[1]), checkpoint_seconds=0.0
)
"""


def test_sigkill_at_any_moment(tmp_path):
    checkpoint, tests = tmp_path / "checkpoint.safetensors", Path(__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, "-c", LONG_TRAINING, str(checkpoint), json.dumps(LONG.as_dict())],
        env=os.environ | {"PYTHONPATH": f"{tests}:{tests.parent}"},
    )
    while process.poll() is None and not checkpoint.exists():
        time.sleep(0.01)
    time.sleep(0.1)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    with safe_open(checkpoint, framework="pt") as file:
        assert 0 < json.loads(file.metadata()["description"])["step"] < LONG.max_steps
    resumed = train_ensemble(blobs(), LONG, (1, 2, 3), checkpoint=checkpoint)
    assert_same_bits(resumed, train_ensemble(blobs(), LONG, (1, 2, 3)))


def test_a_checkpoint_is_one_readable_file(tmp_path):
    hyperparameters = settings()
    train_until(5, hyperparameters, tmp_path / "checkpoint.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    with safe_open(tmp_path / "checkpoint.safetensors", framework="pt") as file:
        assert list(file.metadata()) == ["description"]
        metadata = json.loads(file.metadata()["description"])
        assert file.get_tensor("networks.layers.0.weight").shape == (5, 9, 16)
        assert file.get_tensor("kept.layers.0.weight").shape == (4, 5, 9, 16)
    assert metadata["ensemble"] == hyperparameters.name
    assert metadata["seeds"] == [1, 2, 3, 4, 5]
    assert metadata["step"] == 5


def test_no_checkpoint_is_written_before_its_time(tmp_path):
    train_ensemble(blobs(), settings(), SEEDS, checkpoint=tmp_path / "c", checkpoint_seconds=1e6)
    assert list(tmp_path.iterdir()) == []


def test_checkpoints_take_at_most_one_twentieth_of_the_time(tmp_path, monkeypatch):
    now, written = [0.0], []

    def write(*_):
        written.append(now[0])
        now[0] += 3.0

    def step(self, *arguments, **settings):
        now[0] += 1.0
        return stepped(self, *arguments, **settings)

    stepped = FirstOrder.step
    monkeypatch.setattr(FirstOrder, "step", step)
    monkeypatch.setattr("generalization.training.ensemble.write_checkpoint", write)
    monkeypatch.setattr("generalization.training.ensemble.time.monotonic", lambda: now[0])
    hyperparameters = settings(max_steps=200, stop_at_accuracy=None)
    checkpoint = tmp_path / "c"
    train_ensemble(blobs(), hyperparameters, [1], checkpoint=checkpoint, checkpoint_seconds=10.0)
    assert written == [10.0, 70.0, 130.0, 190.0]


def test_a_checkpoint_of_another_device_is_not_resumed_in_silence(tmp_path, monkeypatch, caplog):
    checkpoint, hyperparameters = tmp_path / "c", settings()
    train_until(5, hyperparameters, checkpoint)
    here = {"device": "NVIDIA H200", "driver": "580.65", "torch": torch.__version__}
    before = origin(torch.device("cpu"))["device"]
    monkeypatch.setattr("generalization.training.stacks.origin", lambda _: here)
    resumed = train_ensemble(blobs(noise=1.5), hyperparameters, SEEDS, checkpoint=checkpoint)
    assert caplog.messages == [
        f"{hyperparameters.name} was begun on {before}, torch {torch.__version__} and goes on on "
        f"NVIDIA H200 with driver 580.65, torch {torch.__version__}: its networks are not bit for "
        "bit those of one of them alone."
    ]
    assert resumed.kept.made_on["device"] == f"{before}, then NVIDIA H200"


def test_a_checkpoint_of_another_ensemble_is_refused(tmp_path):
    checkpoint, other = tmp_path / "c", settings(learning_rate=0.02)
    train_until(3, settings(), checkpoint)
    sentence = (
        f"checkpoint must be of {other.name} with seeds [1, 2, 3, 4, 5], but '{checkpoint}' is of "
        f"{settings().name} with seeds [1, 2, 3, 4, 5]."
    )
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        train_ensemble(blobs(), other, SEEDS, checkpoint=checkpoint)


def test_a_checkpoint_of_other_seeds_is_refused(tmp_path):
    checkpoint = tmp_path / "c"
    train_until(3, settings(), checkpoint)
    sentence = (
        f"checkpoint must be of {settings().name} with seeds [1, 2], but '{checkpoint}' is of "
        f"{settings().name} with seeds [1, 2, 3, 4, 5]."
    )
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        train_ensemble(blobs(), settings(), [1, 2], checkpoint=checkpoint)


@pytest.mark.parametrize("damage", ["cut", "text", "foreign"])
def test_a_damaged_checkpoint_is_refused(damage, tmp_path):
    checkpoint = tmp_path / "c"
    train_until(3, settings(), checkpoint)
    if damage == "cut":
        checkpoint.write_bytes(checkpoint.read_bytes()[:-10])
    elif damage == "text":
        checkpoint.write_text("This is not a checkpoint.")
    else:
        content = checkpoint.read_bytes().replace(rb"\"ensemble\"", rb"\"assembly\"")
        checkpoint.write_bytes(content)
    beginning = f"checkpoint must be a whole file of this project, not '{checkpoint}' ("
    end = "); without it training begins anew."
    with pytest.raises(InputError, match=f"^{re.escape(beginning)}.*{re.escape(end)}$"):
        train_ensemble(blobs(), settings(), SEEDS, checkpoint=checkpoint)


def test_checkpoints_are_removed_when_the_results_are_written(tmp_path):
    networks, older = tmp_path / "networks.safetensors", tmp_path / "checkpoint-old.safetensors"
    for path in (networks, older):
        path.touch()
    with checkpoint_beside(networks, "new") as checkpoint:
        assert checkpoint == tmp_path / "checkpoint-new.safetensors"
        checkpoint.touch()
    assert list(tmp_path.iterdir()) == [networks]


def test_a_checkpoint_stays_if_training_is_killed(tmp_path):
    with (
        pytest.raises(Killed),
        checkpoint_beside(tmp_path / "networks.safetensors", "code") as checkpoint,
    ):
        checkpoint.touch()
        raise Killed
    assert checkpoint.exists()

"""Training on a GPU, pretended: what it refuses, and the memory that it takes."""

import logging
import re
from pathlib import Path

import pytest
import torch
from oracles.blobs import blobs
from oracles.pretended_gpu import pretended_gpu

from generalization.errors import InputError
from generalization.hyperparameters import Hyperparameters
from generalization.training import train_ensemble
from generalization.training.optimizers import copies_of_weights
from generalization.training.sizes import bytes_of_training

SEEDS = (1, 2, 3, 4)
RATES = {"sgd": 0.1, "momentum": 0.05, "adam": 0.01, "rmsprop": 0.01, "lbfgs": 1.0}


def settings(**changes):
    plain = {"dataset": "blobs", "batch_size": 16, "max_steps": 12}
    if ":" not in changes.get("architecture", ""):
        plain["width"] = 9
    return Hyperparameters(**plain | {"kept_steps": (0, 4), "stop_at_accuracy": None} | changes)


def trained(hyperparameters, seeds=SEEDS, memory=2**40, device="cuda", **chosen):
    with pretended_gpu(memory) as gpu:
        found = train_ensemble(blobs(noise=1.5), hyperparameters, seeds, device=device, **chosen)
    return found, gpu


def tensors(trained):
    return [tensor for stack in trained.kept.networks for tensor in stack.tensors.values()]


def assert_same_bits(one, other):
    assert one.kept.steps == other.kept.steps
    for ours, theirs in zip(tensors(one), tensors(other), strict=True):
        assert torch.equal(ours, theirs)
    assert repr(one.training) == repr(other.training)


CHOICES = [
    *({"optimizer": name, "learning_rate": rate} for name, rate in RATES.items()),
    {"normalization": "batch", "biases": True, "weight_decay": 0.1},
    {"dropout": 0.3, "augmentation": "translate_flip", "loss": "squared"},
    {"stop_at_loss": 0.3, "schedule": "cosine", "warmup_steps": 3},
    *(
        {"architecture": "convolutional", "optimizer": name, "learning_rate": rate, "max_steps": 4}
        for name, rate in RATES.items()
    ),
    {"architecture": "all_convolutional", "dropout": 0.2, "pooling": "max", "max_steps": 4},
    {"architecture": "vgg", "normalization": "batch", "max_steps": 4},
    *({"architecture": f"foreign_modules:{kind}"} for kind in ("linear", "residual", "tied")),
]


@pytest.fixture(autouse=True)
def users_folder(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)


@pytest.mark.parametrize("changes", CHOICES, ids=str)
def test_every_training_runs_on_a_gpu(changes):
    hyperparameters = settings(**changes)
    found, gpu = trained(hyperparameters, seeds=(1, 2))
    assert gpu.peak > 0 and gpu.used() == 0
    expected, _ = trained(hyperparameters, seeds=(1, 2), device="cpu", stack_size=2)
    assert_same_bits(found, expected)
    assert found.kept.made_on["device"] == "Pretended GPU"


WIDE = {"width": 64, "max_steps": 12, "batch_size": 8, "stop_at_loss": 0.5, "kept_steps": ()}


def bytes_of_one(hyperparameters):
    widths = (16, *[hyperparameters.width] * (hyperparameters.depth - 1), 3)
    copies = copies_of_weights(hyperparameters.optimizer)
    return bytes_of_training(widths, hyperparameters, copies)


@pytest.mark.parametrize("optimizer", [name for name in RATES if name != "lbfgs"])
def test_a_stack_takes_no_more_than_is_counted_when_networks_leave_it(optimizer):
    hyperparameters = settings(**WIDE, optimizer=optimizer, learning_rate=RATES[optimizer])
    found, gpu = trained(hyperparameters)
    assert found.kept.made_on["stack_size"] == len(SEEDS)
    data = blobs(noise=1.5)
    held = sum(one.nbytes for one in vars(data).values() if torch.is_tensor(one))
    assert gpu.peak < held + len(SEEDS) * bytes_of_one(hyperparameters)


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_networks_train_in_stacks_that_fit_with_the_same_bits(optimizer):
    hyperparameters = settings(**WIDE, optimizer=optimizer, learning_rate=RATES[optimizer])
    whole, _ = trained(hyperparameters)
    memory = 1 << (3 * bytes_of_one(hyperparameters)).bit_length() - 1
    bounded, gpu = trained(hyperparameters, memory=memory)
    assert 1 <= bounded.kept.made_on["stack_size"] < len(SEEDS)
    assert gpu.peak <= memory
    assert_same_bits(bounded, whole)


def test_a_setting_bounds_the_memory(monkeypatch):
    hyperparameters = settings(**WIDE)
    monkeypatch.setenv("GENERALIZATION_GPU_GB", str(3 * bytes_of_one(hyperparameters) / 1e9))
    found, _ = trained(hyperparameters)
    assert 1 <= found.kept.made_on["stack_size"] < len(SEEDS)
    monkeypatch.setenv("GENERALIZATION_GPU_GB", "all")
    sentence = "GENERALIZATION_GPU_GB must be a positive number, not 'all'."
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        trained(hyperparameters)


def test_out_of_memory_stacks_are_halved_and_it_is_told(caplog):
    hyperparameters = settings(**WIDE)
    whole, before = trained(hyperparameters)
    with pretended_gpu() as gpu, caplog.at_level(logging.WARNING):
        gpu.runs_out = 3 * before.peak // 4
        halved = train_ensemble(blobs(noise=1.5), hyperparameters, SEEDS, device="cuda")
    assert halved.kept.made_on["stack_size"] == 2
    assert_same_bits(halved, whole)
    (told,) = caplog.messages
    assert told.startswith(
        f"{hyperparameters.name}: 4 networks at once need more memory than the GPU has; they go "
        "on by 2. CUDA out of memory."
    )


def test_out_of_memory_after_a_checkpoint_both_halves_go_on_from_there(tmp_path, monkeypatch):
    monkeypatch.setattr("generalization.training.ensemble.REPORT_SECONDS", 0.0)
    hyperparameters, checkpoint = settings(**WIDE | {"stop_at_loss": None}), tmp_path / "c"
    whole, _ = trained(hyperparameters)
    steps = []

    def report(done, share):
        steps.append(share)
        if len(steps) == 6:
            gpu.runs_out = gpu.used()

    with pretended_gpu() as gpu:
        halved = train_ensemble(
            blobs(noise=1.5),
            hyperparameters,
            SEEDS,
            device="cuda",
            checkpoint=checkpoint,
            checkpoint_seconds=0.0,
            report=report,
        )
    assert_same_bits(halved, whole)
    assert len(steps) == 6 + 2 * (hyperparameters.max_steps - 6)


def test_one_network_that_does_not_fit_is_refused_in_a_sentence():
    hyperparameters = settings(**WIDE)
    sentence = (
        f"{hyperparameters.name} must have networks of which one fits the memory of the GPU, but "
        "it does not (CUDA out of memory.); device: cpu would do."
    )
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        trained(hyperparameters, memory=2**16)

import math

import pytest
import torch
from oracles.blobs import blobs
from oracles.slow_trainer import network_of, train_slowly

from generalization.hyperparameters import Hyperparameters
from generalization.training import architecture_for, initial_networks, train_ensemble

SEEDS = (5, 2, 9)
STEPS = 12
OPTIMIZERS = {"sgd": 0.1, "momentum": 0.05, "adam": 0.01, "rmsprop": 0.01, "lbfgs": 0.1}
CNN = {"architecture": "convolutional", "depth": 4, "width": 60}
ALL = {"architecture": "all_convolutional", "depth": 4, "width": 4}
WIDENING = {"architecture": "widening_convolutional", "depth": 4, "width": 2}
VGG = {"architecture": "vgg", "depth": 4, "width": 2}
ARCHITECTURES = {kind["architecture"]: kind for kind in (CNN, ALL, WIDENING, VGG)}


def images(**changes):
    return blobs(**{"channels": 2, "height": 9, "width": 8, "train": 40, "noise": 2.0} | changes)


def settings(**changes):
    """Small networks that train for all of a few steps, every one of which is kept."""
    defaults = {
        "dataset": "blobs",
        "batch_size": 16,
        "max_steps": STEPS,
        "stop_at_accuracy": None,
        "kept_steps": tuple(range(STEPS)),
    }
    return Hyperparameters(**defaults | changes)


def course_of(kept, position):
    return [[t[position] for t in networks.tensors.values()] for networks in kept.networks]


def assert_same_course(one, other, **tolerances):
    for step, (ours, theirs) in enumerate(zip(one, other, strict=True)):
        for parameter, expected in zip(ours, theirs, strict=True):
            torch.testing.assert_close(
                parameter, expected, **tolerances, msg=lambda text, step=step: f"{step}: {text}"
            )


@pytest.mark.parametrize(
    "changes",
    [
        *(CNN | {"optimizer": name, "learning_rate": rate} for name, rate in OPTIMIZERS.items()),
        CNN | {"pooling": "max", "biases": True},
        CNN | {"pooling": "max", "activation": "relu6", "normalization": "batch"},
        CNN | {"activation": "hardtanh", "augmentation": "translate_flip"},
        ALL | {"pooling": "max", "normalization": "batch", "optimizer": "adam"},
        ALL | {"dropout": 0.3, "biases": True, "weight_decay": 0.1},
        ALL | {"activation": "tanh", "pooling": "average", "loss": "squared"},
        VGG | {"normalization": "batch", "weight_decay": 0.1, "dropout": 0.5},
        VGG | {"pooling": "max", "dropout": 0.5, "optimizer": "adam"},
        VGG | {"activation": "hardsigmoid", "initialization": "uniform", "biases": True},
        VGG | {"pooling": "average", "initialization": "standard_normal", "init_scale": 0.2},
    ],
    ids=str,
)
def test_every_step_is_that_of_the_slow_trainer(changes):
    hyperparameters, data = settings(**changes), images()
    kept = train_ensemble(data, hyperparameters, SEEDS).kept
    steps = 6 if hyperparameters.optimizer == "lbfgs" else STEPS
    for position, seed in enumerate(SEEDS):
        initial = initial_networks(architecture_for(data, hyperparameters), hyperparameters, [seed])
        slow = train_slowly(data, hyperparameters, seed, initial, steps)
        assert_same_course(course_of(kept, position)[: steps + 1], slow, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "changes", [CNN, VGG | {"normalization": "batch", "dropout": 0.2}], ids=str
)
def test_a_stack_trains_as_its_networks_alone(changes):
    hyperparameters = settings(stop_at_accuracy=0.9, max_steps=60, learning_rate=0.05, **changes)
    data = images(noise=1.0)
    together = train_ensemble(data, hyperparameters, SEEDS).kept
    assert len(set(together.steps[-1])) > 1, "or networks never leave the stack"
    for position, seed in enumerate(SEEDS):
        alone = train_ensemble(data, hyperparameters, [seed]).kept
        assert [step for (step,) in alone.steps] == [steps[position] for steps in together.steps]
        assert_same_course(course_of(together, position), course_of(alone, 0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["momentum", "lbfgs"])
def test_batches_too_large_for_memory_are_processed_in_parts(optimizer, monkeypatch):
    dropout = 0.3 if optimizer == "momentum" else 0.0
    hyperparameters = settings(optimizer=optimizer, max_steps=5, dropout=dropout, **CNN)
    whole = train_ensemble(images(), hyperparameters, [1]).kept
    for module in ("optimizers", "lbfgs"):
        monkeypatch.setattr(f"generalization.training.{module}.samples_per_backward", lambda _: 7)
    parts = train_ensemble(images(), hyperparameters, [1]).kept
    assert_same_course(course_of(parts, 0), course_of(whole, 0), rtol=1e-4, atol=1e-5)


def test_rows_are_evaluations_in_eval_mode():
    hyperparameters, data = settings(normalization="batch", dropout=0.5, **VGG), images()
    ensemble = train_ensemble(data, hyperparameters, SEEDS)
    for position, seed in enumerate(SEEDS):
        network = ensemble.kept.networks[-1][[position]]
        logits = network_of(network, hyperparameters).eval()(data.test_inputs).detach()
        (row,) = (r for r in ensemble.training if (r["seed"], r["step"]) == (seed, STEPS))
        loss = torch.nn.functional.cross_entropy(logits.double(), data.test_labels).item()
        assert row["test_loss"] == pytest.approx(loss, rel=1e-5)
        assert row["test_accuracy"] == (logits.argmax(1) == data.test_labels).double().mean()


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_divergence_is_a_status(kind):
    hyperparameters = settings(learning_rate=1e38, **ARCHITECTURES[kind])
    ensemble = train_ensemble(images(), hyperparameters, SEEDS)
    assert ensemble.kept.statuses == ("diverged",) * 3
    assert math.isnan(ensemble.training[-1]["train_accuracy"])

from itertools import pairwise
from unittest.mock import patch

import pytest
import torch
from oracles.blobs import blobs
from torch.utils.flop_counter import FlopCounterMode

from generalization.hyperparameters import (
    Hyperparameters,
    contradictions,
    freezing_steps,
    frozen_layers,
)
from generalization.networks.training_flops import layer_products, step_flops, training_flops
from generalization.training import architecture_for, initial_networks, train_ensemble
from generalization.training.batches import TrainingSet, batches_of_epoch
from generalization.training.gradients import new_backpropagation
from generalization.training.losses import LOSSES

SEEDS, STEPS = (5, 2), 20
FROZEN = {"freeze_layers": "bottom_up"}
KINDS = [
    {"depth": 4, "biases": True, "normalization": "batch", "weight_decay": 0.1},
    {"depth": 4, "optimizer": "adam"},
    {"depth": 4, "architecture": "convolutional", "normalization": "batch", "activation": "tanh"},
    {"depth": 4, "architecture": "vgg", "width": 2, "optimizer": "rmsprop", "dropout": 0.2},
]


def settings(**changes):
    defaults = {
        "dataset": "blobs",
        "width": 20,
        "batch_size": 16,
        "max_steps": STEPS,
        "stop_at_accuracy": None,
        "kept_steps": tuple(range(STEPS)),
    }
    return Hyperparameters(**defaults | changes)


def images():
    return blobs(height=9, width=8, train=40, noise=2.0)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_layers_learn_until_their_step_and_not_after(kind):
    kept = train_ensemble(images(), settings(**FROZEN, **kind), SEEDS).kept
    # Layers 1, 2 and 3 of 4 are frozen after 1/4, 2/4 and 3/4 of all steps, the last one never.
    ends = [5, 10, 15, STEPS]
    for name in kept.networks[0].tensors:
        end = ends[int(name.split(".")[1])]
        course = [networks.tensors[name] for networks in kept.networks]
        changes = [not torch.equal(*pair) for pair in pairwise(course)]
        assert changes[:end] == [True] * end, name
        assert changes[end:] == [False] * (STEPS - end), name


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_until_the_first_layer_is_frozen_training_has_the_bits_that_it_always_had(kind):
    with patch.object(Hyperparameters, "name", "one"):
        frozen = train_ensemble(images(), settings(**FROZEN, **kind), SEEDS).kept
        plain = train_ensemble(images(), settings(**kind), SEEDS).kept
    for step in range(STEPS + 1):
        names = plain.networks[step].tensors
        same = [torch.equal(*(k.networks[step].tensors[n] for k in (frozen, plain))) for n in names]
        assert all(same) == (step <= 5)


@pytest.mark.parametrize("frozen", range(4))
@pytest.mark.parametrize("kind", [{}, {"architecture": "vgg", "width": 2}], ids=str)
def test_no_gradient_is_computed_below_the_border(kind, frozen):
    one, data = settings(depth=4, **kind), images()
    networks = initial_networks(architecture_for(data, one), one, SEEDS[:1])
    source = TrainingSet.of(data, one, torch.device("cpu"))
    batch = next(batches_of_epoch(source, one, SEEDS[:1], 0))
    gradients = [torch.full_like(parameter, 7.0) for parameter in networks.parameters]
    backpropagation = new_backpropagation(networks, LOSSES["cross_entropy"])

    def flops(**border):
        with FlopCounterMode(display=False) as counter:
            backpropagation.accumulate(gradients, batch, memory=0.0, samples=16, **border)
        return counter.get_total_flops()

    found = flops(frozen=frozen)
    for layer, gradient in zip(networks.layers_of_parameters, gradients, strict=True):
        assert (gradient == 7).all() == (layer < frozen)
    products = layer_products(one, (1, 9, 8), 3)
    assert found == 16 * step_flops(products, frozen)
    # Neither the gradients of frozen weights, nor those of activations below the border.
    saved = sum(products[:frozen]) + sum(products[1 : frozen + 1])
    assert flops() - found == 2 * 16 * saved


@pytest.mark.parametrize("chosen", [{}, FROZEN, FROZEN | {"freeze_until": 0.4}], ids=str)
def test_flops_of_training_are_those_of_its_steps(chosen):
    one, products = Hyperparameters(dataset="digits", max_steps=50, **chosen), (7, 5, 3, 2)
    steps = freezing_steps(one, 4)
    total = 0
    for step in range(60):
        assert training_flops(one, products, step) == total
        total += one.batch_size * step_flops(products, frozen_layers(steps, step))


@pytest.mark.parametrize(
    ("chosen", "layers", "steps"),
    [
        ({}, 5, ()),
        (FROZEN, 5, (20, 40, 60, 80)),
        (FROZEN | {"freeze_until": 0.5}, 5, (10, 20, 30, 40)),
        (FROZEN | {"freeze_until": 0.0}, 3, (0, 0)),
        (FROZEN | {"freeze_until": 0.3}, 3, (10, 20)),
        (FROZEN, 7, (15, 29, 43, 58, 72, 86)),
        (FROZEN, 1, ()),
    ],
    ids=str,
)
def test_layers_are_frozen_at_equal_shares_of_training(chosen, layers, steps):
    assert (
        freezing_steps(Hyperparameters(dataset="digits", max_steps=100, **chosen), layers) == steps
    )
    for step in range(101):
        assert frozen_layers(steps, step) == sum(step >= one for one in steps)


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        (
            {"freeze_layers": "top_down"},
            "freeze_layers must be one of none, bottom_up, not 'top_down'.",
        ),
        (
            {"freeze_until": 0.5},
            "freeze_until must be 1.0 where freeze_layers is 'none', not 0.5.",
        ),
        (FROZEN | {"freeze_until": 1.5}, "freeze_until must be from 0 to 1, not 1.5."),
        (
            FROZEN | {"optimizer": "lbfgs"},
            "freeze_layers must be 'none' where optimizer is 'lbfgs', not 'bottom_up'.",
        ),
        (
            FROZEN | {"architecture": "my_networks:build"},
            "freeze_layers must be 'none' where architecture is 'my_networks:build', whose layers "
            "have no known order, not 'bottom_up'.",
        ),
    ],
    ids=str,
)
def test_impossible_freezing(chosen, sentence):
    assert list(contradictions(Hyperparameters(dataset="digits", **chosen), 100)) == [sentence]

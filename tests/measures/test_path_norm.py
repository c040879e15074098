from itertools import product

import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch import nn
from torch.func import jacrev
from torch.testing import assert_close

from generalization.errors import InputError
from generalization.measures.margins import margin_percentile, training_margin
from generalization.measures.path_norm import path_norm, path_norm_over_margin
from generalization.networks.sequences import sequence_of

WIDTHS = (5, 6, 4, 3)


def stack():
    return random_networks(WIDTHS, count=2, biases=True)


def test_path_norm_is_the_sum_over_all_paths():
    values = path_norm(stack(), torch.zeros(1, 5))
    for member in (0, 1):
        first, second, third = (weight[member] for weight in stack().weights)
        total = sum(
            (first[i, x] * second[j, i] * third[k, j]).item() ** 2
            for x, i, j, k in product(*map(range, WIDTHS))
        )
        assert values[member].item() == pytest.approx(total**0.5, rel=1e-14)


def test_margin_is_computed_unless_it_is_known():
    networks = stack()
    inputs = torch.randn(50, 5, generator=torch.Generator().manual_seed(0)).double()
    labels = networks.logits(inputs)[0].argmax(1)
    gamma = margin_percentile(training_margin(networks, inputs, labels))[0]
    value = path_norm_over_margin(networks, inputs, labels)[0]
    assert_close(value, path_norm(networks, inputs)[0] / gamma)


@pytest.mark.parametrize("activation", ["relu", "tanh", "hardsigmoid"])
def test_path_norm_knows_no_activation_function(activation):
    networks = random_networks(WIDTHS, activation)
    value = path_norm(sequence_of(networks), torch.zeros(1, 1, 1, 5))
    assert_close(value, path_norm(networks, torch.zeros(1, 5)))


def test_path_norm_of_convolutions_is_that_of_their_matrices():
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(2, 3, 3, padding=1, stride=2),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(12, 3),
    ]
    module, values = nn.Sequential(*layers).double(), torch.ones(1, 2, 8, 8).double()
    squared = torch.ones(128).double()
    for layer in layers:
        if not isinstance(layer, nn.ReLU):
            matrix = jacrev(layer)(values).reshape(-1, values.numel())
            squared, values = matrix.square() @ squared, layer(values)
    value = path_norm(module, torch.zeros(1, 2, 8, 8))
    assert value.item() == pytest.approx(squared.sum().sqrt().item(), rel=1e-12)


def test_path_norm_of_another_layer_is_refused():
    module = nn.Sequential(nn.Linear(5, 3), nn.LayerNorm(3))
    sentence = (
        r"^path_norm: networks must be sequences of linear layers, convolutions, poolings and "
        r"activation functions for a path norm, not with LayerNorm\.$"
    )
    with pytest.raises(InputError, match=sentence):
        path_norm(module, torch.zeros(1, 5))

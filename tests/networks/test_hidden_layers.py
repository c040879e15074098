import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch import nn
from torch.testing import assert_close

from generalization.networks.batch_normalization import BatchNormalization
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.hidden_layers import hidden_activations, members_of
from generalization.networks.sequences import sequence_of


def points(count, features):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, features, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("activation", ["relu", "relu6", "tanh", "hardtanh"])
def test_stack_and_its_modules_have_the_same(activation):
    networks = random_networks((9, 7, 8, 4), activation, count=2, biases=True)
    inputs = points(5, 9)
    layers = hidden_activations(networks, inputs)
    assert [layer.shape for layer in layers] == [(2, 5, 7), (2, 5, 8)]
    for member, network in enumerate(networks):
        for layer, of_module in zip(
            layers, hidden_activations(sequence_of(network), inputs), strict=True
        ):
            assert_close(layer[member], of_module[0])


def test_definition():
    networks, inputs = random_networks((9, 7, 8, 4)), points(5, 9)
    first = (inputs @ networks.weights[0][0].T).relu()
    second = (first @ networks.weights[1][0].T).relu()
    assert_close(hidden_activations(networks, inputs), [first[None], second[None]])


def test_normalizations_take_part():
    networks, inputs = random_networks((9, 7, 4)), points(5, 9)
    parts = (torch.full((1, 7), value).double() for value in (2.0, 1.0, 0.5, 4.0))
    normalized = FullyConnectedNetworks(
        networks.weights, "relu", normalizations=(BatchNormalization(*parts),)
    )
    plain, layer = (hidden_activations(one, inputs)[0] for one in (normalized.folded(), normalized))
    assert_close(layer, plain)


def test_convolutions_are_flattened_in_eval_mode_and_left_as_they_were():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Dropout(), nn.MaxPool2d(2)),
        nn.Flatten(),
        nn.Linear(12, 5),
        nn.Tanh(),
        nn.Linear(5, 4),
    )
    layers = hidden_activations(module, torch.randn(2, 1, 6, 6))
    assert [layer.shape for layer in layers] == [(1, 2, 48), (1, 2, 5)]
    assert module.training
    assert all(not layer.requires_grad for layer in layers)


def test_a_module_is_one_network():
    module = nn.Linear(2, 2)
    assert list(members_of(module)) == [module]

import pytest
import torch
from oracles.made_up import kept
from oracles.softmax_jacobian import random_networks
from torch import nn
from torch.testing import assert_close

from generalization.networks.batch_normalization import BatchNormalization
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.hidden_layers import (
    hidden_activations,
    layer_maps,
    network_modules,
    unit_activations,
)
from generalization.networks.sequences import sequence_of


def points(count, features):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, features, generator=generator, dtype=torch.float64)


def inputs(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


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


def test_convolutions_keep_positions_in_eval_mode_and_left_as_they_were():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Dropout(), nn.MaxPool2d(2)),
        nn.Flatten(),
        nn.Linear(12, 5),
        nn.Tanh(),
        nn.Linear(5, 4),
    )
    layers = hidden_activations(module, torch.randn(2, 1, 6, 6))
    assert [layer.shape for layer in layers] == [(1, 2, 3, 4, 4), (1, 2, 5)]
    assert module.training
    assert all(not layer.requires_grad for layer in layers)


def test_a_module_is_one_network():
    module = nn.Linear(2, 2)
    assert list(network_modules(module)) == [module]


@pytest.mark.parametrize("activation", ["relu", "tanh", "relu6"])
def test_activations_of_a_stack_are_those_of_its_sequences(activation):
    networks = random_networks((9, 7, 8, 4), activation, count=2, biases=True)
    found = unit_activations(networks, inputs(20, 9))
    alone = [unit_activations(sequence_of(network), inputs(20, 9)) for network in networks]
    for layer, of_networks in zip(found, zip(*alone, strict=True), strict=True):
        assert_close(layer, torch.cat(of_networks))


def test_activations_are_after_normalization():
    networks = kept(normalization="batch").networks[0].to(torch.float64)
    found = unit_activations(networks, inputs(20, 6))
    for layer, expected in zip(found, networks.preactivations(inputs(20, 6)), strict=False):
        assert_close(layer, networks.phi.function(expected))


def test_feature_maps_are_averaged_over_positions():
    network = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(48, 5), nn.ReLU()
    ).double()
    images = inputs(1500, 1, 6, 6)
    maps, hidden = unit_activations(network, images)
    with torch.no_grad():
        assert_close(maps[0], network[:2](images).mean((2, 3)))
        assert_close(hidden[0], network(images))


def test_pieces_are_the_network_in_order():
    network = nn.Sequential(
        nn.Sequential(nn.Linear(4, 5), nn.ReLU()), nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 2)
    ).double()
    pieces = layer_maps(network)
    assert [len(piece) for piece in pieces] == [2, 2, 1]
    assert_close(nn.Sequential(*pieces)(inputs(3, 4)), network(inputs(3, 4)))

import pytest
import torch
from oracles.made_up import kept
from oracles.softmax_jacobian import random_networks
from torch import nn
from torch.testing import assert_close

from generalization.networks.sequences import sequence_of
from generalization.networks.unit_layers import pieces_of, unit_activations


def inputs(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


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
    pieces = pieces_of(network)
    assert [len(piece) for piece in pieces] == [2, 2, 1]
    assert_close(nn.Sequential(*pieces)(inputs(3, 4)), network(inputs(3, 4)))

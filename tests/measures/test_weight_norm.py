import copy

import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks
from torch import nn

from generalization.measures.number_of_parameters import number_of_parameters
from generalization.measures.weight_norm import distance_from_initialization, weight_norm
from generalization.networks.fully_connected import FullyConnectedNetworks


def test_norm_of_all_layers_together_of_every_network():
    first = torch.tensor([[[1.0, 2.0]], [[0.0, 3.0]]])
    second = torch.tensor([[[2.0], [4.0]], [[0.0], [4.0]]])
    networks = FullyConnectedNetworks((first, second), "relu", (torch.ones(2, 1), torch.ones(2, 2)))
    assert weight_norm(networks).tolist() == [5, 5]


def test_module_equals_stack():
    networks = random_networks((9, 7, 4), biases=True)
    by_module = weight_norm(PlainNetwork(networks))
    assert by_module.tolist() == pytest.approx(weight_norm(networks).tolist())
    assert not by_module.requires_grad


def test_biases_and_normalizations_are_left_out():
    module = nn.Sequential(nn.Conv2d(1, 1, 2), nn.BatchNorm2d(1))
    nn.init.constant_(module[0].weight, 3)
    nn.init.constant_(module[0].bias, 100)
    assert weight_norm(module).item() == pytest.approx(6)


class Doubled(nn.Module):
    """Doubles a weight, and has a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))

    def forward(self, weight):
        return self.factor * weight


def test_weights_that_are_made_of_others_are_those_that_the_network_computes_with():
    module = nn.Linear(3, 2)
    nn.init.constant_(module.weight, 1)
    nn.utils.parametrize.register_parametrization(module, "weight", Doubled())
    assert weight_norm(module).item() == pytest.approx(24**0.5)
    assert number_of_parameters(module).item() == 3 * 2 + 2 + 1
    assert not module.weight.isnan().any() and module.parametrizations.weight[0].factor.item() == 2


def test_weights_have_the_spectral_norm_of_their_normalization():
    torch.manual_seed(0)
    module = nn.Linear(1, 4)
    normalized = nn.utils.parametrizations.spectral_norm(copy.deepcopy(module))
    assert weight_norm(module).item() != pytest.approx(1, rel=0.1)
    assert weight_norm(normalized).item() == pytest.approx(1)


def test_weights_of_one_layer_are_compared_by_their_names():
    torch.manual_seed(0)
    cell = nn.RNNCell(3, 3)
    initial, made = copy.deepcopy(cell), copy.deepcopy(cell)
    nn.utils.parametrize.register_parametrization(made, "weight_ih", Doubled())
    expected = cell.weight_ih.norm().item()
    assert distance_from_initialization(made, initial).item() == pytest.approx(expected)
    assert distance_from_initialization(cell, made).item() == pytest.approx(expected)

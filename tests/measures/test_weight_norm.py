import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks
from torch import nn

from generalization.measures.weight_norm import weight_norm
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

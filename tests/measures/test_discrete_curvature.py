import torch
from torch import Generator

from generalization.measures.curvature import curvature
from generalization.measures.discrete_curvature import discrete_curvature
from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)


def test_slope_that_goes_to_one_and_back_counts_once():
    image = torch.tensor([[[[-1.0, 1.0]]]])  # two translations, of which one pixel is read
    network = FullyConnectedNetworks((torch.tensor([[[1.0, 0.0]]]), torch.ones(1, 1, 1)), "relu")
    assert discrete_curvature(network, image).item() == 1
    assert curvature(network, image).item() == 2


def test_values_that_are_known_are_used():
    generators = [Generator().manual_seed(number) for number in range(2)]
    networks = initialize_fully_connected((16, 8, 8, 2), "tanh", generators)
    images = torch.randn(3, 1, 4, 4, generator=generators[0])
    known = curvature(networks, images, points=64)
    alone = discrete_curvature(networks, images, points=64)
    assert torch.equal(discrete_curvature(networks, images, curvature=known), alone)
    assert torch.equal(discrete_curvature(networks, images, curvature=2 * known), 2 * alone)
    assert torch.equal(alone, known / 2)

import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch import Generator
from torch.testing import assert_close

from generalization.errors import NoValue
from generalization.measures.noise_cloud_slope import noise_cloud_slope
from generalization.measures.noise_to_signal_slope import noise_to_signal_slope
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.sequences import sequence_of


def points(*shape, seed=1):
    return torch.randn(shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


def slope(networks, inputs, **settings):
    return noise_cloud_slope(networks, inputs, Generator().manual_seed(0), **settings)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_closed_form_is_its_limit(activation):
    networks = random_networks((9, 7, 8, 4), activation, count=2, biases=True)
    inputs = points(4, 9)
    values = slope(networks, inputs, noise_std=1e-5, copies=20_000)
    assert_close(values, noise_to_signal_slope(networks, inputs), rtol=0, atol=0.02)


def test_equals_a_singular_value_decomposition():
    networks, inputs = random_networks((9, 7, 8, 4), count=2), points(3, 9)
    values = slope(networks, inputs, noise_std=0.3, copies=20)
    generator = Generator().manual_seed(0)
    for place, point in enumerate(inputs):
        copies = point + 0.3 * torch.randn(20, 9, generator=generator)
        at_input = 8 * 0.09 / (point.square().sum() + 9 * 0.09)
        for member in range(2):
            cloud = networks.preactivations(copies)[1][member].relu()
            shares = torch.linalg.svdvals(cloud).square()
            noise = 1 - shares[0] / shares.sum()
            assert_close(values[member, place], (noise / at_input).log() / 2)


def test_layer_that_shows_the_input_has_slope_zero():
    """The identity, where a large image keeps all units active."""
    networks = FullyConnectedNetworks(
        (torch.eye(9).double()[None], torch.ones(1, 2, 9).double()), "relu"
    )
    values = slope(networks, 20 + points(2, 9), noise_std=1.0, copies=20_000)
    assert values.tolist() == [pytest.approx([0, 0], abs=0.01)]


def test_scale_of_a_layer_is_irrelevant():
    networks, inputs = random_networks((9, 7, 8, 4)), points(3, 9)
    scaled = networks.map(lambda weight: 30 * weight)
    assert_close(slope(scaled, inputs), slope(networks, inputs))


def test_a_network_does_not_depend_on_its_neighbors():
    networks, inputs = random_networks((9, 7, 8, 4), count=3), points(3, 9)
    assert_close(slope(networks, inputs)[1:2], slope(networks[1:2], inputs))


def test_module_has_the_same():
    networks, inputs = random_networks((9, 7, 8, 4)), points(3, 9)
    assert_close(slope(sequence_of(networks), inputs), slope(networks, inputs))


def test_dead_layer_has_no_slope():
    networks = random_networks((9, 7, 4))
    networks.weights[0].zero_()
    reason = "^noise does not reach the last hidden layer at 2 of 2 inputs$"
    with pytest.warns(NoValue, match=reason):
        assert slope(networks, points(2, 9)).isnan().all()

import pytest
import torch
from oracles import output_sensitivity as oracle
from oracles.softmax_jacobian import PlainNetwork, random_networks
from torch.testing import assert_close

from generalization.measures.output_sensitivity import centered_output_sensitivity
from generalization.networks.fully_connected import FullyConnectedNetworks


def points(count, *features, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *features, generator=generator, dtype=torch.float64)


def sensitivity(networks, inputs, measure=centered_output_sensitivity, **settings):
    deviations = torch.full((len(inputs),), 0.5, dtype=torch.float64)
    return measure(networks, inputs, deviations, torch.Generator().manual_seed(0), **settings)


@pytest.mark.parametrize("draws", [1, 3])
def test_equals_the_definition(draws):
    networks, inputs = random_networks((12, 7, 4), count=3, biases=True), points(50, 3, 2, 2)
    noise, generator = torch.full((50,), 0.6), torch.Generator().manual_seed(0)
    changes = oracle.output_changes(networks, inputs, noise.double(), generator, draws)
    expected = torch.from_numpy(oracle.centered_output_sensitivity(changes))
    values = sensitivity(networks, inputs, pixel_noise_std=0.3, draws=draws)
    assert_close(values, expected)
    module = sensitivity(PlainNetwork(networks), inputs, pixel_noise_std=0.3, draws=draws)
    assert_close(module, values[:1])


def test_linear_network_has_the_square_of_its_weight():
    """F1."""
    weight, inputs = points(1, 4, 9), points(20_000, 9)
    networks = FullyConnectedNetworks((weight,), "relu")
    expected = (0.1**2 * (weight[0] - weight[0].mean(0)).norm() ** 2 / 3).item()
    assert sensitivity(networks, inputs, pixel_noise_std=0.05).item() == pytest.approx(
        expected, rel=0.03
    )


def test_function_added_to_all_logits():
    """F4."""
    networks, inputs = random_networks((9, 7, 4)), points(50, 9)
    first, last = networks.weights
    shifted = FullyConnectedNetworks((first, last + 5 * points(1, 1, 7)), "relu")
    assert_close(sensitivity(shifted, inputs), sensitivity(networks, inputs))


def test_one_class_has_none():
    networks, inputs = random_networks((9, 7, 1)), points(50, 9)
    assert sensitivity(networks, inputs).item() == 0

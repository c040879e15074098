import pytest
import torch
from oracles import output_sensitivity as oracle
from oracles.softmax_jacobian import PlainNetwork, random_networks
from torch.testing import assert_close

from generalization.measures.output_sensitivity import (
    centered_output_sensitivity,
    output_sensitivity,
    output_sensitivity_per_output,
)
from generalization.networks.fully_connected import FullyConnectedNetworks


def points(count, *features, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *features, generator=generator, dtype=torch.float64)


def sensitivity(networks, inputs, measure=output_sensitivity_per_output, **settings):
    deviations = torch.full((len(inputs),), 0.5, dtype=torch.float64)
    return measure(networks, inputs, deviations, torch.Generator().manual_seed(0), **settings)


@pytest.mark.parametrize("draws", [1, 3])
def test_equals_the_definition(draws):
    networks, inputs = random_networks((12, 7, 4), count=3, biases=True), points(50, 3, 2, 2)
    noise, generator = torch.full((50,), 0.6), torch.Generator().manual_seed(0)
    changes = oracle.output_changes(networks, inputs, noise.double(), generator, draws)
    expected = torch.from_numpy(oracle.output_sensitivity_per_output(changes))
    values = sensitivity(networks, inputs, pixel_noise_std=0.3, draws=draws)
    assert_close(values, expected)
    module = sensitivity(PlainNetwork(networks), inputs, pixel_noise_std=0.3, draws=draws)
    assert_close(module, values[:1])


def test_linear_network_has_the_square_of_its_weight():
    """F1."""
    weight, inputs = points(1, 4, 9), points(20_000, 9)
    networks = FullyConnectedNetworks((weight,), "relu")
    expected = (0.1**2 * weight.norm() ** 2 / 4).item()
    assert sensitivity(networks, inputs, pixel_noise_std=0.05).item() == pytest.approx(
        expected, rel=0.03
    )


def test_function_added_to_all_logits():
    """F4."""
    networks, inputs = random_networks((9, 7, 4)), points(50, 9)
    first, last = networks.weights
    shifted = FullyConnectedNetworks((first, last + 5 * points(1, 1, 7)), "relu")
    assert sensitivity(shifted, inputs) > 5 * sensitivity(networks, inputs)


def test_sum_of_both_parts():
    """K Var̄ = Σ_k Var[e_k − ē] + K Var[ē], exactly, for whatever changes."""
    networks, inputs = random_networks((9, 7, 4), count=3), points(50, 9)
    mean = sensitivity(networks, inputs, output_sensitivity)
    rest = sensitivity(networks, inputs, centered_output_sensitivity)
    assert_close(sensitivity(networks, inputs), mean + rest * 3 / 4)


def test_uncorrelated_logits_have_k_times_that_of_their_mean():
    weight = torch.eye(4, 9, dtype=torch.float64)[None]
    networks, inputs = FullyConnectedNetworks((weight,), "relu"), points(20_000, 9)
    ratio = sensitivity(networks, inputs) / sensitivity(networks, inputs, output_sensitivity)
    assert ratio.item() == pytest.approx(4, rel=0.05)

import pytest
import torch
from oracles.output_sensitivity import output_changes
from oracles.softmax_jacobian import PlainNetwork, random_networks
from torch.testing import assert_close

from generalization.measures.jacobian_norm import jacobian_norm
from generalization.measures.output_sensitivity import softmax_output_sensitivity
from generalization.networks.fully_connected import FullyConnectedNetworks


def points(count, *features, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *features, generator=generator, dtype=torch.float64)


def sensitivity(networks, inputs, **settings):
    deviations = torch.full((len(inputs),), 0.5, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    return softmax_output_sensitivity(networks, inputs, deviations, generator, **settings)


def test_equals_the_definition():
    networks, inputs = random_networks((9, 7, 4), count=3, biases=True), points(50, 9)
    noise, generator = torch.full((50,), 0.6).double(), torch.Generator().manual_seed(0)
    changes = torch.from_numpy(output_changes(networks, inputs, noise, generator))[:, 0]
    before = torch.stack([PlainNetwork(networks, member)(inputs) for member in range(3)])
    changes = (before + changes).softmax(-1) - before.softmax(-1)
    expected = changes.var(1, correction=0).sum(-1)
    values = sensitivity(networks, inputs, pixel_noise_std=0.3)
    assert_close(values, expected)
    assert_close(sensitivity(PlainNetwork(networks), inputs, pixel_noise_std=0.3), values[:1])


def test_little_noise_gives_the_mean_square_of_the_jacobian_norm():
    """Novak et al. 2018, §3: σ² E‖J‖_F²."""
    networks, inputs = random_networks((9, 7, 4), count=2), points(4000, 9)
    expected = (2e-4) ** 2 * jacobian_norm(networks, inputs).square().mean(1)
    assert_close(
        sensitivity(networks, inputs, pixel_noise_std=1e-4, draws=4), expected, rtol=0.05, atol=0
    )


def test_function_added_to_all_logits_does_not_change_it():
    """F4."""
    networks, inputs = random_networks((9, 7, 4)), points(50, 9)
    first, last = networks.weights
    shifted = FullyConnectedNetworks((first, last + 5 * points(1, 1, 7)), "relu")
    assert_close(sensitivity(shifted, inputs), sensitivity(networks, inputs))


def test_certain_answers_change_by_one_or_not_at_all():
    """Between two classes: every change that is one counts twice, minus the square of the mean."""
    networks, inputs = random_networks((9, 40, 2)), points(500, 9)
    first, last = networks.weights
    certain = FullyConnectedNetworks((first, 1e12 * last), "relu")
    noise, generator = torch.ones(500).double(), torch.Generator().manual_seed(0)
    changed = torch.from_numpy(output_changes(certain, inputs, noise, generator))[0, 0]
    before = PlainNetwork(certain)(inputs)
    steps = ((before + changed).argmax(-1) - before.argmax(-1)).double()
    expected = 2 * (steps.square().mean() - steps.mean() ** 2)
    assert sensitivity(certain, inputs, pixel_noise_std=0.5).item() == pytest.approx(
        expected.item()
    )
    assert expected > 0.3

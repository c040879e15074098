from itertools import pairwise

import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch import nn
from torch.testing import assert_close

from generalization import measure
from generalization.derivatives.layer_noise import layer_noise
from generalization.errors import NoValue
from generalization.measures.noise_to_signal_slope import noise_to_signal_slope
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.sequences import sequence_of


def points(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_layers_that_only_rotate_have_slope_zero():
    """Reflections at hyperplanes through positive points: these stay where they are, and active."""
    corner = torch.ones(5).double()
    mirrors = [normal - normal @ corner / 5 * corner for normal in points(2, 5, seed=3)]
    reflections = [
        torch.eye(5).double() - 2 * torch.outer(mirror, mirror) / (mirror @ mirror)
        for mirror in mirrors
    ]
    networks = FullyConnectedNetworks(
        (*(reflection[None] for reflection in reflections), torch.ones(1, 2, 5).double()), "relu"
    )
    inputs = corner + 0.1 * points(3, 5, seed=2)
    assert_close(noise_to_signal_slope(networks, inputs), torch.zeros(1, 3).double())


def test_sum_of_what_layers_add():
    networks, inputs = random_networks((9, 7, 8, 6, 4), "tanh", count=2), points(5, 9)
    ratios = layer_noise(networks, inputs).noise_to_signal
    at_input = (8 / inputs.square().sum(1)).expand(2, -1).unsqueeze(-1)
    gains = torch.cat([at_input, ratios], -1).log().diff()
    assert_close(noise_to_signal_slope(networks, inputs), gains.mean(-1))


@pytest.mark.parametrize("scale", [0.1, 7])
def test_scale_of_weights_and_of_inputs_is_irrelevant_without_biases(scale):
    networks, inputs = random_networks((9, 7, 8, 4)), points(5, 9)
    scaled = networks.map(lambda weight: scale * weight)
    assert_close(
        noise_to_signal_slope(scaled, scale * inputs), noise_to_signal_slope(networks, inputs)
    )


def test_order_of_units_is_irrelevant():
    networks, inputs = random_networks((9, 7, 8, 4)), points(5, 9)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    w1, w2, w3 = networks.weights
    permuted = FullyConnectedNetworks((w1, w2[:, order], w3[:, :, order]), "relu")
    assert_close(noise_to_signal_slope(permuted, inputs), noise_to_signal_slope(networks, inputs))


def test_module_has_the_same():
    networks, inputs = random_networks((9, 7, 8, 4), "tanh", biases=True), points(5, 9)
    values = noise_to_signal_slope(sequence_of(networks), inputs)
    assert_close(values, noise_to_signal_slope(networks, inputs))


@pytest.mark.parametrize(("width", "seed", "count"), [(4, 0, 124), (2, 8, 1)])
def test_standard_error_is_that_of_the_inputs_with_a_slope(width, seed, count):
    torch.manual_seed(0)
    inputs = torch.randn(200, 16)
    torch.manual_seed(seed)
    widths = (16, width, width, 3)
    layers = [nn.Linear(*shape) for shape in pairwise(widths)]
    module = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    slopes = noise_to_signal_slope(module, inputs)[0]
    own = slopes[(module[:4](inputs) > 0).sum(1) > 1]  # Others have the mean of these.
    assert len(own) == count
    row = measure(module, inputs, measures="noise_to_signal_slope").iloc[0]
    expected = (own.std() / count**0.5).item()
    assert row["standard_error"] == pytest.approx(expected, rel=1e-6, nan_ok=True)


def test_dead_layer_has_no_slope():
    networks = random_networks((9, 7, 4))
    networks.weights[0].zero_()
    assert noise_to_signal_slope(networks, points(2, 9)).isnan().all()


def test_networks_without_a_slope_are_told_and_others_are_not():
    weights = (torch.ones(2, 1, 3).double(), torch.ones(2, 2, 1).double())
    with pytest.warns(
        NoValue, match="no input has two active units in the last hidden layer"
    ) as said:
        slopes = noise_to_signal_slope(FullyConnectedNetworks(weights, "relu"), points(5, 3).abs())
    assert slopes.isnan().all()
    assert said[0].message.networks == [True, True]

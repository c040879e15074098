from math import prod

import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks
from oracles.tangent_sensitivity import second_derivatives
from torch.testing import assert_close

from generalization.derivatives.layer_sensitivities import sensitivity_of_layers
from generalization.networks.fully_connected import FullyConnectedNetworks


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_norm_of_each_layer_equals_autograd():
    networks, inputs = random_networks((6, 7, 5, 4), "relu6", biases=True), normal(8, 6)
    blocks = second_derivatives(PlainNetwork(networks), inputs)
    values = sensitivity_of_layers(networks, inputs, torch.eye(4).double())
    for layer in range(3):
        expected = blocks[f"layers.{layer}.weight"].flatten(1).norm(dim=1)
        assert_close(values[0, :, layer], expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("variances", [(2, 2, 2, 2), (3, 0.5, 1, 4)])
def test_mean_square_of_each_layer_of_random_weights(variances):
    """Π_{m≥l} (n_m s_{m+1}² / 2) · d · Π_{m<l} (n_m s_m² / 2), at any width.

    Variances s² of weights are in units of 1 / fan_in. At 2, He's, the square is the fan-in.
    """
    widths, count = (9, 6, 8, 5, 1), 1500
    weights = tuple(
        normal(count, widths[layer + 1], widths[layer], seed=layer)
        * (variance / widths[layer]) ** 0.5
        for layer, variance in enumerate(variances)
    )
    networks = FullyConnectedNetworks(weights, "relu")
    squares = sensitivity_of_layers(networks, normal(1, 9, seed=9), torch.ones(1, 1).double())
    squares = squares[:, 0].square()
    halves = [variance / 2 for variance in variances]
    expected = torch.tensor([
        widths[layer] * prod(halves[:layer]) * prod(halves[layer + 1 :]) for layer in range(4)
    ])
    deviation = (squares.mean(0) - expected).abs()
    assert (deviation <= 4 * squares.std(0) / count**0.5).all()
    assert (squares.std(0) / count**0.5 < 0.1 * squares.mean(0)).all()

import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, logit_jacobians, random_networks
from torch.testing import assert_close

from generalization.measures.jacobian_norm import logit_jacobian_norm
from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS
from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)


def points(count, features, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, features, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", ACTIVATION_FUNCTIONS)
@pytest.mark.parametrize("widths", [(9, 4), (9, 7, 8, 4), (5, 7, 3)])
def test_equals_autograd(widths, activation, biases):
    networks = random_networks(widths, activation, count=2, biases=biases)
    inputs = points(11, widths[0])
    expected = [
        logit_jacobians(PlainNetwork(networks, r), inputs).norm(dim=(1, 2)) for r in range(2)
    ]
    assert_close(logit_jacobian_norm(networks, inputs), torch.stack(expected))
    assert_close(logit_jacobian_norm(PlainNetwork(networks), inputs)[0], expected[0])


def test_linear_network_has_the_norm_of_its_weight_everywhere():
    weight = points(4, 9)
    networks = FullyConnectedNetworks((weight.unsqueeze(0),), "relu")
    assert_close(logit_jacobian_norm(networks, points(3, 9))[0], weight.norm().expand(3))


def test_bias_free_relu_has_the_same_slope_along_a_ray():
    networks = random_networks((9, 7, 8, 4))
    inputs = points(5, 9)
    assert_close(logit_jacobian_norm(networks, 30 * inputs), logit_jacobian_norm(networks, inputs))


@pytest.mark.parametrize(("init_scale", "widths"), [(1.0, (6, 9, 7, 3)), (1.5, (12, 8, 2))])
def test_mean_square_at_initialization(init_scale, widths):
    """He: E‖∂f/∂x‖_F² = 2 K at any finite widths, times the square of the scale per layer."""
    generators = [torch.Generator().manual_seed(seed) for seed in range(3000)]
    networks = initialize_fully_connected(widths, "relu", generators, init_scale=init_scale)
    squares = logit_jacobian_norm(networks, points(1, widths[0]).float())[:, 0].square()
    expected = 2 * widths[-1] * init_scale ** (2 * networks.depth)
    standard_error = squares.std() / len(squares) ** 0.5
    assert standard_error < 0.03 * expected
    assert abs(squares.mean() - expected) < 3 * standard_error


def test_squares_too_small_for_float32():
    weight = (1e-25 * points(4, 9)).float()
    networks = FullyConnectedNetworks((weight.unsqueeze(0),), "relu")
    value = logit_jacobian_norm(networks, points(1, 9).float()).item()
    assert value == pytest.approx(weight.double().norm().item(), rel=1e-6, abs=0)

import math

import pytest
import torch
from oracles.softmax_jacobian import PlainNetwork, random_networks
from torch import Generator
from torch.testing import assert_close

from generalization.measures.jacobian_norm import gaussian_jacobian_norm, jacobian_norm
from generalization.networks.fully_connected import FullyConnectedNetworks


def images(*shape, dtype=torch.float64):
    """Training inputs whose values must not matter."""
    return torch.full(shape, torch.nan, dtype=dtype)


def generator(seed=0):
    return Generator().manual_seed(seed)


def test_norms_at_normal_points_shaped_as_training_inputs():
    networks = random_networks((12, 7, 4), count=2)
    values = gaussian_jacobian_norm(networks, images(5, 3, 2, 2), generator(), random_samples=50)
    inputs = torch.randn(50, 3, 2, 2, generator=generator()).double()
    assert_close(values, jacobian_norm(networks, inputs))
    module = PlainNetwork(networks)
    finite = images(5, 3, 2, 2).nan_to_num(7)  # A module is seen to have logits there.
    of_module = gaussian_jacobian_norm(module, finite, generator(), random_samples=50)
    assert_close(of_module[0], values[0])


def test_mean_over_random_ellipses():
    """The law of a cos θ + b sin θ is that of a, whatever θ: both have the same mean."""
    networks = random_networks((12, 9, 4))
    a, b = torch.randn(2, 400, 12, generator=generator(1)).double()
    angles = torch.arange(16).double() * 2 * math.pi / 16
    ellipses = torch.stack([a * angle.cos() + b * angle.sin() for angle in angles], dim=1)
    around = jacobian_norm(networks, ellipses.flatten(0, 1)).reshape(400, 16).mean(1)
    values = gaussian_jacobian_norm(networks, images(5, 12), generator(2), random_samples=4000)[0]
    error = math.hypot(around.std() / 400**0.5, values.std() / 4000**0.5)
    assert error < 0.03 * values.mean()
    assert abs(values.mean() - around.mean()) < 3 * error


def test_two_classes_without_hidden_layer():
    """‖J‖ = √2 p (1 − p) ‖w_1 − w_2‖ with logit differences ~ N(0, ‖w_1 − w_2‖²)."""
    weight = torch.tensor([[3.0, 0, 0], [0, 4, 0]]).double()
    networks = FullyConnectedNetworks((weight[None],), "relu")
    values = gaussian_jacobian_norm(networks, images(1, 3), generator(), random_samples=20_000)[0]
    z = torch.linspace(-10, 10, 20_001).double()
    density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)
    p = torch.sigmoid(5 * z)
    expected = 5 * 2**0.5 * torch.trapezoid(p * (1 - p) * density, z)
    assert abs(values.mean() - expected) < 3 * values.std() / 20_000**0.5


def test_dtype_is_that_of_the_training_inputs():
    networks = random_networks((9, 7, 4), dtype=torch.float32)
    single, double = (
        gaussian_jacobian_norm(
            networks.to(dtype), images(1, 9, dtype=dtype), generator(), random_samples=9
        )
        for dtype in (torch.float32, torch.float64)
    )
    assert_close(single, double, rtol=1e-4, atol=1e-7)


def test_no_points_are_refused():
    with pytest.raises(ValueError, match=r"^random_samples must be at least 1, not 0\.$"):
        gaussian_jacobian_norm(random_networks((9, 4)), images(7, 9), generator(), random_samples=0)

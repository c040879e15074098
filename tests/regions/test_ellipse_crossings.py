from math import acos, pi

import numpy as np
import pytest
import torch
from oracles.transitions import THRESHOLDS
from torch import Generator

from generalization.devices import BUDGETS, Budget
from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)
from generalization.regions.ellipse_crossings import ellipse_crossings
from generalization.regions.trajectories import (
    ellipses_through,
    points_on_ellipses,
    random_ellipses,
)

PIECEWISE_LINEAR = ["relu", "relu6", "hardtanh", "hardsigmoid"]
DOUBLE = torch.float64
FUNCTIONS = {
    "relu": lambda z: np.maximum(z, 0),
    "relu6": lambda z: np.clip(z, 0, 6),
    "hardtanh": lambda z: np.clip(z, -1, 1),
    "hardsigmoid": lambda z: np.clip(z + 0.5, 0, 1),
}


def network_of(*weights, biases=(), activation="relu"):
    return FullyConnectedNetworks(
        tuple(torch.tensor([weight], dtype=DOUBLE) for weight in weights),
        activation,
        tuple(torch.tensor([bias], dtype=DOUBLE) for bias in biases),
    )


def random_network(widths, activation, *, biases=False, seed=0):
    """A float64 network, with random biases if any, whose units reach all of their regions."""
    generator = Generator().manual_seed(seed)
    scale = 6.0 if activation == "relu6" else 2.0
    network = initialize_fully_connected(widths, activation, [generator], init_scale=scale)
    biases = [torch.randn(1, units, generator=generator) for units in widths[1:] if biases]
    return FullyConnectedNetworks(network.weights, activation, tuple(biases)).to(DOUBLE)


def some_ellipses(features, count=2, seed=0):
    """Ellipses around 0 and through three points."""
    generator = Generator().manual_seed(seed)
    points = torch.randn(count, 3, features, generator=generator)
    around_0 = random_ellipses(count, (features,), generator)
    return torch.cat((around_0, ellipses_through(points))).double()


def counts(found, curves):
    """Crossings of each ellipse in each layer."""
    return torch.stack([curve.bincount(minlength=curves) for curve, _ in found], dim=1)


def sampled_counts(network, ellipse, points):
    """The same of one ellipse by codes at equidistant points, with nothing from the package."""
    angles = np.arange(points) * 2 * np.pi / points
    center, cosine, sine = ellipse.numpy()
    a = center + np.outer(np.cos(angles), cosine) + np.outer(np.sin(angles), sine)
    changes = []
    for layer, weight in enumerate(network.weights[:-1]):
        z = a @ weight[0].numpy().T
        z += network.biases[layer].numpy() if network.biases else 0
        code = sum(
            (z > float(threshold)).astype(int) for threshold in THRESHOLDS[network.activation]
        )
        changes.append(int(np.abs(code - np.roll(code, -1, axis=0)).sum()))
        a = FUNCTIONS[network.activation](z)
    return changes


@pytest.mark.parametrize("widths", [(12, 10, 2), (16, 12, 10, 8, 2), (10, 8, 8, 8, 8, 8, 2)])
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
def test_counts_are_the_limit_of_sampling(activation, biases, widths):
    network = random_network(widths, activation, biases=biases)
    curves = some_ellipses(widths[0])
    exact = counts(ellipse_crossings(network, curves), len(curves))
    for ellipse, count in zip(curves, exact, strict=True):
        for points in (2**5, 2**10):
            sampled = sampled_counts(network, ellipse, points)
            assert all(few <= all_ for few, all_ in zip(sampled, count, strict=True))
        assert sampled_counts(network, ellipse, 2**17) == count.tolist()
    assert exact.sum() > 0


@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
def test_units_lie_on_a_threshold_at_every_angle(activation):
    network = random_network((12, 10, 10, 10, 2), activation, biases=True)
    curves = some_ellipses(12)
    thresholds = torch.tensor(network.phi.thresholds, dtype=DOUBLE)
    for layer, (curve, angle) in enumerate(ellipse_crossings(network, curves)):
        points = torch.cat([
            points_on_ellipses(curves[i : i + 1], angle[curve == i])[0] for i in range(len(curves))
        ])
        preactivations = network.preactivations(points)[layer].squeeze(0)
        nearest = (preactivations.unsqueeze(2) - thresholds).abs().amin(dim=(1, 2))
        assert len(nearest) > 0
        assert nearest.max() < 1e-11


def test_unit_crosses_at_the_angles_of_the_closed_form():
    # 1 + 2 cos θ rises through 0 at 4π/3 and falls at 2π/3.
    curve = torch.tensor([[[1.0], [2.0], [0.0]]], dtype=DOUBLE)
    [(_, angle)] = ellipse_crossings(network_of([[1.0]], [[1.0]]), curve)
    assert sorted(angle.tolist()) == pytest.approx([2 * pi / 3, 4 * pi / 3])


def test_second_layer_sees_the_kink_of_the_first():
    # |cos θ| − 1/2 = 0 at four angles, two of them on the other side of the kink.
    network = network_of([[1.0], [-1.0]], [[1.0, 1.0]], [[1.0]], biases=([0.0, 0.0], [-0.5], [0.0]))
    curve = torch.tensor([[[0.0], [1.0], [0.0]]], dtype=DOUBLE)
    (_, first), (_, second) = ellipse_crossings(network, curve)
    assert sorted(first.tolist()) == pytest.approx([pi / 2, pi / 2, 3 * pi / 2, 3 * pi / 2])
    quarter = acos(0.5)
    angles = [quarter, pi - quarter, pi + quarter, 2 * pi - quarter]
    assert sorted(second.tolist()) == pytest.approx(angles)


def test_ellipse_around_0_crosses_every_first_layer_unit_twice():
    network = random_network((20, 50, 30, 2), "relu")
    curves = random_ellipses(5, (20,), Generator().manual_seed(1))
    assert (counts(ellipse_crossings(network, curves), 5)[:, 0] == 100).all()


def test_ellipse_elsewhere_crosses_the_units_whose_plane_cuts_it():
    network = random_network((10, 200, 2), "relu", biases=True)
    curve = some_ellipses(10)[-1:]
    center, cosine, sine = curve[0] @ network.weights[0][0].T
    cut = (center + network.biases[0][0]).abs() < (cosine**2 + sine**2).sqrt()
    [(_, angle)] = ellipse_crossings(network, curve)
    assert 0 < cut.sum() < 200
    assert len(angle) == 2 * cut.sum()


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
def test_count_around_an_ellipse_is_even(activation, biases):
    network = random_network((15, 1, 12, 12, 2), activation, biases=biases)
    curves = some_ellipses(15, count=10)
    exact = counts(ellipse_crossings(network, curves), len(curves))
    assert (exact % 2 == 0).all()
    assert (exact > 0).any()


def test_relu_without_biases_does_not_see_the_scale_of_an_ellipse():
    network = random_network((15, 12, 12, 12, 2), "relu")
    curves = some_ellipses(15)
    found, scaled = (ellipse_crossings(network, scale * curves) for scale in (1, 7.3))
    for (curve, angle), (same_curve, same_angle) in zip(found, scaled, strict=True):
        assert torch.equal(curve, same_curve)
        assert torch.allclose(angle, same_angle, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_units_above_a_dead_layer_rest_at_zero(seed):
    # One unit per layer: where it dies, at an angle that is rounded, all above it die with it.
    generator = Generator().manual_seed(seed)
    weight = torch.randn(1, 1, 7, generator=generator)
    up = torch.ones(1, 4, 1) + torch.rand(1, 4, 1, generator=generator)
    network = FullyConnectedNetworks((weight, up, up.mT, -up, up.mT), "relu").to(DOUBLE)
    curves = random_ellipses(5, (7,), generator)
    exact = counts(ellipse_crossings(network, curves), 5)
    assert exact.tolist() == [[2, 8, 2, 0]] * 5


def test_units_that_stay_in_one_region_cross_nothing():
    network = random_network((15, 12, 12, 2), "hardtanh").map(lambda weight: weight / 100)
    assert counts(ellipse_crossings(network, some_ellipses(15)), 4).sum() == 0


@pytest.mark.parametrize("numbers", [1, 64, 1000])
def test_crossings_do_not_depend_on_the_pieces(monkeypatch, numbers):
    network = random_network((9, 16, 16, 16, 2), "hardtanh", biases=True)
    curves = some_ellipses(9)
    whole = [angle.sort().values for _, angle in ellipse_crossings(network, curves)]
    monkeypatch.setitem(BUDGETS, "operation", Budget(numbers, numbers))
    pieces = [angle.sort().values for _, angle in ellipse_crossings(network, curves)]
    for some, others in zip(whole, pieces, strict=True):
        assert torch.allclose(some, others, rtol=0, atol=1e-9)
        assert len(some) > 0


def test_single_precision_networks_are_counted_in_double():
    network = random_network((12, 10, 10, 2), "relu").to(torch.float32)
    curves = some_ellipses(12)
    single = ellipse_crossings(network, curves.float())
    double = ellipse_crossings(network.to(DOUBLE), curves.float().double())
    for (_, angle), (_, same) in zip(single, double, strict=True):
        assert angle.dtype == DOUBLE
        assert torch.equal(angle, same)


def test_network_without_hidden_layers_has_no_crossings():
    assert ellipse_crossings(network_of([[1.0]]), some_ellipses(1)) == []

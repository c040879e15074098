import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Generator

from generalization.units.directions import (
    largest_units,
    principal_directions,
    svcca_directions,
    unit_directions,
)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


def two_layers(samples=60):
    """Six and five units that share two signals."""
    shared = normal(samples, 2)
    mixed = (normal(4, 6, seed=1), normal(4, 5, seed=2))
    noise = (normal(samples, 2, seed=3), normal(samples, 2, seed=4))
    return [torch.cat((shared, own), 1) @ mix + 3 for own, mix in zip(noise, mixed, strict=True)]


def spans(basis, vectors):
    """Tell whether the columns of the first span those of the second."""
    return (vectors - basis @ (basis.mT @ vectors)).abs().max() < 1e-9 * vectors.abs().max()


def test_every_basis_is_orthonormal():
    x, y = two_layers()
    for basis in (
        principal_directions(x),
        *svcca_directions(x, y),
        unit_directions(largest_units(x)),
    ):
        assert basis.mT @ basis == pytest.approx(torch.eye(6), abs=1e-12)


def test_principal_directions_are_those_of_the_covariance():
    x, _ = two_layers()
    basis = principal_directions(x)
    covariance = basis.mT @ torch.cov(x.mT) @ basis
    variances = covariance.diagonal()
    assert torch.diag(variances) == pytest.approx(covariance, abs=1e-9)
    assert (variances.diff() <= 1e-9).all()


def test_first_directions_are_those_of_the_first_variates():
    # Slow definition: the generalized eigenproblem Σ_xy Σ_yy⁻¹ Σ_yx a = ρ² Σ_xx a.
    x, y = normal(80, 4), normal(80, 3, seed=1)
    y[:, 0] += x[:, 1]
    joint = torch.cov(torch.cat((x, y), 1).mT).numpy()
    xx, xy, yy = joint[:4, :4], joint[:4, 4:], joint[4:, 4:]
    _, weights = scipy.linalg.eigh(xy @ np.linalg.solve(yy, xy.T), xx)
    weights = torch.from_numpy(weights[:, ::-1].copy())
    patterns, basis = svcca_directions(x, y, explained_variance=1.0)
    for k in (1, 2, 3):
        assert spans(basis[:, :k], weights[:, :k])
        # How the units vary with the variates: their covariance with them.
        assert spans(patterns[:, :k], torch.from_numpy(xx) @ weights[:, :k])


def test_projection_on_the_weights_of_the_first_variates_keeps_them():
    x, y = two_layers()
    basis = svcca_directions(x, y, explained_variance=1.0)[1][:, :2]
    for signal in normal(60, 2).unbind(1):
        # The two signals that the layers share are affine in the projected activations.
        seen = torch.cat((x @ basis, torch.ones(60, 1)), 1)
        left = signal - seen @ torch.linalg.lstsq(seen, signal.unsqueeze(1)).solution[:, 0]
        assert left.abs().max() < 1e-9


def test_projection_keeps_more_than_is_linear_in_the_variates():
    x, y = normal(80, 6), normal(80, 5, seed=1)
    y[:, 0] += x[:, 1]
    x = x - x.mean(0)
    basis, read = svcca_directions(x, y, explained_variance=1.0)
    for k in (1, 2, 4):
        variates = x @ read[:, :k]
        regression = variates @ torch.linalg.lstsq(variates, x).solution
        projection = x @ basis[:, :k] @ basis[:, :k].mT
        assert (x - projection).norm() <= (x - regression).norm() * (1 + 1e-9)


def test_directions_that_hold_little_variance_come_last():
    x, y = normal(200, 3), normal(200, 3, seed=1)
    x[:, 2] *= 1e-3
    y[:, 2] = x[:, 2]
    _, kept = svcca_directions(x, y)
    assert kept[2, 2].abs() == pytest.approx(1)
    _, whole = svcca_directions(x, y, explained_variance=1.0)
    assert whole[2, 0].abs() == pytest.approx(1)


def test_directions_do_not_depend_on_the_scale_and_place_of_either_layer():
    x, y = two_layers()
    expected, found = svcca_directions(x, y), svcca_directions(5 * x - 1, 7 * y + 2)
    for k in (2, 3, 4):  # Of the two signals, neither is the first.
        for one, other in zip(expected, found, strict=True):
            assert spans(one[:, :k], other[:, :k])


@pytest.mark.parametrize("samples", [3, 60])
def test_dead_and_doubled_units_and_few_samples_are_no_obstacle(samples):
    x, y = two_layers(samples)
    x[:, 1], x[:, 2], y[:, 0] = 4.0, x[:, 0], 0.0
    dead = torch.eye(6, dtype=torch.float64)[:, 1:2]
    for basis in svcca_directions(x, y, explained_variance=1.0):
        assert basis.mT @ basis == pytest.approx(torch.eye(6), abs=1e-12)
        assert spans(basis[:, 2:], dead)


def test_constant_layer_has_directions():
    for basis in svcca_directions(torch.ones(10, 3), normal(10, 2)):
        assert basis.mT @ basis == pytest.approx(torch.eye(3), abs=1e-12)


def test_units_are_ordered_by_their_mean_absolute_activation():
    order = largest_units(torch.tensor([[1.0, -5.0, 0.0, 2.0], [1.0, -5.0, 0.0, 2.0]]))
    assert order.tolist() == [1, 3, 0, 2]
    assert unit_directions(order)[:, 0].tolist() == [0, 1, 0, 0]

from math import prod

import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch.testing import assert_close

from generalization.measures.spectral_complexity import (
    bartlett_complexity,
    bartlett_complexity_from_initialization,
    bartlett_complexity_over_margin,
    spectral_complexity_from_initialization,
    spectral_complexity_from_origin,
)
from generalization.networks.fully_connected import FullyConnectedNetworks

KNOWN = torch.full((2, 20), 4.0).double()


def stack():
    return random_networks((5, 6, 4, 3), count=2, biases=True)


def test_spectral_complexities_multiply_the_product_by_ranks():
    inputs, labels = torch.zeros(20, 5).double(), torch.zeros(20, dtype=torch.int64)
    begun = stack().map(lambda part: part + torch.sin(5 * part))
    origin = spectral_complexity_from_origin(stack(), inputs, labels, training_margin=KNOWN)
    initial = spectral_complexity_from_initialization(
        stack(), begun, inputs, labels, training_margin=KNOWN
    )
    for member in (0, 1):
        matrices = [weight[member] for weight in stack().weights]
        spectral = [torch.linalg.matrix_norm(matrix, 2).item() ** 2 for matrix in matrices]
        frobenius = [matrix.square().sum().item() for matrix in matrices]
        moved = [
            (one[member] - other[member]).square().sum().item()
            for one, other in zip(stack().weights, begun.weights, strict=True)
        ]
        for value, numerators in ((origin, frobenius), (initial, moved)):
            ranks = sum(n / s for n, s in zip(numerators, spectral, strict=True))
            expected = prod(spectral) * ranks / 16
            assert value[member].item() == pytest.approx(expected, rel=1e-12)


def test_bartlett_complexity_of_orthogonal_matrices():
    rotations = [torch.linalg.qr(torch.randn(4, 4).double()).Q[None] for _ in range(3)]
    identities = (torch.eye(4).double()[None],) * 3
    for weights in (rotations, identities):
        networks = FullyConnectedNetworks(tuple(weights), "relu")
        value = bartlett_complexity(networks).item()
        assert value == pytest.approx((3 * 4 ** (2 / 3)) ** 1.5)
        assert value == pytest.approx(20.785, abs=5e-4)


def test_bartlett_complexity_sums_norms_of_rows():
    # One layer: ‖W‖₂ (‖Wᵀ‖_{2,1} / ‖W‖₂) is the sum of the norms of the rows, 5 + 1.
    networks = FullyConnectedNetworks((torch.tensor([[[3.0, 4.0], [0.0, 1.0]]]),), "relu")
    assert bartlett_complexity(networks).item() == pytest.approx(6)
    begun = FullyConnectedNetworks((torch.tensor([[[3.0, 1.0], [0.0, 1.0]]]),), "relu")
    value = bartlett_complexity_from_initialization(networks, begun)
    assert value.item() == pytest.approx(3)
    assert bartlett_complexity_from_initialization(networks, networks).item() == 0


def test_bartlett_bound_has_the_norm_of_the_training_set():
    inputs = torch.full((20, 5), 2.0).double()
    value = bartlett_complexity_over_margin(
        stack(), inputs, torch.zeros(20, dtype=torch.int64), training_margin=KNOWN
    )
    assert_close(value, bartlett_complexity(stack()) * 20 / (4 * 20))

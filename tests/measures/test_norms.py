from math import log, prod

import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch import nn
from torch.func import jacrev
from torch.testing import assert_close

from generalization.measures import norms
from generalization.measures.weight_norm import distance_from_initialization
from generalization.networks.fully_connected import FullyConnectedNetworks

WIDTHS = (5, 6, 4, 3)
OVER_MARGIN = {
    "spectral_product_over_margin": ("spectral_product", 2),
    "spectral_sum_over_margin": ("spectral_sum", 2 / 3),
    "frobenius_product_over_margin": ("frobenius_product", 2),
    "frobenius_sum_over_margin": ("frobenius_sum", 2 / 3),
}
KNOWN = torch.full((2, 20), 4.0).double()


def stack():
    return random_networks(WIDTHS, count=2, biases=True)


def squares(member, order):
    """Squared norms of the layers of a network, as torch.linalg has them."""
    matrices = [weight[member] for weight in stack().weights]
    return [torch.linalg.matrix_norm(matrix, order).item() ** 2 for matrix in matrices]


@pytest.mark.parametrize(("name", "order"), [("spectral", 2), ("frobenius", "fro")])
def test_products_and_sums_of_norms(name, order):
    products = getattr(norms, f"{name}_product")(stack()).exp()
    sums = getattr(norms, f"{name}_sum")(stack()).exp()
    for member in (0, 1):
        expected = prod(squares(member, order))
        assert products[member].item() == pytest.approx(expected, rel=1e-12)
        assert sums[member].item() == pytest.approx(3 * expected ** (1 / 3), rel=1e-12)


@pytest.mark.parametrize("name", OVER_MARGIN)
def test_margin_divides(name):
    plain, power = OVER_MARGIN[name]
    inputs, labels = torch.zeros(20, 5).double(), torch.zeros(20, dtype=torch.int64)
    values = getattr(norms, name)(stack(), inputs, labels, training_margin=KNOWN)
    assert_close(values, getattr(norms, plain)(stack()) - power * log(4))
    absent = getattr(norms, name)(stack(), inputs, labels, training_margin=KNOWN - 4)
    assert absent.isnan().all()


def test_stable_ranks_are_between_one_and_the_number_of_singular_values():
    rotations = [torch.linalg.qr(torch.randn(4, 4).double()).Q[None] for _ in range(3)]
    orthogonal = FullyConnectedNetworks(tuple(rotations), "relu")
    assert norms.stable_rank_sum(orthogonal).item() == pytest.approx(12)
    ones = FullyConnectedNetworks((torch.ones(1, 4, 5).double(),) * 2, "relu")
    assert norms.stable_rank_sum(ones).item() == pytest.approx(2)


def test_spectral_distance():
    begun = stack().map(lambda part: part + torch.sin(5 * part))
    distances = norms.spectral_distance(stack(), begun)
    for member in (0, 1):
        expected = sum(
            torch.linalg.matrix_norm(one[member] - other[member], 2).item() ** 2
            for one, other in zip(stack().weights, begun.weights, strict=True)
        )
        assert distances[member].item() == pytest.approx(expected, rel=1e-12)
    assert (distances < distance_from_initialization(stack(), begun).square()).all()


def test_initial_weights_of_other_shapes_are_refused():
    sentence = (
        r"^initial_networks must have weights of shapes \[\(2, 6, 5\), \(2, 4, 6\), \(2, 3, 4\)\], "
        r"not \[\(1, 6, 5\), \(1, 3, 6\)\]\.$"
    )
    with pytest.raises(ValueError, match=sentence):
        norms.spectral_distance(stack(), random_networks((5, 6, 3)))


def test_spectral_norm_of_a_kernel_bounds_that_of_the_convolution():
    torch.manual_seed(0)
    layer = nn.Conv2d(2, 3, 3, padding=1).double()
    matrix = jacrev(layer)(torch.zeros(1, 2, 6, 6).double()).reshape(108, 72)
    of_map = torch.linalg.matrix_norm(matrix, 2).item()
    of_kernel = norms.spectral_product(layer).div(2).exp().item()
    assert of_kernel < of_map < 3 * of_kernel

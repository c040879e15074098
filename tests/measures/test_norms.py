from itertools import product
from math import log, prod

import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch import nn
from torch.func import jacrev
from torch.testing import assert_close

from generalization.errors import InputError
from generalization.measures import norms
from generalization.measures.margins import margin_percentile, training_margin
from generalization.measures.weight_norm import distance_from_initialization
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.sequences import sequence_of

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


def test_margin_is_computed_unless_it_is_known():
    networks = stack()
    inputs = torch.randn(50, 5, generator=torch.Generator().manual_seed(0)).double()
    labels = networks.logits(inputs)[0].argmax(1)
    gamma = margin_percentile(training_margin(networks, inputs, labels))[0]
    value = norms.path_norm_over_margin(networks, inputs, labels)[0]
    assert_close(value, norms.path_norm(networks, inputs)[0] / gamma)


def test_stable_ranks_are_between_one_and_the_number_of_singular_values():
    rotations = [torch.linalg.qr(torch.randn(4, 4).double()).Q[None] for _ in range(3)]
    orthogonal = FullyConnectedNetworks(tuple(rotations), "relu")
    assert norms.stable_rank_sum(orthogonal).item() == pytest.approx(12)
    ones = FullyConnectedNetworks((torch.ones(1, 4, 5).double(),) * 2, "relu")
    assert norms.stable_rank_sum(ones).item() == pytest.approx(2)


def test_spectral_complexities_multiply_the_product_by_ranks():
    inputs, labels = torch.zeros(20, 5).double(), torch.zeros(20, dtype=torch.int64)
    begun = stack().map(lambda part: part + torch.sin(5 * part))
    origin = norms.spectral_complexity_from_origin(stack(), inputs, labels, training_margin=KNOWN)
    initial = norms.spectral_complexity_from_initialization(
        stack(), begun, inputs, labels, training_margin=KNOWN
    )
    for member in (0, 1):
        spectral, frobenius = squares(member, 2), squares(member, "fro")
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
        value = norms.bartlett_complexity(networks).item()
        assert value == pytest.approx((3 * 4 ** (2 / 3)) ** 1.5)
        assert value == pytest.approx(20.785, abs=5e-4)


def test_bartlett_complexity_sums_norms_of_rows():
    # One layer: ‖W‖₂ (‖Wᵀ‖_{2,1} / ‖W‖₂) is the sum of the norms of the rows, 5 + 1.
    networks = FullyConnectedNetworks((torch.tensor([[[3.0, 4.0], [0.0, 1.0]]]),), "relu")
    assert norms.bartlett_complexity(networks).item() == pytest.approx(6)
    begun = FullyConnectedNetworks((torch.tensor([[[3.0, 1.0], [0.0, 1.0]]]),), "relu")
    value = norms.bartlett_complexity_from_initialization(networks, begun)
    assert value.item() == pytest.approx(3)
    assert norms.bartlett_complexity_from_initialization(networks, networks).item() == 0


def test_bartlett_bound_has_the_norm_of_the_training_set():
    inputs = torch.full((20, 5), 2.0).double()
    value = norms.bartlett_complexity_over_margin(
        stack(), inputs, torch.zeros(20, dtype=torch.int64), training_margin=KNOWN
    )
    assert_close(value, norms.bartlett_complexity(stack()) * 20 / (4 * 20))


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


def test_path_norm_is_the_sum_over_all_paths():
    values = norms.path_norm(stack(), torch.zeros(1, 5))
    for member in (0, 1):
        first, second, third = (weight[member] for weight in stack().weights)
        total = sum(
            (first[i, x] * second[j, i] * third[k, j]).item() ** 2
            for x, i, j, k in product(*map(range, WIDTHS))
        )
        assert values[member].item() == pytest.approx(total**0.5, rel=1e-14)


@pytest.mark.parametrize("activation", ["relu", "tanh", "hardsigmoid"])
def test_path_norm_knows_no_activation_function(activation):
    networks = random_networks(WIDTHS, activation)
    value = norms.path_norm(sequence_of(networks), torch.zeros(1, 1, 1, 5))
    assert_close(value, norms.path_norm(networks, torch.zeros(1, 5)))


def test_path_norm_of_convolutions_is_that_of_their_matrices():
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(2, 3, 3, padding=1, stride=2),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(12, 3),
    ]
    module, values = nn.Sequential(*layers).double(), torch.ones(1, 2, 8, 8).double()
    squared = torch.ones(128).double()
    for layer in layers:
        if not isinstance(layer, nn.ReLU):
            matrix = jacrev(layer)(values).reshape(-1, values.numel())
            squared, values = matrix.square() @ squared, layer(values)
    value = norms.path_norm(module, torch.zeros(1, 2, 8, 8))
    assert value.item() == pytest.approx(squared.sum().sqrt().item(), rel=1e-12)


def test_spectral_norm_of_a_kernel_bounds_that_of_the_convolution():
    torch.manual_seed(0)
    layer = nn.Conv2d(2, 3, 3, padding=1).double()
    matrix = jacrev(layer)(torch.zeros(1, 2, 6, 6).double()).reshape(108, 72)
    of_map = torch.linalg.matrix_norm(matrix, 2).item()
    of_kernel = norms.spectral_product(layer).div(2).exp().item()
    assert of_kernel < of_map < 3 * of_kernel


def test_path_norm_of_another_layer_is_refused():
    module = nn.Sequential(nn.Linear(5, 3), nn.LayerNorm(3))
    sentence = (
        r"^networks must be sequences of linear layers, convolutions, poolings and activation "
        r"functions for a path norm, not with LayerNorm\.$"
    )
    with pytest.raises(InputError, match=sentence):
        norms.path_norm(module, torch.zeros(1, 5))

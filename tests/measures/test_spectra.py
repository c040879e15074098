import math

import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch import nn
from torch.testing import assert_close

from generalization.errors import Approximated, NoValue
from generalization.measures.spectra import (
    fitted_tail,
    log_alpha_norm,
    power_law_exponent,
    weighted_power_law_exponent,
)
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.layer_weights import rounding_norms

MEASURES = [power_law_exponent, weighted_power_law_exponent, log_alpha_norm]
HALF = [torch.float16, torch.bfloat16]


def quantiles(exponent, count=400, least=0.5):
    """Quantiles of the law with density λ^−α above a least λ, ascending."""
    shares = (torch.arange(count).double() + 0.5) / count
    return least * (1 - shares).pow(-1 / (exponent - 1))


def diagonal(*spectra):
    """A network whose layers have these eigenvalues of Wᵀ W."""
    weights = [torch.diag(spectrum.sqrt())[None] for spectrum in spectra]
    return FullyConnectedNetworks(tuple(weights), "relu")


def slow_tail(eigenvalues):
    """WeightWatcher's fit by loops: the distance, the exponent and the least eigenvalue."""
    fits = []
    for place, least in enumerate(eigenvalues[:-1]):
        tail = eigenvalues[place:]
        total = sum(math.log(x / least) for x in tail)
        exponent = 1 + len(tail) / total
        laws = [1 - (x / least) ** (1 - exponent) for x in tail]
        distance = max(abs(law - i / len(tail)) for i, law in enumerate(laws))
        fits.append((distance, exponent, least))
    return min(fits)


@pytest.mark.parametrize("exponent", [1.5, 2.0, 4.0])
def test_exponent_of_quantiles_of_a_power_law(exponent):
    tail = fitted_tail(quantiles(exponent))
    assert tail.exponent == pytest.approx(exponent, rel=0.01)
    assert tail.smallest < 0.6


def test_body_that_is_no_power_law_is_cut_off():
    body = torch.linspace(0.1, 0.5, 300).double()
    tail = fitted_tail(torch.cat([body, quantiles(3.0)]))
    assert tail.exponent == pytest.approx(3, rel=0.02)
    assert 0.45 < tail.smallest < 0.6


def test_fit_equals_the_slow_one():
    eigenvalues = torch.randn(80, generator=torch.Generator().manual_seed(0)).double().exp().sort()
    tail = fitted_tail(eigenvalues.values)
    _, exponent, least = slow_tail(eigenvalues.values.tolist())
    assert tail.exponent == pytest.approx(exponent, rel=1e-12)
    assert tail.smallest == pytest.approx(least)


def test_measures_are_means_over_layers():
    first, second = quantiles(2.0), quantiles(4.0)
    networks, tails = diagonal(first, second), [fitted_tail(first), fitted_tail(second)]
    exponents = [tail.exponent for tail in tails]
    assert power_law_exponent(networks).item() == pytest.approx(sum(exponents) / 2)
    largest = [math.log10(spectrum[-1]) for spectrum in (first, second)]
    weighted = sum(a * b for a, b in zip(exponents, largest, strict=True)) / 2
    assert weighted_power_law_exponent(networks).item() == pytest.approx(weighted)
    norms = [math.log10(tail.eigenvalues.pow(tail.exponent).sum()) for tail in tails]
    assert log_alpha_norm(networks).item() == pytest.approx(sum(norms) / 2)


@pytest.mark.parametrize("measure", MEASURES)
def test_layers_with_fewer_than_fifty_eigenvalues_are_left_out(measure):
    networks = random_networks((80, 60, 49, 10), count=2)
    assert measure(random_networks((80, 49, 10), count=2)).isnan().tolist() == [True, True]
    alone = FullyConnectedNetworks(networks.weights[:1], "relu")
    assert measure(networks).tolist() == measure(alone).tolist()
    weight = torch.randn(60, 30).double() @ torch.randn(30, 60).double()
    assert measure(FullyConnectedNetworks((weight[None],), "relu")).isnan().all()


def test_scale_of_layers_does_not_change_the_exponent():
    networks = random_networks((80, 60, 70, 10))
    scaled = networks.map(lambda part: 3 * part)
    assert power_law_exponent(scaled).item() == pytest.approx(power_law_exponent(networks).item())
    assert weighted_power_law_exponent(scaled) > weighted_power_law_exponent(networks)


def test_kernels_are_matrices_of_channels_by_windows():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(7, 60, 3), nn.ReLU()).double()
    stack = FullyConnectedNetworks((module[0].weight.detach().flatten(1)[None],), "relu")
    assert power_law_exponent(module).item() == pytest.approx(power_law_exponent(stack).item())


def orthogonal(size, dtype):
    torch.manual_seed(0)
    return torch.linalg.qr(torch.randn(size, size, dtype=torch.float64)).Q.to(dtype)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("make", [orthogonal, lambda size, dtype: torch.eye(size, dtype=dtype)])
def test_equal_eigenvalues_have_no_tail(make, dtype, measure):
    weights = (make(64, dtype)[None].double(), make(64, dtype)[None, :9].double())
    networks = FullyConnectedNetworks(weights, "relu")
    said = "^needs 50 eigenvalues, but the 64 eigenvalues of layer 1 are all equal, layer 2 has 9$"
    with pytest.warns(NoValue, match=said):
        assert measure(networks).isnan().all()


def test_tail_does_not_begin_among_equal_eigenvalues():
    rounding = 1 + 1e-16 * torch.randperm(50, generator=torch.Generator().manual_seed(0)).double()
    eigenvalues = torch.cat([
        quantiles(3.0, count=60, least=0.1).clamp_max(0.4),
        rounding.sort()[0],
    ])
    tail = fitted_tail(eigenvalues, 1e-13)
    assert tail.smallest < 0.5
    assert tail.exponent < 10


def test_layers_that_are_left_out_are_told():
    networks = random_networks((80, 60, 49, 10), count=2)
    with pytest.warns(Approximated) as warned:
        power_law_exponent(networks)
    said = [(str(one.message), one.message.networks) for one in warned]
    how = "mean over 1 of 3 layers: others have too few eigenvalues that differ"
    assert said == [(how, [True, False]), (how, [False, True])]


def thin_product(rank, size=100):
    """A square matrix of a rank, with eigenvalues of a power law but for this."""
    generator = torch.Generator().manual_seed(0)
    sides = (torch.randn(size, rank, dtype=torch.float64, generator=generator) for _ in range(2))
    left, right = (torch.linalg.qr(one).Q for one in sides)
    return left * quantiles(2.5, rank).sqrt() @ right.mT


def of_one_layer(weight, dtype, normalized):
    """A network that stores a weight in a type, followed by a normalization of equal scales."""
    layers = [nn.Linear(*weight.shape, bias=False)]
    if normalized:
        layers.append(nn.BatchNorm1d(len(weight)))
        layers[-1].running_var.fill_(1 / 3)
    with torch.no_grad():
        layers[0].weight.copy_(weight)
    return nn.Sequential(*layers, nn.ReLU()).to(dtype).eval()


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("wide", [torch.float32, torch.float64])
@pytest.mark.parametrize("narrow", HALF)
@pytest.mark.parametrize("measure", MEASURES)
def test_rounding_to_half_precision_adds_no_eigenvalues(measure, narrow, wide, normalized):
    exact, few = (thin_product(rank) for rank in (60, 40))
    found = measure(of_one_layer(exact.to(narrow), wide, normalized))
    assert_close(found, measure(of_one_layer(exact, torch.float64, normalized)), rtol=0.05, atol=0)
    said = "^needs 50 eigenvalues, but layer 1 has 40$"
    with pytest.warns(NoValue, match=said):
        measure(of_one_layer(few.to(narrow), wide, normalized))


@pytest.mark.parametrize("narrow", [*HALF, torch.float32])
@pytest.mark.parametrize("measure", MEASURES)
def test_weights_have_one_value_in_all_types_that_hold_them(measure, narrow):
    weight = torch.randn(90, 70, generator=torch.Generator().manual_seed(0)).to(narrow)
    values = []
    for wide in (narrow, torch.float32, torch.float64):
        stack = FullyConnectedNetworks((weight.to(wide)[None],), "relu")
        values += [measure(stack).item()]
        layer = nn.Linear(70, 90, bias=False, dtype=wide)
        layer.weight = nn.Parameter(weight.to(wide))
        values += [measure(nn.Sequential(layer, nn.ReLU())).item()]
    assert values == pytest.approx([values[-1]] * len(values), rel=1e-9)


@pytest.mark.parametrize("narrow", HALF)
def test_rounding_of_large_matrices_is_below_its_bound_and_not_far(narrow):
    generator = torch.Generator().manual_seed(0)
    for shape in ((300, 300), (20, 700), (700, 60)):
        exact = torch.randn(1, *shape, dtype=torch.float64, generator=generator)
        exact *= torch.randn(1, shape[0], 1, dtype=torch.float64, generator=generator).exp()
        error = torch.linalg.matrix_norm(exact.to(narrow).double() - exact, 2)
        bound = rounding_norms(exact.to(narrow).double(), [narrow])
        assert error < bound < 5 * error

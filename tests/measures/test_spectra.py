import math

import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch import nn

from generalization.measures.spectra import (
    fitted_tail,
    log_alpha_norm,
    power_law_exponent,
    weighted_power_law_exponent,
)
from generalization.networks.fully_connected import FullyConnectedNetworks


def quantiles(exponent, count=400, least=0.5):
    """Quantiles of the law with density λ^−α above a least λ, ascending."""
    shares = (torch.arange(count).double() + 0.5) / count
    return least * (1 - shares).pow(-1 / (exponent - 1))


def diagonal(*spectra):
    """A network whose layers have these eigenvalues of Wᵀ W."""
    weights = [torch.diag(spectrum.sqrt())[None] for spectrum in spectra]
    return FullyConnectedNetworks(tuple(weights), "relu")


def slow_tail(eigenvalues):
    """Clauset's fit by loops: the distance, the exponent and the least eigenvalue."""
    fits = []
    for place, least in enumerate(eigenvalues[:-1]):
        tail = eigenvalues[place:]
        total = sum(math.log(x / least) for x in tail)
        exponent = 1 + len(tail) / total
        laws = [1 - (x / least) ** (1 - exponent) for x in tail]
        distance = max(
            max(abs(law - i / len(tail)), abs(law - (i + 1) / len(tail)))
            for i, law in enumerate(laws)
        )
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


@pytest.mark.parametrize(
    "measure", [power_law_exponent, weighted_power_law_exponent, log_alpha_norm]
)
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

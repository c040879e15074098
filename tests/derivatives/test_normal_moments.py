import math

import mpmath
import pytest
import torch
from scipy.integrate import quad
from scipy.special import gammaln, hyp1f1

from generalization.derivatives.normal_moments import log_absolute_moment


def moment(order, mean, deviation):
    pair = torch.tensor([mean, deviation], dtype=torch.float64)
    return log_absolute_moment(order, *pair).item()


def by_kummer(order, mean, deviation):
    """Winkelbauer 2012, to 60 digits."""
    with mpmath.workdps(60):
        order, mean, deviation = (mpmath.mpf(value) for value in (order, mean, deviation))
        kummer = mpmath.hyp1f1(-order / 2, mpmath.mpf(1) / 2, -((mean / deviation) ** 2) / 2)
        gamma = mpmath.gamma((order + 1) / 2) / mpmath.sqrt(mpmath.pi)
        return float(mpmath.log(deviation**order * 2 ** (order / 2) * gamma * kummer))


@pytest.mark.parametrize("ratio", [0, 0.1, 1, 3, 10, 50])
@pytest.mark.parametrize("order", range(1, 13))
def test_equals_quadrature(order, ratio):
    def integrand(z):
        return abs(ratio + z) ** order * math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)

    bend = [-ratio] if ratio < 12 else []
    value = quad(integrand, -12, 12, points=bend, epsabs=0, epsrel=1e-12, limit=200)[0]
    assert moment(order, 7.0 * ratio, 7.0) == pytest.approx(
        math.log(value) + order * math.log(7), rel=1e-10, abs=1e-10
    )


@pytest.mark.parametrize("mean", [0.0, 1e-3, 1.0, 30.0, 200.0, 1e6])
@pytest.mark.parametrize("deviation", [1e-2, 1.0, 15.0])
@pytest.mark.parametrize("order", [1, 2, 3, 4, 7, 12, 33, 200])
def test_equals_kummers_function(order, deviation, mean):
    expected = by_kummer(order, mean, deviation)
    assert moment(order, mean, deviation) == pytest.approx(expected, rel=1e-13, abs=1e-13)


def test_equals_kummers_function_where_scipy_has_it():
    order, mean, deviation = 4, 200.0, 15.0
    expected = (
        order * math.log(deviation)
        + order / 2 * math.log(2)
        + gammaln((order + 1) / 2)
        - math.log(math.pi) / 2
        + math.log(hyp1f1(-order / 2, 0.5, -(mean**2) / (2 * deviation**2)))
    )
    assert moment(order, mean, deviation) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 2.0), (3.0, 2.0), (200.0, 15.0)])
def test_even_orders_are_the_plain_moments(mean, deviation):
    m, v = mean**2, deviation**2
    plain = {
        0: 1,
        2: m + v,
        4: m**2 + 6 * m * v + 3 * v**2,
        6: m**3 + 15 * m**2 * v + 45 * m * v**2 + 15 * v**3,
    }
    for order, expected in plain.items():
        assert moment(order, mean, deviation) == pytest.approx(math.log(expected), rel=1e-14)


@pytest.mark.parametrize("order", [1, 2, 5, 12])
def test_no_deviation_leaves_the_power_of_the_mean(order):
    for deviation in (0.0, 1e-300, 1e-9):
        assert moment(order, 200.0, deviation) == pytest.approx(order * math.log(200), rel=1e-14)
    assert moment(order, 0.0, 0.0) == -math.inf
    assert moment(0, 0.0, 0.0) == 0


@pytest.mark.parametrize("order", [0, 1, 2, 5, 12])
def test_scales_with_the_variable_and_knows_no_sign(order):
    expected = moment(order, 3.0, 2.0)
    assert moment(order, -3.0, 2.0) == expected
    scaled = moment(order, 3e200, 2e200) - order * 200 * math.log(10)
    assert scaled == pytest.approx(expected, abs=1e-10)


def test_one_logarithm_for_each_pair():
    mean = torch.tensor([[0.0, 1.0], [2.0, 50.0]], dtype=torch.float64)
    deviation = torch.tensor([[1.0, 0.0], [3.0, 2.0]], dtype=torch.float64)
    expected = [
        [moment(3, *pair) for pair in zip(*rows, strict=True)]
        for rows in zip(mean.tolist(), deviation.tolist(), strict=True)
    ]
    assert log_absolute_moment(3, mean, deviation).tolist() == expected

import numpy as np
import pytest
import scipy.stats
from oracles.regressions import regression

from generalization.statistics.intervals import cr2_slope


def test_slope_is_cr2_and_r_squared_is_adjusted_by_ensembles():
    generator = np.random.default_rng(0)
    ensembles = np.repeat(np.arange(9), 4)
    x = generator.normal(size=9)[ensembles] + 0.2 * generator.normal(size=36)
    y = 0.5 * x + generator.normal(size=9)[ensembles]
    slope, r_squared = regression(x, y, ensembles, level=0.9)
    expected, p_value, _ = cr2_slope(x, y, ensembles, level=0.9)
    for key, bound in (expected._asdict() | {"p_value": p_value}).items():
        assert slope[key] == pytest.approx(bound)
    means = (values.reshape(9, 4).mean(1) for values in (x, y))
    adjusted = 1 - (1 - scipy.stats.pearsonr(*means).statistic ** 2) * 8 / 7
    assert r_squared["estimate"] == pytest.approx(adjusted)


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_unit_of_the_measure_is_that_of_the_slope(unit):
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 20))
    ensembles = np.arange(20) // 2
    plain, r_squared = regression(x, y, ensembles, level=0.95)
    scaled, same = regression(x * unit, y, ensembles, level=0.95)
    for key in ("estimate", "low", "high"):
        assert scaled[key] * unit == pytest.approx(plain[key])
    assert scaled["p_value"] == pytest.approx(plain["p_value"])
    for key in ("estimate", "low", "high"):
        assert same[key] == pytest.approx(r_squared[key])


def test_perfect_fit_has_no_error():
    x = np.arange(12.0)
    slope, r_squared = regression(x, 2 * x, np.arange(12) // 2, level=0.95)
    assert (slope["estimate"], slope["low"], slope["high"]) == pytest.approx((2, 2, 2))
    assert r_squared["estimate"] == pytest.approx(1)
    assert slope["p_value"] == pytest.approx(0, abs=1e-12)

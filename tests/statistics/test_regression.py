import numpy as np
import pytest
import scipy.stats

from generalization.statistics.regression import least_squares


def sandwich(x, y, ensembles, level):
    """The cluster-robust interval, written out (Cameron & Miller 2015, eq. 11)."""
    design = np.column_stack([np.ones_like(x), x])
    bread = np.linalg.inv(design.T @ design)
    slope = bread @ design.T @ y
    errors = y - design @ slope
    scores = [design[ensembles == e].T @ errors[ensembles == e] for e in np.unique(ensembles)]
    clusters, size = len(scores), len(x)
    factor = clusters / (clusters - 1) * (size - 1) / (size - 2)
    variance = factor * bread @ sum(np.outer(score, score) for score in scores) @ bread
    half = scipy.stats.t.ppf((1 + level) / 2, clusters - 1) * np.sqrt(variance[1, 1])
    return slope[1], slope[1] - half, slope[1] + half


def test_slope_and_interval_are_the_written_out_ones():
    generator = np.random.default_rng(0)
    ensembles = np.repeat(np.arange(9), 4)
    x = generator.normal(size=9)[ensembles] + 0.2 * generator.normal(size=36)
    y = 0.5 * x + generator.normal(size=9)[ensembles]
    slope, r_squared = least_squares(x, y, ensembles, level=0.9)
    found = [slope["estimate"], slope["low"], slope["high"]]
    assert found == pytest.approx(sandwich(x, y, ensembles, 0.9), rel=1e-9)
    assert r_squared == pytest.approx(scipy.stats.pearsonr(x, y).statistic ** 2)


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_unit_of_the_measure_is_that_of_the_slope(unit):
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 20))
    ensembles = np.arange(20) // 2
    plain, r_squared = least_squares(x, y, ensembles, level=0.95)
    scaled, same = least_squares(x * unit, y, ensembles, level=0.95)
    for key in ("estimate", "low", "high"):
        assert scaled[key] * unit == pytest.approx(plain[key])
    assert (scaled["p_value"], same) == pytest.approx((plain["p_value"], r_squared))


def test_perfect_fit_has_no_error():
    x = np.arange(12.0)
    slope, r_squared = least_squares(x, 2 * x, np.arange(12) // 3, level=0.95)
    assert (slope["estimate"], slope["low"], slope["high"]) == pytest.approx((2, 2, 2))
    assert r_squared == pytest.approx(1)
    assert slope["p_value"] == pytest.approx(0, abs=1e-12)

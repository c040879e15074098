"""Coverage of every kind of interval on simulated ensembles, within its binomial band."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from oracles.regressions import regression

from generalization.statistics.correlations import spearman
from generalization.statistics.estimates import (
    CORRELATION,
    SHARE,
    crossed_mean,
    interval_over_networks,
    mean_over_networks,
)
from generalization.statistics.resampling import Resampling

LEVEL, STUDIES, SEEDS = 0.95, 300, 2
RESAMPLING = Resampling(np.random.default_rng(0), level=LEVEL)
# Three standard errors of a proportion over this number of studies.
BAND = 3 * np.sqrt(LEVEL * (1 - LEVEL) / STUDIES)


def codes_of(ensembles):
    return pd.Series(np.repeat(np.arange(ensembles), SEEDS))


def covered(interval_of, truth):
    """Share of studies whose interval contains the truth, and its estimate."""
    generator = np.random.default_rng(1)
    held = []
    for _ in range(STUDIES):
        found = interval_of(generator)
        assert found["low"] <= found["estimate"] <= found["high"]
        held.append(found["low"] <= truth <= found["high"])
    return np.mean(held)


@pytest.mark.parametrize("ensembles", [5, 8, 16])
@pytest.mark.parametrize("scale", [np.asarray, np.exp])
def test_means_have_their_level(ensembles, scale):
    def interval_of(generator):
        values = generator.normal(size=(ensembles, 1)) + 0.3 * generator.normal(size=(ensembles, 2))
        series = pd.Series(values.ravel())
        return mean_over_networks(series, codes_of(ensembles), RESAMPLING, scale=scale)

    assert abs(covered(interval_of, scale(np.zeros(1)).item()) - LEVEL) < BAND


@pytest.mark.parametrize("ensembles", [5, 8, 16])
def test_shares_have_their_level(ensembles):
    def interval_of(generator):
        of_ensembles = generator.beta(4, 2, size=ensembles)
        values = generator.binomial(50, np.repeat(of_ensembles, SEEDS)) / 50
        return mean_over_networks(pd.Series(values), codes_of(ensembles), RESAMPLING, limits=SHARE)

    assert abs(covered(interval_of, 2 / 3) - LEVEL) < BAND


@pytest.mark.parametrize("ensembles", [5, 8, 16])
def test_shares_of_binary_ensembles_are_wide_rather_than_narrow(ensembles):
    """A property holds in nine of ten ensembles, so all of five may have it."""

    def interval_of(generator):
        values = np.repeat(generator.random(ensembles) < 0.9, SEEDS).astype(float)
        return mean_over_networks(pd.Series(values), codes_of(ensembles), RESAMPLING, limits=SHARE)

    assert covered(interval_of, 0.9) > LEVEL - BAND


@pytest.mark.parametrize("ensembles", [5, 8, 16])
@pytest.mark.parametrize(("a", "b"), [(4, 2), (20, 1)])
def test_means_of_correlations_have_their_level_and_stay_within_one(ensembles, a, b):
    """The mean of correlations that all are near 1, of which intervals of t would leave ±1."""

    def interval_of(generator):
        values = np.repeat(2 * generator.beta(a, b, size=ensembles) - 1, SEEDS)
        found = mean_over_networks(
            pd.Series(values), codes_of(ensembles), RESAMPLING, limits=CORRELATION
        )
        assert -1 <= found["low"] <= found["high"] <= 1
        return found

    assert abs(covered(interval_of, 2 * a / (a + b) - 1) - LEVEL) < BAND


@pytest.mark.parametrize("ensembles", [5, 8, 16])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_rank_correlations_have_at_least_their_level(ensembles, rho):
    truth = 6 / np.pi * np.arcsin(rho / 2)

    def interval_of(generator):
        y, noise = generator.normal(size=(2, ensembles))
        x = rho * y + np.sqrt(1 - rho**2) * noise
        x, y = (np.repeat(values, SEEDS) for values in (x, y))
        return interval_over_networks(
            lambda weights: spearman(weights, x, y),
            codes_of(ensembles),
            RESAMPLING,
            correlation=True,
        )

    assert covered(interval_of, truth) > LEVEL - BAND


@pytest.mark.parametrize("ensembles", [5, 8, 16])
@pytest.mark.parametrize("interaction", [0.3, 3.0])
def test_crossed_means_have_at_least_their_level(ensembles, interaction):
    def interval_of(generator):
        values = (
            generator.normal(size=(ensembles, 1, 1))
            + 0.5 * generator.normal(size=(ensembles, SEEDS, 1))
            + 0.7 * generator.normal(size=10)
            + interaction * generator.normal(size=(ensembles, SEEDS, 10))
        )
        return crossed_mean(values.reshape(-1, 10), codes_of(ensembles), RESAMPLING)

    assert covered(interval_of, 0.0) > LEVEL - BAND


def regressions(ensembles, slope):
    """Slopes and adjusted R² of simulated studies, x and y alike within an ensemble."""
    generator = np.random.default_rng(2)
    codes = codes_of(ensembles).to_numpy()
    for _ in range(STUDIES):
        x, noise = generator.normal(size=(2, ensembles))[:, codes]
        y = slope * x + noise + 0.3 * generator.normal(size=len(x))
        yield regression(x, y, codes, level=LEVEL)


@pytest.mark.parametrize("ensembles", [5, 8, 16])
def test_slopes_have_their_level(ensembles):
    found = [slope for slope, _ in regressions(ensembles, 0.5)]
    held = np.mean([one["low"] <= 0.5 <= one["high"] for one in found])
    assert held > LEVEL - BAND


@pytest.mark.parametrize("ensembles", [8, 16])
def test_no_slope_is_found_more_often_than_the_nominal_rate(ensembles):
    found = [slope["p_value"] < 1 - LEVEL for slope, _ in regressions(ensembles, 0.0)]
    assert np.mean(found) < 1 - LEVEL + BAND


@pytest.mark.parametrize("ensembles", [5, 8, 16])
def test_explained_variance_of_nothing_is_nothing(ensembles):
    squares = [r_squared for _, r_squared in regressions(ensembles, 0.0)]
    estimates = np.array([one["estimate"] for one in squares])
    assert abs(estimates.mean()) < 3 * scipy.stats.sem(estimates)
    assert np.mean([one["low"] <= 0 <= one["high"] for one in squares]) > LEVEL - BAND

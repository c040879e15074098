import numpy as np
import pytest
import scipy.stats

from generalization.statistics.correlations import midranks
from generalization.statistics.draws import observed_counts, permuted_orders, resampled_counts
from generalization.statistics.stratified import (
    rank_deviations,
    stratified_spearman,
    stratified_spearman_null,
)


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def by_definition(x, y, strata):
    """Sums over strata, one after the other."""
    xy = xx = yy = 0
    for stratum in np.unique(strata):
        dx, dy = (scipy.stats.rankdata(v[strata == stratum]) for v in (x, y))
        dx, dy = dx - dx.mean(), dy - dy.mean()
        xy, xx, yy = xy + (dx * dy).sum(), xx + (dx * dx).sum(), yy + (dy * dy).sum()
    return xy / np.sqrt(xx * yy)


@pytest.fixture
def tied(generator):
    """Three measures and a gap with ties, in strata of unequal sizes that are not in order."""
    strata = generator.permutation(np.repeat([0, 1, 2], [12, 8, 5]))
    gap = generator.integers(0, 8, 25) + 3.0 * strata
    return generator.integers(0, 6, (3, 25)) + gap * [[1], [0], [-1]], gap, strata


def test_agrees_with_the_definition_in_every_resample(tied, generator):
    measures, gap, strata = tied
    counts = resampled_counts(strata, resamples=20, generator=generator)
    found = stratified_spearman(counts, measures, gap, strata)
    for row, x in zip(found, measures, strict=True):
        expected = [
            by_definition(*(np.repeat(v, held) for v in (x, gap, strata)))
            for held in counts.astype(int)
        ]
        assert row == pytest.approx(expected, abs=1e-12)


def test_one_stratum_is_spearmans(tied):
    measures, gap, _ = tied
    found = stratified_spearman(observed_counts(25), measures, gap, np.zeros(25, int))
    expected = [scipy.stats.spearmanr(x, gap).statistic for x in measures]
    assert found[:, 0] == pytest.approx(expected, abs=1e-12)


def test_deviations_are_midranks_less_their_mean(tied, generator):
    measures, _, strata = tied
    counts = resampled_counts(np.zeros(25, int), resamples=10, generator=generator)
    found = rank_deviations(counts, measures[0], strata)
    for stratum in range(3):
        at = strata == stratum
        expected = (
            midranks(counts[:, at], measures[0, at]) - (counts[:, at].sum(1)[:, None] + 1) / 2
        )
        held = counts[:, at] > 0
        assert found[:, at][held] == pytest.approx(expected[held])


def test_does_not_see_increasing_maps_even_one_for_each_stratum(tied):
    measures, gap, strata = tied
    once = observed_counts(25)
    mapped = np.exp(measures / 10) * (1 + strata) - 100 * strata
    expected = stratified_spearman(once, measures, gap, strata)
    assert np.array_equal(stratified_spearman(once, mapped, gap, strata), expected)


def test_simpsons_paradox_is_seen():
    strata = np.repeat([0, 1], 5)
    within = np.tile(np.arange(5.0), 2)
    measure, gap = within + 100 * strata, -within + 100 * strata
    once = observed_counts(10)
    assert stratified_spearman(once, measure[None], gap, strata) == pytest.approx(-1)
    assert stratified_spearman(once, measure[None], gap, np.zeros(10, int)) > 0.4


def test_null_is_the_statistic_of_permuted_gaps(tied, generator):
    measures, gap, strata = tied
    measures = measures.copy()
    measures[1, 3], measures[2, 4] = np.nan, np.inf
    orders = permuted_orders(strata, permutations=15, generator=generator)
    found = stratified_spearman_null(measures, gap, strata, orders)
    once = observed_counts(25)
    for row in (0, 2):
        expected = [
            stratified_spearman(once, measures[[row]], gap[order], strata)[0, 0] for order in orders
        ]
        assert found[row] == pytest.approx(expected, abs=1e-12)
    assert np.isfinite(found[1]).all()


def test_missing_value_costs_this_measure_one_ensemble_and_the_others_none(tied):
    measures, gap, strata = tied
    lacking = measures.copy()
    lacking[1, 3] = np.nan
    once, rest = observed_counts(25), np.arange(25) != 3
    found = stratified_spearman(once, lacking, gap, strata)[:, 0]
    assert found[[0, 2]] == pytest.approx(
        stratified_spearman(once, measures, gap, strata)[[0, 2], 0]
    )
    assert found[1] == pytest.approx(by_definition(measures[1, rest], gap[rest], strata[rest]))


def test_constant_within_every_stratum_has_no_correlation(generator):
    strata = np.repeat([0, 1, 2], 4)
    gap = generator.normal(size=12)
    measures = np.stack([0.1 * strata, np.full(12, np.nan)])
    orders = permuted_orders(strata, permutations=3, generator=generator)
    assert np.isnan(stratified_spearman(observed_counts(12), measures, gap, strata)).all()
    assert np.isnan(stratified_spearman_null(measures, gap, strata, orders)).all()


def test_resamples_are_the_same_few_at_a_time(monkeypatch):
    generator = np.random.default_rng(0)
    measures, gap = generator.integers(0, 9, (3, 12)).astype(float), generator.normal(size=12)
    measures[0, 3] = np.nan
    counts, strata = generator.multinomial(12, np.full(12, 1 / 12), 40), np.arange(12) % 2
    whole = stratified_spearman(counts, measures, gap, strata)
    monkeypatch.setattr("generalization.statistics.draws.BLOCK_NUMBERS", 7 * 8 * 12)
    assert np.array_equal(stratified_spearman(counts, measures, gap, strata), whole, equal_nan=True)

import numpy as np
import pytest
import scipy.stats

from generalization.statistics import draws
from generalization.statistics.correlations import (
    concordance,
    kendall,
    kendall_left_out,
    mean,
    midranks,
    pearson,
    slope,
    spearman,
)
from generalization.statistics.draws import leave_one_out_counts, left_out_groups

SCIPY = {
    pearson: scipy.stats.pearsonr,
    spearman: scipy.stats.spearmanr,
    kendall: scipy.stats.kendalltau,
}
each_correlation = pytest.mark.parametrize("correlation", SCIPY)


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.fixture
def tied(generator):
    """Values with many ties, and how often 20 resamples hold them."""
    x = generator.integers(0, 6, size=30).astype(float)
    y = x + generator.integers(-3, 4, size=30)
    return generator.multinomial(30, np.full(30, 1 / 30), size=20).astype(float), x, y


@each_correlation
def test_counting_is_repeating(correlation, tied):
    counts, x, y = tied
    written_out = [
        SCIPY[correlation](np.repeat(x, row), np.repeat(y, row)).statistic
        for row in counts.astype(int)
    ]
    assert correlation(counts, x, y) == pytest.approx(written_out, abs=1e-12)


def test_midranks_are_those_of_scipy(tied):
    counts, x, _ = tied
    for row, ranks in zip(counts.astype(int), midranks(counts, x), strict=True):
        assert np.repeat(ranks, row) == pytest.approx(scipy.stats.rankdata(np.repeat(x, row)))


@each_correlation
def test_perfect_relation_is_one(correlation, generator):
    x = generator.normal(size=(20,))
    once = np.ones((1, 20))
    assert correlation(once, x, 3 * x + 1) == pytest.approx(1)
    assert correlation(once, x, -x) == pytest.approx(-1)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("most_groups", [7, 40])
def test_kendall_without_groups_is_that_of_the_others(most_groups, tied, generator, monkeypatch):
    monkeypatch.setattr(draws, "MOST_GROUPS", most_groups)
    x, y = generator.normal(size=(2, 40))
    y += x
    if tied:
        x, y = np.round(x), np.round(2 * y)
    groups = left_out_groups(40)
    expected = kendall(leave_one_out_counts(40), x, y)
    assert len(expected) == most_groups
    assert np.array_equal(kendall_left_out(x, y, groups), expected)
    whole, *others = kendall_left_out(x, y, groups + 1)
    assert whole == kendall(np.ones((1, 40)), x, y)
    assert np.array_equal(others, expected)


@pytest.mark.parametrize("correlation", [spearman, kendall])
@pytest.mark.parametrize("increasing", [np.exp, np.arctan, lambda x: x**3])
def test_rank_correlations_do_not_see_increasing_maps(correlation, increasing, generator):
    x, y = generator.normal(size=(2, 40))
    counts = generator.multinomial(40, np.full(40, 1 / 40), size=5).astype(float)
    assert np.array_equal(correlation(counts, increasing(x), y), correlation(counts, x, y))


@each_correlation
def test_constant_has_no_correlation(correlation):
    once = np.ones((1, 4))
    # 0.1 is not a binary fraction, so the mean of equal values differs in the last bit.
    assert np.isnan(correlation(once, np.full(4, 0.1), np.arange(4.0))).all()
    assert np.isnan(correlation(once, np.arange(4.0), np.full(4, 0.1))).all()


@each_correlation
def test_resample_that_holds_one_value_has_no_correlation(correlation):
    counts = np.array([[3.0, 0, 0], [1, 1, 1]])
    r = correlation(counts, np.array([0.1, 0.2, 0.7]), np.array([1.0, 3.0, 2.0]))
    assert np.isnan(r).tolist() == [True, False]


def test_huge_value_costs_resamples_without_it_no_digits(generator):
    x, y = generator.normal(size=(2, 10))
    x[0] = 1e30
    counts = np.ones((1, 10))
    counts[0, 0] = 0
    expected = scipy.stats.pearsonr(x[1:], y[1:]).statistic
    assert pearson(counts, x, y) == pytest.approx(expected, rel=1e-12)


def test_slope_is_that_of_the_networks_written_out(tied):
    counts, x, y = tied
    expected = [
        scipy.stats.linregress(np.repeat(x, row), np.repeat(y, row)).slope
        for row in counts.astype(int)
    ]
    assert slope(counts, x, y) == pytest.approx(expected, abs=1e-12)
    assert np.isnan(slope(np.ones((1, 4)), np.full(4, 0.1), np.arange(4.0))).all()


def test_mean_is_that_of_the_finite_values(tied):
    counts, x, _ = tied
    lost = np.where(np.arange(30) % 3, x, np.nan)
    expected = [np.nanmean(np.repeat(lost, row)) for row in counts.astype(int)]
    assert mean(counts, lost) == pytest.approx(expected)
    assert np.isnan(mean(counts, np.full(30, np.inf))).all()


def test_concordance_counts_the_comparable_pairs_that_are_not_tied(tied):
    counts, x, y = tied
    groups = np.arange(30) % 4
    comparable = groups[:, None] == groups
    for row, found in zip(counts.astype(int), concordance(counts, x, y, comparable), strict=True):
        members = np.repeat(np.arange(30), row)
        signs = [
            np.sign(x[i] - x[j]) * np.sign(y[i] - y[j])
            for i in members
            for j in members
            if groups[i] == groups[j]
        ]
        untied = [sign for sign in signs if sign]
        assert found == pytest.approx(np.mean(untied))


def test_concordance_of_all_pairs_without_ties_is_kendalls(generator):
    x, y = generator.normal(size=(2, 20))
    once, all_pairs = np.ones((1, 20)), np.ones((20, 20), bool)
    assert concordance(once, x, y, all_pairs) == pytest.approx(kendall(once, x, y))
    assert np.isnan(concordance(once, x, y, ~all_pairs)).all()


def test_what_a_resample_does_not_hold_does_not_vary_in_it():
    counts = np.array([[1.0, 1, 1, 0], [1, 1, 1, 1]])
    x, y = np.array([0.1, 0.1, 0.1, 5]), np.arange(4.0)
    assert np.isnan(pearson(counts, x, y)).tolist() == [True, False]
    assert np.isnan(slope(counts, x, y)).tolist() == [True, False]

from itertools import combinations, product

import numpy as np
import pytest
import scipy.stats

from generalization.statistics import draws
from generalization.statistics.draws import permuted_orders
from generalization.statistics.granulated import (
    granulated_cells,
    granulated_intervals,
    granulated_kendall,
    granulated_kendall_null,
)
from generalization.statistics.intervals import order_bounds

LEVELS = np.array(list(product(range(2), range(3), range(4))))


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def by_definition(x, y, levels):
    """Mean τ-a over cells of every factor, cell by cell."""
    psi = []
    for factor in range(levels.shape[1]):
        rest, taus = np.delete(levels, factor, axis=1), []
        for setting in np.unique(rest, axis=0):
            pairs = list(combinations(np.flatnonzero((rest == setting).all(1)), 2))
            signs = [np.sign(x[a] - x[b]) * np.sign(y[a] - y[b]) for a, b in pairs]
            if signs:
                taus.append(np.mean(signs))
        psi.append(np.mean(taus) if taus else np.nan)
    return psi


def test_agrees_with_the_definition(generator):
    for _ in range(12):
        levels = generator.permutation(LEVELS)[:19]
        gap = generator.integers(0, 9, 19).astype(float)
        measures = generator.integers(0, 9, (2, 19)) + gap * [[0], [0.5]]
        found = granulated_kendall(measures, gap, levels)
        for m, x in enumerate(measures):
            expected = by_definition(x, gap, levels)
            assert found.by_factor[:, m, 0] == pytest.approx(expected, nan_ok=True)
            assert found.overall[m, 0] == pytest.approx(np.nanmean(expected))


def test_is_the_mean_of_scipys_tau_without_ties(generator):
    x, gap = generator.normal(size=(2, 24))
    found = granulated_kendall(x[None], gap, LEVELS).by_factor[:, 0, 0]
    table = np.stack([x, gap]).reshape(2, 2, 3, 4)
    for factor in range(3):
        cells = np.moveaxis(table, 1 + factor, -1).reshape(2, -1, table.shape[1 + factor])
        taus = [scipy.stats.kendalltau(*cells[:, c]).statistic for c in range(cells.shape[1])]
        assert found[factor] == pytest.approx(np.mean(taus))


def test_perfect_reversed_constant_and_one_axis_flipped():
    levels = np.array(list(product(range(3), repeat=3)))
    gap = levels @ [9.0, 3.0, 1.0]
    flipped = levels @ [-9.0, 3.0, 1.0]
    measures = np.stack([np.exp(gap), -gap, np.full(27, 0.1), flipped])
    found = granulated_kendall(measures, gap, levels)
    assert found.overall[:, 0] == pytest.approx([1, -1, 0, 1 / 3])
    assert found.by_factor[:, 3, 0] == pytest.approx([-1, 1, 1])
    small = granulated_kendall((levels @ [9.0, 3.0, -1.0])[None], gap, levels)
    assert small.by_factor[:, 0, 0] == pytest.approx([1, 1, -1])
    tau = scipy.stats.kendalltau(levels @ [9.0, 3.0, -1.0], gap).statistic
    assert tau == pytest.approx(1 - 2 * 27 / 351)


def test_null_is_the_statistic_of_permuted_gaps(generator, monkeypatch):
    measures, gap = generator.normal(size=(2, 24)), generator.normal(size=24)
    measures[1, 5] = np.nan
    orders = permuted_orders(np.zeros(24, int), permutations=9, generator=generator)
    found = granulated_kendall_null(measures, gap, LEVELS, orders)
    for p, order in enumerate(orders):
        expected = granulated_kendall(measures[:1], gap[order], LEVELS)
        assert found.overall[0, p] == pytest.approx(expected.overall[0, 0])
        assert found.by_factor[:, 0, p] == pytest.approx(expected.by_factor[:, 0, 0])
    assert np.isfinite(found.overall[1]).all()
    monkeypatch.setattr(draws, "BLOCK_NUMBERS", 100)
    cut = granulated_kendall_null(measures, gap, LEVELS, orders)
    assert cut.overall == pytest.approx(found.overall, abs=1e-12)


def test_psi_averages_the_factors_it_is_told(generator):
    """Not the first, as if it were the dataset: a measure that tells nothing else has Ψ = 0."""
    gap = generator.normal(size=24) + 9 * LEVELS[:, 0]
    measures = np.stack([generator.normal(size=24) + gap, LEVELS[:, 0].astype(float)])
    found = granulated_kendall(measures, gap, LEVELS, [1, 2])
    expected = np.array([by_definition(x, gap, LEVELS) for x in measures]).T
    assert found.by_factor[:, :, 0] == pytest.approx(expected)
    assert found.overall[:, 0] == pytest.approx(expected[1:].mean(0))
    assert granulated_kendall(measures, gap, LEVELS).overall[1, 0] == pytest.approx(1 / 3)
    assert found.overall[1, 0] == 0
    orders = permuted_orders(np.zeros(24, int), permutations=9, generator=generator)
    null = granulated_kendall_null(measures, gap, LEVELS, orders, [1, 2])
    assert null.overall == pytest.approx(null.by_factor[1:].mean(0))


def test_interval_of_psi_is_that_of_the_factors_it_averages(generator):
    """With one factor, it is the interval of that ψ; a measure without order there has none."""
    x, y = generator.normal(size=(2, 24))
    measures = np.stack([x, LEVELS[:, 0].astype(float)])
    overall, by_factor = granulated_intervals(measures, y, LEVELS, [2], level=0.95)
    for bound in ("estimate", "low", "high"):
        assert getattr(overall, bound) == pytest.approx(getattr(by_factor[2], bound))
    assert overall.low[0] < overall.estimate[0] < overall.high[0]
    assert (overall.low[1], overall.high[1]) == (0, 0)
    every, _ = granulated_intervals(measures, y, LEVELS, level=0.95)
    assert every.high[0] - every.low[0] < overall.high[0] - overall.low[0]


def test_missing_value_costs_this_measure_alone(generator):
    measures, gap = generator.normal(size=(2, 24)), generator.normal(size=24)
    lacking = measures.copy()
    lacking[1, 5] = np.nan
    found = granulated_kendall(lacking, gap, LEVELS).by_factor[:, :, 0]
    rest = np.arange(24) != 5
    assert found[:, 1] == pytest.approx(by_definition(measures[1, rest], gap[rest], LEVELS[rest]))
    assert found[:, 0] == pytest.approx(by_definition(measures[0], gap, LEVELS))


def test_infinite_values_are_ordered():
    levels = np.arange(3)[:, None]
    measures = np.array([[1.0, np.inf, np.inf]])
    found = granulated_kendall(measures, np.arange(3.0), levels)
    assert found.overall[0, 0] == pytest.approx(2 / 3)


def test_cells_of_one_model_are_skipped_and_counted():
    found = granulated_cells(LEVELS[:-1])
    assert found.used.tolist() == [11, 8, 6]
    assert found.skipped.tolist() == [1, 0, 0]


def test_half_fraction_has_no_granulated_correlation(generator):
    half = np.array([row for row in product(range(2), repeat=3) if sum(row) % 2 == 0])
    x, gap = generator.normal(size=(2, 4))
    assert np.isnan(granulated_kendall(x[None], gap, half).overall).all()
    assert granulated_cells(half).used.tolist() == [0, 0, 0]


def test_bounds_of_two_levels_are_those_of_the_share_of_pairs_in_order():
    """Clopper and Pearson's, by the quantiles of Beta distributions."""
    levels = np.array(list(product(range(2), range(15))))
    gap = levels[:, 0] * 20.0 + levels[:, 1]
    shares = np.array([0, 3, 8, 13, 15])
    measures = np.where(levels[:, 1] < shares[:, None], gap, -gap)
    _, (found, _) = granulated_intervals(measures, gap, levels, level=0.95)
    assert found.estimate == pytest.approx(2 * shares / 15 - 1)
    with np.errstate(all="ignore"):
        low = np.nan_to_num(scipy.stats.beta.ppf(0.025, shares, 16 - shares))
        high = np.nan_to_num(scipy.stats.beta.ppf(0.975, shares + 1, 15 - shares), nan=1)
    assert found.low == pytest.approx(2 * low - 1, abs=0.03)
    assert found.high == pytest.approx(2 * high - 1, abs=0.03)


def test_bounds_of_one_cell_are_those_of_kendalls_order(generator):
    levels, gap = np.arange(9)[:, None], np.arange(9.0)
    measures = np.stack([gap[[0, 1, 2, 4, 3, 5, 6, 8, 7]], generator.normal(size=9)])
    overall, (found,) = granulated_intervals(measures, gap, levels, level=0.95)
    assert np.array_equal(overall, found)
    for place, one in enumerate(found.estimate):
        low, high = np.sort(np.sign(one) * np.array(order_bounds(abs(one), (9,), 0.95, "kendall")))
        assert (found.low[place], found.high[place]) == pytest.approx((low, high), abs=0.02)


@pytest.mark.parametrize("r", [0.5, 0.99])
def test_intervals_cover(r, generator):
    """Also where nearly every pair is in order, at which a jackknife covers .29 instead of .95."""
    levels = np.array(list(product(range(2), range(2), range(4))))
    y, noise = generator.normal(size=(2, 200, 16))
    covered = []
    for gap, x in zip(y, r * y + np.sqrt(1 - r**2) * noise, strict=True):
        overall, by_factor = granulated_intervals(x[None], gap, levels, level=0.9)
        covered.append([
            one.low[0] <= 2 / np.pi * np.arcsin(r) <= one.high[0] for one in [overall, *by_factor]
        ])
    assert np.mean(covered, axis=0).min() > 0.9 - 3 * np.sqrt(0.9 * 0.1 / 200)


def test_ties_have_no_interval_and_few_ensembles_none_either(generator):
    x, gap = generator.normal(size=(2, 24))
    of_two_factors = LEVELS[:, 1] * 1.0
    overall, by_factor = granulated_intervals(
        np.stack([np.ones(24), of_two_factors, x]), gap, LEVELS, level=0.95
    )
    for one in (overall, *by_factor):
        assert one.low[0] == one.estimate[0] == one.high[0] == 0
    assert (by_factor[0].low[1], by_factor[0].high[1]) == (0, 0)
    assert by_factor[1].low[1] < by_factor[1].estimate[1] < by_factor[1].high[1]
    assert overall.low[2] < overall.estimate[2] < overall.high[2]
    few, _ = granulated_intervals(x[None, :4], gap[:4], LEVELS[:4], level=0.95)
    assert np.isfinite(few.estimate[0])
    assert np.isnan([few.low[0], few.high[0]]).all()

from itertools import product

import numpy as np
import pytest
import scipy.stats

from generalization.statistics import draws
from generalization.statistics.draws import observed_counts, permuted_orders, resampled_counts
from generalization.statistics.granulated import (
    granulated_cells,
    granulated_kendall,
    granulated_kendall_null,
)

LEVELS = np.array(list(product(range(2), range(3), range(4))))
ONCE = observed_counts(24)


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def by_definition(x, y, levels):
    """Mean τ-a over cells of every factor, cell by cell, over models that may be repeated."""
    psi = []
    for factor in range(levels.shape[1]):
        rest, taus = np.delete(levels, factor, axis=1), []
        for setting in np.unique(rest, axis=0):
            at = np.flatnonzero((rest == setting).all(1))
            signs = [
                np.sign(x[a] - x[b]) * np.sign(y[a] - y[b])
                for a, b in product(at, at)
                if levels[a, factor] != levels[b, factor]
            ]
            if signs:
                taus.append(np.mean(signs))
        psi.append(np.mean(taus) if taus else np.nan)
    return psi


def test_agrees_with_the_definition_in_every_resample(generator):
    levels = generator.permutation(LEVELS)[:19]
    gap = generator.integers(0, 9, 19).astype(float)
    measures = generator.integers(0, 9, (2, 19)) + gap * [[0], [0.5]]
    counts = resampled_counts(np.zeros(19, int), resamples=12, generator=generator)
    found = granulated_kendall(counts, measures, gap, levels)
    for r, held in enumerate(counts.astype(int)):
        for m, x in enumerate(measures):
            expected = by_definition(*(np.repeat(v, held, axis=0) for v in (x, gap, levels)))
            assert found.by_factor[:, m, r] == pytest.approx(expected, nan_ok=True)
            assert found.overall[m, r] == pytest.approx(np.nanmean(expected))


def test_is_the_mean_of_scipys_tau_without_ties(generator):
    x, gap = generator.normal(size=(2, 24))
    found = granulated_kendall(ONCE, x[None], gap, LEVELS).by_factor[:, 0, 0]
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
    found = granulated_kendall(observed_counts(27), measures, gap, levels)
    assert found.overall[:, 0] == pytest.approx([1, -1, 0, 1 / 3])
    assert found.by_factor[:, 3, 0] == pytest.approx([-1, 1, 1])
    small = granulated_kendall(observed_counts(27), (levels @ [9.0, 3.0, -1.0])[None], gap, levels)
    assert small.by_factor[:, 0, 0] == pytest.approx([1, 1, -1])
    tau = scipy.stats.kendalltau(levels @ [9.0, 3.0, -1.0], gap).statistic
    assert tau == pytest.approx(1 - 2 * 27 / 351)


def test_null_is_the_statistic_of_permuted_gaps(generator, monkeypatch):
    measures, gap = generator.normal(size=(2, 24)), generator.normal(size=24)
    measures[1, 5] = np.nan
    orders = permuted_orders(np.zeros(24, int), permutations=9, generator=generator)
    found = granulated_kendall_null(measures, gap, LEVELS, orders)
    for p, order in enumerate(orders):
        expected = granulated_kendall(ONCE, measures[:1], gap[order], LEVELS)
        assert found.overall[0, p] == pytest.approx(expected.overall[0, 0])
        assert found.by_factor[:, 0, p] == pytest.approx(expected.by_factor[:, 0, 0])
    assert np.isfinite(found.overall[1]).all()
    monkeypatch.setattr(draws, "BLOCK_NUMBERS", 100)
    cut = granulated_kendall_null(measures, gap, LEVELS, orders)
    assert cut.overall == pytest.approx(found.overall, abs=1e-12)


def test_missing_value_costs_this_measure_alone(generator):
    measures, gap = generator.normal(size=(2, 24)), generator.normal(size=24)
    lacking = measures.copy()
    lacking[1, 5] = np.nan
    found = granulated_kendall(ONCE, lacking, gap, LEVELS).by_factor[:, :, 0]
    rest = np.arange(24) != 5
    assert found[:, 1] == pytest.approx(by_definition(measures[1, rest], gap[rest], LEVELS[rest]))
    assert found[:, 0] == pytest.approx(by_definition(measures[0], gap, LEVELS))


def test_infinite_values_are_ordered():
    levels = np.arange(3)[:, None]
    measures = np.array([[1.0, np.inf, np.inf]])
    found = granulated_kendall(observed_counts(3), measures, np.arange(3.0), levels)
    assert found.overall[0, 0] == pytest.approx(2 / 3)


def test_cells_of_one_model_are_skipped_and_counted():
    found = granulated_cells(LEVELS[:-1])
    assert found.used.tolist() == [11, 8, 6]
    assert found.skipped.tolist() == [1, 0, 0]


def test_half_fraction_has_no_granulated_correlation(generator):
    half = np.array([row for row in product(range(2), repeat=3) if sum(row) % 2 == 0])
    x, gap = generator.normal(size=(2, 4))
    assert np.isnan(granulated_kendall(observed_counts(4), x[None], gap, half).overall).all()
    assert granulated_cells(half).used.tolist() == [0, 0, 0]

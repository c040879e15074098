from itertools import product

import numpy as np
import pytest
from oracles.conditional_information import slow_conditional_information

from generalization.statistics import draws
from generalization.statistics.conditional_information import (
    conditional_information,
    conditional_information_left_out,
    conditional_information_null,
)
from generalization.statistics.draws import (
    leave_one_out_counts,
    observed_counts,
    permuted_orders,
    resampled_counts,
)

LEVELS = np.array(list(product(range(2), range(3), range(4))))
ONCE = observed_counts(24)


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.mark.parametrize("ties", ["none", "measure", "gap", "both"])
def test_agrees_with_the_definition_in_every_resample(ties, generator):
    gap = generator.normal(size=24) + LEVELS[:, 1]
    measures = generator.normal(size=(3, 24)) + gap * [[0], [1], [-2]]
    gap = np.round(gap) if ties in ("gap", "both") else gap
    if ties in ("measure", "both"):
        measures[1:] = np.round(measures[1:])
    counts = np.vstack([
        ONCE,
        resampled_counts(np.zeros(24, int), resamples=3, generator=generator),
    ])
    found = conditional_information(counts, measures, gap, LEVELS)
    for x, row in zip(measures, found, strict=True):
        expected = [slow_conditional_information(x, gap, LEVELS, held) for held in counts]
        assert row == pytest.approx(expected, abs=1e-12)
    alone = conditional_information(counts[1:2], measures, gap, LEVELS)
    assert alone[:, 0] == pytest.approx(found[:, 1])


def test_pairs_alone_in_their_cells_tell_nothing(generator):
    levels = np.stack([np.arange(24) // 2, generator.integers(0, 3, size=24)], axis=1)
    measures, gap = generator.normal(size=(2, 24)), generator.normal(size=24)
    found = conditional_information(ONCE, measures, gap, levels)[:, 0]
    expected = [slow_conditional_information(x, gap, levels) for x in measures]
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("tied", [False, True])
def test_null_is_the_statistic_of_permuted_gaps(tied, generator, monkeypatch):
    measures, gap = generator.normal(size=(2, 24)), generator.normal(size=24)
    if tied:
        measures, gap = np.round(measures), np.round(gap)
    measures[1, 5] = np.nan
    orders = permuted_orders(np.zeros(24, int), permutations=4, generator=generator)
    found = conditional_information_null(measures, gap, LEVELS, orders)
    expected = [slow_conditional_information(measures[0], gap[order], LEVELS) for order in orders]
    assert found[0] == pytest.approx(expected, abs=1e-12)
    assert np.isfinite(found[1]).all()
    monkeypatch.setattr(draws, "BLOCK_NUMBERS", 300)
    monkeypatch.setattr("generalization.statistics.conditional_information.PAIRS_AT_A_TIME", 7)
    assert np.array_equal(conditional_information_null(measures, gap, LEVELS, orders), found)


def test_perfect_and_reversed_are_one_and_a_function_of_one_factor_is_zero(generator):
    gap = generator.normal(size=24)
    measures = np.stack([np.exp(gap), -gap, np.array([3.0, 1.0, 2.0])[LEVELS[:, 1]], np.ones(24)])
    found = conditional_information(ONCE, measures, gap, LEVELS)[:, 0]
    assert found == pytest.approx([1, 1, 0, 0], abs=1e-12)


def test_does_not_see_sign_or_increasing_maps(generator):
    gap, x = generator.normal(size=(2, 24))
    found = conditional_information(ONCE, np.stack([x, -x, np.exp(x)]), gap, LEVELS)[:, 0]
    assert found == pytest.approx(found[0])


def test_missing_value_costs_this_measure_alone_and_infinity_is_ordered(generator):
    measures, gap = generator.normal(size=(3, 24)), generator.normal(size=24)
    measures[1, 5] = np.nan
    measures[2, 6:8] = np.inf
    found = conditional_information(ONCE, measures, gap, LEVELS)[:, 0]
    rest = np.arange(24) != 5
    assert found == pytest.approx([
        slow_conditional_information(measures[0], gap, LEVELS),
        slow_conditional_information(measures[1, rest], gap[rest], LEVELS[rest]),
        slow_conditional_information(measures[2], gap, LEVELS),
    ])


def test_random_measure_on_a_small_grid_is_biased_and_its_null_knows(generator):
    measures, gap = generator.normal(size=(100, 24)), generator.normal(size=24)
    found = conditional_information(ONCE, measures, gap, LEVELS)[:, 0]
    orders = permuted_orders(np.zeros(24, int), permutations=100, generator=generator)
    null = conditional_information_null(measures[:5], gap, LEVELS, orders)
    assert 0.005 < null.mean() < 0.04
    assert found.mean() == pytest.approx(null.mean(), abs=4 * found.std() / 10)


def test_gap_that_does_not_vary_has_no_information(generator):
    found = conditional_information(ONCE, generator.normal(size=(1, 24)), np.ones(24), LEVELS)
    assert np.isnan(found).all()


@pytest.mark.parametrize("tied", [False, True])
def test_fast_jackknife_is_that_of_counts(tied, generator, monkeypatch):
    measures, gap = generator.normal(size=(4, 24)), generator.normal(size=24)
    measures[1:3] = np.round(measures[1:3])
    measures[3, 5] = np.nan
    gap = np.round(gap) if tied else gap
    expected = conditional_information(leave_one_out_counts(24), measures, gap, LEVELS)
    expected[np.isnan(measures)] = np.nan
    found = conditional_information_left_out(measures, gap, LEVELS)
    assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)
    monkeypatch.setattr(draws, "BLOCK_NUMBERS", 300)
    cut = conditional_information_left_out(measures, gap, LEVELS)
    assert np.array_equal(cut, found, equal_nan=True)


def test_no_more_than_two_factors_are_held_fixed(generator):
    levels = np.repeat(list(product(range(2), repeat=3)), 3, axis=0)
    # Both say the parity of all three levels, and nothing beyond it.
    parity = 100 * (levels.sum(1) % 2)
    measure, gap = parity + generator.normal(size=(2, 24))
    found = conditional_information(ONCE, measure[None], gap, levels)[0, 0]
    assert found == pytest.approx(slow_conditional_information(measure, gap, levels))
    assert found > 0.15


def test_every_ensemble_twice_says_what_every_ensemble_once_says(generator):
    measures, gap = generator.normal(size=(2, 24)), generator.normal(size=24)
    once = conditional_information(ONCE, measures, gap, LEVELS)
    assert conditional_information(2 * ONCE, measures, gap, LEVELS) == pytest.approx(once)


def test_what_two_factors_tell_is_exactly_nothing(generator):
    """K = 0 without rounding, so that no permutation has less: p = 1."""
    factors = generator.normal(size=(2, 3))[LEVELS[:, 0], LEVELS[:, 1]]
    measures = np.stack([LEVELS[:, 2].astype(float), factors])
    gap = generator.normal(size=24)
    orders = permuted_orders(np.zeros(24, int), permutations=99, generator=generator)
    assert (conditional_information(ONCE, measures, gap, LEVELS) == 0).all()
    assert (conditional_information_null(measures, gap, LEVELS, orders) == 0).all()

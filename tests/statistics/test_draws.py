from collections import Counter

import numpy as np
import pytest

from generalization.statistics import draws
from generalization.statistics.correlations import spearman
from generalization.statistics.draws import (
    blocks,
    complete_sets,
    leave_one_out_counts,
    observed_counts,
    only_where_measured,
    orders_among,
    permuted_orders,
    resampled_counts,
)
from generalization.statistics.intervals import jackknife_error


@pytest.fixture
def generator():
    return np.random.default_rng(0)


STRATA = np.array([1, 0, 1, 1, 0, 2])


def test_study_and_jackknife_hold_what_their_names_say():
    assert observed_counts(3).tolist() == [[1, 1, 1]]
    assert leave_one_out_counts(3).tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]


def test_resample_keeps_the_size_of_every_stratum(generator):
    counts = resampled_counts(STRATA, resamples=500, generator=generator)
    for stratum in range(3):
        members = stratum == STRATA
        assert (counts[:, members].sum(1) == members.sum()).all()
        assert counts[:, members].mean(0) == pytest.approx(np.ones(members.sum()), abs=0.15)


def test_permutation_is_uniform_within_strata(generator):
    orders = permuted_orders(STRATA, permutations=6000, generator=generator)
    assert (np.sort(orders, axis=1) == np.arange(6)).all()
    assert (STRATA[orders] == STRATA).all()
    # 3! · 2! · 1! permutations.
    frequencies = np.array(list(Counter(map(tuple, orders.tolist())).values()))
    assert len(frequencies) == 12
    assert abs(frequencies - 500).max() < 5 * np.sqrt(500)


def test_restricted_permutation_is_uniform_within_strata(generator):
    orders = permuted_orders(STRATA, permutations=6000, generator=generator)
    there = np.array([True, True, False, True, True, True])
    some = orders_among(orders, there, STRATA)
    assert (STRATA[there][some] == STRATA[there]).all()
    frequencies = np.array(list(Counter(map(tuple, some.tolist())).values()))
    assert len(frequencies) == 4
    assert abs(frequencies - 1500).max() < 5 * np.sqrt(1500)
    assert orders_among(orders, np.ones(6, bool), STRATA) is orders


def test_measures_are_grouped_by_the_ensembles_that_have_them():
    nan, inf = np.nan, np.inf
    measures = np.array([[1, 2, 3], [nan, 2, inf], [nan, 1, 1], [nan] * 3])
    found = {tuple(rows): there.tolist() for rows, there in complete_sets(measures)}
    assert found == {(0,): [True, True, True], (1, 2): [False, True, True]}


def test_blocks_are_bounded_and_cover_all_rows(monkeypatch):
    monkeypatch.setattr(draws, "BLOCK_NUMBERS", 10)
    assert [(b.start, b.stop) for b in blocks(5, 4)] == [(0, 2), (2, 4), (4, 5)]
    assert len(list(blocks(3, 1000))) == 3
    few = permuted_orders(STRATA, permutations=5, generator=np.random.default_rng(0))
    monkeypatch.undo()
    assert np.array_equal(
        few, permuted_orders(STRATA, permutations=5, generator=np.random.default_rng(0))
    )


def test_a_jackknife_of_groups_has_the_error_of_one_of_ensembles(monkeypatch):
    generator = np.random.default_rng(3)
    x = generator.normal(size=300)
    y = x + generator.normal(size=300)
    single = leave_one_out_counts(300)
    monkeypatch.setattr("generalization.statistics.draws.MOST_GROUPS", 100)
    grouped = leave_one_out_counts(300)
    assert grouped.shape == (100, 300)
    assert set(grouped.sum(1)) == {297}
    assert (grouped.sum(0) == 99).all()
    errors = [jackknife_error(spearman(counts, x, y)) for counts in (single, grouped)]
    assert errors[1] == pytest.approx(errors[0], rel=0.2)


def test_a_jackknife_of_groups_keeps_measures_with_gaps(monkeypatch):
    measures = np.array([[1.0, np.nan, 2.0, 3.0]])
    assert np.isnan(only_where_measured(np.ones((1, 4)), measures)).tolist() == [
        [False, True, False, False]
    ]
    monkeypatch.setattr("generalization.statistics.draws.MOST_GROUPS", 3)
    assert only_where_measured(np.ones((1, 3)), measures).tolist() == [[1, 1, 1]]

"""Conditional mutual information of the order of a measure and the order of the gap."""

from __future__ import annotations

from functools import partial
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array

from generalization.statistics import draws
from generalization.statistics.design import strata_codes
from generalization.statistics.draws import blocks, complete_sets, orders_among

MOST_CONDITIONS = 2  # Jiang et al. 2019
FEWEST_DRAWS = 32  # at once: a matrix product of fewer columns is slow


class Cells(NamedTuple):
    """Pairs of ensembles by the levels of some factors in both, cell after cell.

    ``rows`` are the pairs in order of cells; a pair whose first ensemble has the higher levels is
    turned round, which is row pair + pairs of an array that holds every pair both ways.
    """

    rows: Int[np.ndarray, "pairs"]
    begins: Int[np.ndarray, "cells"]
    alike: Bool[np.ndarray, "cells"]


def conditional_information(
    counts: Float[np.ndarray, "resamples ensembles"],
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    levels: Int[np.ndarray, "ensembles factors"],
) -> Float[np.ndarray, "measures resamples"]:
    """Compute K = min over |S| ≤ 2 of I(V_μ; V_g | U_S) / H(V_g | U_S) (Jiang et al. 2019).

    V are signs of differences over ordered pairs of ensembles, U_S the levels of the factors of S
    in both. A cell of U_S in which V_g does not vary has no information to give and no entropy: it
    drops out of both sums; a set S with nothing but such cells drops out of the minimum.

    K is blind to sign, so it belongs beside Ψ, and biased upwards where cells are small, so it
    belongs beside ``conditional_information_null``.

    Args:
        counts: How often every resample holds every ensemble, in whole numbers; a pair of different
            ones (a, b) counts c_a·c_b times. Repeated ensembles raise K: for intervals, take the
            jackknife, of which ``conditional_information_left_out`` is the fast form.

    Returns:
        K in [0, 1]; NaN where the gap does not vary.
    """
    found = np.full((len(measures), len(counts)), np.nan)
    for rows, there in complete_sets(measures):
        first, second = np.triu_indices(there.sum(), 1)
        conditions = _conditions(levels[there], first, second)
        of_measures = _both_ways(measures[rows][:, there], first, second)
        of_gap = _both_ways(gap[None, there], first, second)
        for block in blocks(len(counts), _numbers(first)):
            held = counts[block][:, there].T
            weights = (held[first] * held[second]).astype(np.float32)
            found[rows, block] = _least(conditions, of_measures, of_gap, weights)
    return found


def conditional_information_left_out(
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    levels: Int[np.ndarray, "ensembles factors"],
) -> Float[np.ndarray, "measures ensembles"]:
    """Compute K without each ensemble, for the jackknife.

    It is the result for ``draws.leave_one_out_counts``, at a fraction of the cost: what leaves a
    cell with an ensemble are its own pairs, and every pair is of two ensembles only.

    Returns:
        K without every ensemble; NaN where the measure has no value in that ensemble.
    """
    found = np.full(measures.shape, np.nan)
    for rows, there in complete_sets(measures):
        ensembles = there.sum()
        first, second = np.triu_indices(ensembles, 1)
        conditions = _conditions(levels[there], first, second)
        of_gap = _both_ways(gap[None, there], first, second)
        once = np.ones((len(first), 1), np.float32)
        largest = max(len(cells.begins) for cells in conditions)
        without = partial(_products_left_out, first=first, second=second, ensembles=ensembles)
        for block in blocks(len(rows), largest * ensembles):
            some = rows[block]
            of_measures = _both_ways(measures[some][:, there], first, second)
            least = _least(conditions, of_measures, of_gap, once, without)
            found[np.ix_(some, there)] = least
    return found


def conditional_information_null(
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    levels: Int[np.ndarray, "ensembles factors"],
    orders: Int[np.ndarray, "permutations ensembles"],
) -> Float[np.ndarray, "measures permutations"]:
    """Compute the same after permuting the gap over all ensembles.

    Returns:
        K of measures that say nothing: its mean is the bias to subtract, its upper tail the test.
    """
    found = np.full((len(measures), len(orders)), np.nan)
    one_stratum = np.zeros(len(gap), int)
    for rows, there in complete_sets(measures):
        first, second = np.triu_indices(there.sum(), 1)
        conditions = _conditions(levels[there], first, second)
        some, values = orders_among(orders, there, one_stratum), gap[there]
        of_measures = _both_ways(measures[rows][:, there], first, second)
        once = np.ones((len(first), 1), np.float32)
        for block in blocks(len(orders), _numbers(first)):
            permuted = _both_ways(values[some[block]], first, second)
            found[rows, block] = _least(conditions, of_measures, permuted, once)
    return found


def _numbers(first):
    """Numbers that one draw may count for, so that a block has ``FEWEST_DRAWS`` at least."""
    return min(len(first), draws.BLOCK_NUMBERS // FEWEST_DRAWS)


def _conditions(levels, first, second):
    """The cells of every set of at most two factors."""
    factors = range(levels.shape[1])
    sets = [s for size in range(MOST_CONDITIONS + 1) for s in combinations(factors, size)]
    return [_cells(strata_codes(levels[:, list(chosen)]), first, second) for chosen in sets]


def _cells(codes, first, second):
    a, b = codes[first], codes[second]
    cell = np.minimum(a, b) * (codes.max(initial=0) + 1) + np.maximum(a, b)
    order = np.argsort(cell, kind="stable")
    begins = np.flatnonzero(np.diff(cell[order], prepend=-1))
    turned = np.where(a > b, len(first), 0)
    return Cells(order + turned[order], begins, (a == b)[order][begins])


def _both_ways(values, first, second):
    """Whether the first of every pair is larger, then whether the second is: 2·pairs × rows.

    Rows are the last axis, so that choosing pairs copies whole lines of memory.
    """
    columns = np.ascontiguousarray(values.T)
    a, b = columns[first], columns[second]
    found = np.empty((2, *a.shape), np.float32)
    np.greater(a, b, out=found[0])
    np.less(a, b, out=found[1])
    return found.reshape(-1, len(values))


def _least(conditions, of_measures, of_gap, weights, products=None):
    """The smallest share of entropy over conditions: measures × draws."""
    pairs = len(weights)
    largest = max(pairs, int(weights.sum(0, dtype=float).max(initial=0)))
    # n·ln n of all counts there can be: twice the weight, where both orders share a cell.
    n = np.arange(2 * largest + 1, dtype=float)
    table = n * np.log(np.maximum(n, 1))
    tied = ~(of_measures[:pairs] + of_measures[pairs:]).all(0)
    gap_tied = not (of_gap[:pairs] + of_gap[pairs:]).all()
    found: dict[int, np.ndarray] = {}
    # Measures with ties have three signs to count, the others two.
    for some in filter(np.any, (tied, ~tied)):
        ties = (some is tied, gap_tied)
        chosen = of_measures[:, some]
        shares = [
            _share(cells, chosen, of_gap, weights, table, ties, products or _products)
            for cells in conditions
        ]
        found |= zip(np.flatnonzero(some), np.fmin.reduce(shares), strict=True)
    return np.stack([found[measure] for measure in range(len(tied))])


def _share(cells, of_measures, of_gap, weights, table, ties, products):
    """I(V_μ; V_g | U) / H(V_g | U) for the cells of one set of factors; NaN where H = 0.

    Every n is a list over signs (up, down and, where there are ties, zero) of counts of shape
    cells × measures × draws, or 1 where these do not matter.
    """
    pairs = len(weights)
    opposite = (cells.rows + pairs) % (2 * pairs)
    weighted = weights.shape[1] > 1 or (weights != 1).any()
    weights = weights[cells.rows % pairs]
    ups, downs = of_measures[cells.rows], of_measures[opposite]
    signs_of_gap = [of_gap[rows] for rows in (cells.rows, opposite)[: 1 + ties[1]]]
    if weighted:
        signs_of_gap = [weights * sign for sign in signs_of_gap]
    # A measure that is always up counts all pairs.
    ups = np.hstack([ups, np.ones((pairs, 1), np.float32)])
    by_gap, n_g = [], []
    for of_sign in [weights, *signs_of_gap]:
        up = products(ups, of_sign, cells)
        total, up = up[:, -1:], up[:, :-1]
        down = products(downs, of_sign, cells) if ties[0] else total - up
        by_gap.append([up, down, total - up - down][: 2 + ties[0]])
        n_g.append(total)
    n, n_m = n_g.pop(0), by_gap.pop(0)
    # The last sign of the gap is what the others leave.
    n_g.append(n - sum(n_g))
    by_gap.append([total - sum(parts) for total, *parts in zip(n_m, *by_gap, strict=True)])
    return _information(n, n_m, n_g, by_gap, cells.alike, table)


def _products(a, b, cells):
    """Sums of products over the pairs of every cell: cells × columns of a × columns of b."""
    found = np.empty((len(cells.begins), a.shape[1], b.shape[1]), np.float32)
    for cell, (begin, end) in enumerate(pairwise([*cells.begins, len(a)])):
        np.matmul(a[begin:end].T, b[begin:end], out=found[cell])
    return found


def _products_left_out(a, b, cells, *, first, second, ensembles):
    """The same for one column b, without every ensemble: cells × columns of a × ensembles."""
    pairs, number = len(first), len(cells.begins)
    sizes = np.diff(np.append(cells.begins, pairs))
    cell = np.repeat(np.arange(number) * ensembles, sizes)
    chosen, each = cells.rows % pairs, np.arange(pairs)
    rows = np.concatenate([cell + first[chosen], cell + second[chosen]])
    ones = np.ones(2 * pairs, np.float32)
    belongs = csr_array((ones, (rows, np.tile(each, 2))), (number * ensembles, pairs))
    own = (belongs @ (a * b)).reshape(number, ensembles, -1)
    return _products(a, b, cells) - own.transpose(0, 2, 1)


def _information(n, n_m, n_g, by_gap, alike, table):
    """Information over entropy, from sums of n·ln n."""
    joint = [list(x) for x in zip(*by_gap, strict=True)]
    opposite = [1, 0, 2]
    # Where both ensembles have the same levels, both orders of a pair are in the cell.
    both = alike[:, None, None]
    for_sum = [n + both * n]
    of_gap = [n_g[j] + both * n_g[opposite[j]] for j in range(len(n_g))]
    of_measure = [n_m[i] + both * n_m[opposite[i]] for i in range(len(n_m))]
    together = [
        joint[i][j] + both * joint[opposite[i]][opposite[j]]
        for i in range(len(n_m))
        for j in range(len(n_g))
    ]
    # A cell of two different levels stands for two, one for either order.
    share = np.where(alike, 0.5, 1.0)
    total, gap, measure, pair = (
        sum(np.tensordot(share, table[x.astype(np.int32)], 1) for x in terms)
        for terms in (for_sum, of_gap, of_measure, together)
    )
    entropy = total - gap
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (pair - measure - gap + total) / entropy
    return np.where(entropy > 1e-9 * np.maximum(total, 1), np.clip(ratio, 0, 1), np.nan)

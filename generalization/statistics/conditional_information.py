"""Conditional mutual information of the order of a measure and the order of the gap."""

from __future__ import annotations

from functools import partial
from itertools import combinations, pairwise
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array

from generalization.statistics.design import strata_codes
from generalization.statistics.draws import blocks, complete_sets, orders_among

MOST_CONDITIONS = 2  # Jiang et al. 2019
PAIRS_AT_A_TIME = 1024
ROUNDING = 1e-13  # share of a sum of n·ln n below which a difference of such sums is rounding


class Cells(NamedTuple):
    """Pairs of ensembles by the levels of some factors in both, cell after cell.

    ``lower`` and ``upper`` are the ensembles of every pair in order of cells, turned round where
    the first would have the higher levels.
    """

    lower: Int[np.ndarray, "pairs"]
    upper: Int[np.ndarray, "pairs"]
    begins: Int[np.ndarray, "cells"]
    alike: Bool[np.ndarray, "cells"]


class Draws(NamedTuple):
    """Gaps of draws, one for all of them if there is one column, and how often each holds what."""

    gaps: Int[np.ndarray, "ensembles #draws"]
    counts: Float[np.ndarray, "ensembles #draws"] | None = None


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
        counts: Number of times that each resample holds each ensemble; a pair of different
            ones (a, b) counts c_a·c_b times. Repeated ensembles raise K: for intervals, take the
            jackknife, of which ``conditional_information_left_out`` is the fast form.

    Returns:
        K in [0, 1]; NaN where the gap does not vary.
    """
    found = np.full((len(measures), len(counts)), np.nan)
    for rows, there in complete_sets(measures):
        held = np.ascontiguousarray(counts[:, there].T, np.float32)
        drawn = Draws(_dense_ranks(gap[None, there]).T, held)
        conditions = _conditions(levels[there])
        found[rows] = _least(conditions, _dense_ranks(measures[rows][:, there]), drawn)
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
        conditions = _conditions(levels[there])
        drawn = Draws(_dense_ranks(gap[None, there]).T)
        largest = max(len(cells.begins) for cells in conditions)
        for block in blocks(len(rows), largest * there.sum()):
            ranks = _dense_ranks(measures[rows[block]][:, there])
            without = partial(_products_left_out, ensembles=there.sum())
            found[np.ix_(rows[block], there)] = _least(conditions, ranks, drawn, without)
    return found


def conditional_information_null(
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    levels: Int[np.ndarray, "ensembles factors"],
    orders: Int[np.ndarray, "permutations ensembles"],
) -> Float[np.ndarray, "measures permutations"]:
    """Compute the same after permuting the gap over all ensembles.

    The null hypothesis is that measure and gap have nothing to do with each other, hyper-parameters
    included. A measure that follows a hyper-parameter, with noise, has K = 0 given that one, but no
    more so under permutations given any other: it is found far more often than the level says.
    K of a measure that is a function of two hyper-parameters or fewer is 0 and never found.

    Returns:
        K of measures that say nothing: its mean is the bias to subtract, its upper tail the test.
    """
    found = np.full((len(measures), len(orders)), np.nan)
    one_stratum = np.zeros(len(gap), int)
    for rows, there in complete_sets(measures):
        some = orders_among(orders, there, one_stratum)
        drawn = Draws(_dense_ranks(gap[None, there])[0][some.T])
        conditions = _conditions(levels[there])
        found[rows] = _least(conditions, _dense_ranks(measures[rows][:, there]), drawn)
    return found


def _dense_ranks(values):
    """Numbers of the distinct values of every row, in their order: short ones compare fastest."""
    short = np.int16 if values.shape[1] < 2**15 else np.int32
    return np.stack([np.unique(row, return_inverse=True)[1].astype(short) for row in values])


def _conditions(levels):
    """The cells of every set of at most two factors."""
    factors = range(levels.shape[1])
    sets = [s for size in range(MOST_CONDITIONS + 1) for s in combinations(factors, size)]
    conditions = [_cells(strata_codes(levels[:, list(chosen)])) for chosen in sets]
    return [cells for cells in conditions if len(cells.begins)]


def _cells(codes):
    first, second = np.triu_indices(len(codes), 1)
    turned = codes[first] > codes[second]
    lower, upper = np.where(turned, second, first), np.where(turned, first, second)
    cell = codes[lower] * (codes.max(initial=0) + 1) + codes[upper]
    # A pair alone in its cell has one sign: no entropy, and nothing to tell.
    counted = (codes[lower] == codes[upper]) | (np.bincount(cell)[cell] > 1)
    lower, upper, cell = lower[counted], upper[counted], cell[counted]
    order = np.argsort(cell, kind="stable")
    begins = np.flatnonzero(np.diff(cell[order], prepend=-1))
    lower, upper = lower[order], upper[order]
    return Cells(lower, upper, begins, (codes[lower] == codes[upper])[begins])


def _least(conditions, measures, drawn, products=None):
    """The smallest share of entropy over conditions: measures × draws."""
    ensembles, draws = len(drawn.gaps), drawn.gaps.shape[1]
    largest, gap_tied = ensembles**2 // 2, len(np.unique(drawn.gaps[:, 0])) < ensembles
    if drawn.counts is not None:
        draws = drawn.counts.shape[1]
        largest = int(np.square(drawn.counts.sum(0)).max() // 2)
    # n·ln n of all counts there can be: twice the weight, where both orders share a cell.
    n = np.arange(2 * largest + 2, dtype=float)
    table = n * np.log(np.maximum(n, 1))
    found = []
    tied = np.array([len(np.unique(row)) < ensembles for row in measures])
    # Measures with ties have three signs to count, the others two.
    for some in filter(np.any, (tied, ~tied)):
        ties = (some is tied, gap_tied)
        shares = [
            _shares(cells, measures[some], drawn, draws, table, ties, products or _products)
            for cells in conditions
        ]
        found += zip(np.flatnonzero(some), np.fmin.reduce(shares), strict=True)
    return np.stack([share for _, share in sorted(found, key=itemgetter(0))])


def _shares(cells, measures, drawn, draws, table, ties, products):
    """I(V_μ; V_g | U) / H(V_g | U) for the cells of one set of factors, block by block of draws."""
    columns = np.ascontiguousarray(measures.T)
    lower, upper = columns[cells.lower], columns[cells.upper]
    signs = [lower > upper, *([lower < upper] if ties[0] else [])]
    # A measure that is always up counts all pairs.
    signs = np.hstack([*signs, np.ones((len(lower), 1), bool)]).astype(np.float32)
    found = []
    for block in blocks(draws, 4 * len(cells.begins) * signs.shape[1]):
        some = Draws(*(None if x is None else _columns(x, block) for x in drawn))
        found.append(_share(cells, signs, some, table, ties, products))
    return np.hstack([np.broadcast_to(one, (len(measures), one.shape[1])) for one in found])


def _columns(values, block):
    """Some draws, or the column that all have."""
    return values if values.shape[1] == 1 else np.ascontiguousarray(values[:, block])


def _share(cells, signs, drawn, table, ties, products):
    """I(V_μ; V_g | U) / H(V_g | U) for the cells of one set of factors; NaN where H = 0.

    Every n is a list over signs (up, down and, where there are ties, zero) of counts of shape
    cells × measures × draws, or 1 where these do not matter.
    """
    number = (signs.shape[1] - 1) // (1 + ties[0])
    by_gap, n_g = [], []
    for sign in (None, np.greater, np.less)[: 2 + ties[1]]:
        counted = products(signs, partial(_of_gap, sign, cells, drawn), cells)
        total, up = counted[:, -1:], counted[:, :number]
        down = counted[:, number:-1] if ties[0] else total - up
        by_gap.append([up, down, total - up - down][: 2 + ties[0]])
        n_g.append(total)
    n, n_m = n_g.pop(0), by_gap.pop(0)
    # The last sign of the gap is what the others leave.
    n_g.append(n - sum(n_g))
    by_gap.append([total - sum(parts) for total, *parts in zip(n_m, *by_gap, strict=True)])
    return _information(n, n_m, n_g, by_gap, cells.alike, table)


def _of_gap(sign, cells, drawn, rows):
    """How often every draw holds some pairs whose gaps have a sign, or any: pairs × draws."""
    lower, upper = cells.lower[rows], cells.upper[rows]
    if sign is None:
        there = np.ones((len(lower), 1), np.float32)
    else:
        there = sign(drawn.gaps[lower], drawn.gaps[upper]).astype(np.float32)
    if drawn.counts is None:
        return there
    return there * drawn.counts[lower] * drawn.counts[upper]


def _products(signs, of_gap, cells):
    """Sums of products over the pairs of every cell: cells × columns of signs × draws."""
    found = None
    for cell, (begin, end) in enumerate(pairwise([*cells.begins, len(signs)])):
        # A few pairs at a time, which stay in the cache.
        for start in range(begin, end, PAIRS_AT_A_TIME):
            rows = slice(start, min(start + PAIRS_AT_A_TIME, end))
            there = of_gap(rows)
            if found is None:
                shape = len(cells.begins), signs.shape[1], there.shape[1]
                found = np.zeros(shape, np.float32)
            found[cell] += signs[rows].T @ there
    return found


def _products_left_out(signs, of_gap, cells, *, ensembles):
    """The same for one draw, without every ensemble: cells × columns of signs × ensembles."""
    pairs, number = len(signs), len(cells.begins)
    sizes = np.diff(np.append(cells.begins, pairs))
    cell = np.repeat(np.arange(number) * ensembles, sizes)
    rows = np.concatenate([cell + cells.lower, cell + cells.upper])
    ones = np.ones(2 * pairs, np.float32)
    each = np.tile(np.arange(pairs), 2)
    belongs = csr_array((ones, (rows, each)), (number * ensembles, pairs))
    own = (belongs @ (signs * of_gap(slice(None)))).reshape(number, ensembles, -1)
    return _products(signs, of_gap, cells) - own.transpose(0, 2, 1)


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
        sum(np.tensordot(share, table.take(x.astype(np.intp)), 1) for x in terms)
        for terms in (for_sum, of_gap, of_measure, together)
    )
    entropy = total - gap
    with np.errstate(invalid="ignore", divide="ignore"):
        information = pair - measure - gap + total
        ratio = np.where(information > ROUNDING * total, information, 0) / entropy
    return np.where(entropy > 1e-9 * np.maximum(total, 1), np.clip(ratio, 0, 1), np.nan)

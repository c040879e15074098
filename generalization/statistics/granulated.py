"""Granulated rank correlation: one hyper-parameter varies, all others are held fixed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from generalization.statistics.design import OneFactorPairs, one_factor_pairs, strata_codes
from generalization.statistics.draws import blocks, complete_sets, orders_among
from generalization.statistics.intervals import (
    CORRELATIONS,
    FEWEST_ENSEMBLES,
    Interval,
    inverted,
)

MOST_DRAWS = 5_000  # designs of normal values for the intervals
FEWEST_DRAWS = 1_000
PAIRS_DRAWN = 10**8  # of all designs together, where that leaves enough of them


class Granulated(NamedTuple):
    """Ψ and its ψ_i by measure and draw."""

    overall: Float[np.ndarray, "measures draws"]
    by_factor: Float[np.ndarray, "factors measures draws"]


class Cells(NamedTuple):
    """For every factor: cells with at least two models, and cells skipped for having one."""

    used: Int[np.ndarray, "factors"]
    skipped: Int[np.ndarray, "factors"]


def granulated_kendall(
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    levels: Int[np.ndarray, "ensembles factors"],
    averaged: Sequence[int] | None = None,
) -> Granulated:
    """Compute Ψ, the mean of ψ_i, each the mean of Kendall's τ over cells (Jiang et al. 2019).

    A cell of factor i holds the ensembles that differ in θ_i alone; τ is τ-a, ties count 0. Cells
    with fewer than two models are skipped, and factors without cells.

    Args:
        averaged: Positions of the factors whose ψ_i count in Ψ, by default all. What is left out,
            such as the dataset, is held fixed by the cells of all others.

    Returns:
        Ψ and ψ_i of one draw; NaN where no cell is left. Unlike ρ, they are 0 for a constant
        measure.
    """
    return granulated_kendall_null(measures, gap, levels, np.arange(len(gap))[None], averaged)


def granulated_kendall_null(
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    levels: Int[np.ndarray, "ensembles factors"],
    orders: Int[np.ndarray, "permutations ensembles"],
    averaged: Sequence[int] | None = None,
) -> Granulated:
    """Compute the same after permuting the gap over all ensembles.

    The null hypothesis is that measure and gap have nothing to do with each other, hyper-parameters
    included: a measure that follows the main effects is not covered, and only
    ``partial.partial_rank_correlation_null`` tells it from one that says more.

    Args:
        measures: As in ``granulated_kendall``.
        gap: As in ``granulated_kendall``.
        levels: As in ``granulated_kendall``.
        averaged: As in ``granulated_kendall``.
    """
    found = _empty(len(measures), len(orders), levels.shape[1])
    one_stratum = np.zeros(len(gap), int)
    for rows, there in complete_sets(measures):
        pairs, cells = _pairs_in_cells(levels[there])
        some, values = orders_among(orders, there, one_stratum), gap[there]
        signs = _signs(measures[rows][:, there], pairs)
        for block in blocks(len(orders), 2 * len(pairs.first)):
            permuted = _signs(values[some[block]], pairs)
            for factor in np.unique(pairs.factor):
                at = pairs.factor == factor
                shared = signs[:, at] * _shares(cells[at])
                found.by_factor[factor, rows, block] = shared @ permuted[:, at].T
    return found._replace(overall=_mean_of_defined(found.by_factor, averaged))


def granulated_intervals(
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    levels: Int[np.ndarray, "ensembles factors"],
    averaged: Sequence[int] | None = None,
    *,
    level: float,
) -> tuple[Interval, list[Interval]]:
    """Return Ψ and every ψ_i with the correlations of normal values that make them no rarer.

    As ``intervals.order_bounds``, with all pairs of the design in place of one order: where measure
    and gap are normal with correlation r, Ψ and ψ_i are (2/π)·asin(r) on average, and a bound is
    the one that the estimate or more (or less) has with probability (1 − level)/2. With two levels
    a cell is one pair, and the bounds of ψ_i are those of Clopper and Pearson (1934) for its share
    of pairs in order. A jackknife would not do: 16 ensembles in 8 pairs of r = .99 are nearly
    always in perfect order, of which it has no error (an interval of nominal .95 covers .29).

    A pair of (x, y) is in order where r/√(1 − r²) > −Δnoise/Δy, so that each draw is a step
    function of r, and no correlation is drawn anew.

    Args:
        averaged: Positions of the factors whose ψ_i count in Ψ, by default all.

    Returns:
        Intervals of Ψ and of the ψ_i in order of factors. NaN where no cell is left, and bounds of
        fewer than ``FEWEST_ENSEMBLES``. Where all pairs of a measure are ties, 0 has no interval
        around it.
    """
    observed = granulated_kendall(measures, gap, levels, averaged)
    in_mean = tuple(range(levels.shape[1]) if averaged is None else averaged)
    estimates = np.concatenate([observed.overall[None, :, 0], observed.by_factor[:, :, 0]])
    low, high = np.full((2, *estimates.shape), np.nan)
    for rows, there in complete_sets(measures):
        if there.sum() < FEWEST_ENSEMBLES:
            continue
        some = levels[there].astype(np.int64)
        pairs, _ = _pairs_in_cells(some)
        ordered = _signs(measures[rows][:, there], pairs) != 0
        counted = [np.isin(pairs.factor, in_mean)]
        counted += [pairs.factor == factor for factor in range(some.shape[1])]
        for place, drawn in enumerate(_drawn(some.tobytes(), some.shape, in_mean)):
            low[place, rows], high[place, rows] = inverted(drawn, estimates[place, rows], level)
            tied = rows[~ordered[:, counted[place]].any(1)]
            low[place, tied] = high[place, tied] = estimates[place, tied]
    overall, *by_factor = map(Interval, estimates, low, high)
    return overall, by_factor


@lru_cache(maxsize=4)
def _drawn(
    levels: bytes, shape: tuple[int, int], averaged: tuple[int, ...]
) -> list[Float[np.ndarray, "correlations draws"]]:
    """Ψ, then every ψ_i, of normal values with each of ``CORRELATIONS``, in ascending order."""
    pairs, cells = _pairs_in_cells(np.frombuffer(levels, np.int64).reshape(shape))
    draws = int(np.clip(PAIRS_DRAWN // max(1, len(pairs.first)), FEWEST_DRAWS, MOST_DRAWS))
    generator, steps = np.random.default_rng(0), np.arctanh(CORRELATIONS)
    psi = np.full((shape[1], len(steps), draws), np.nan, np.float32)
    for block in blocks(draws, 8 * len(pairs.first)):
        y, noise = generator.normal(size=(2, block.stop - block.start, shape[0]))
        apart = [of[:, pairs.first] - of[:, pairs.second] for of in (y, noise)]
        # tanh z is the correlation and sinh z its r/√(1 − r²): the first step that is large enough.
        first = np.searchsorted(steps, np.arcsinh(-apart[1] / apart[0]))
        for factor in np.unique(pairs.factor):
            at = pairs.factor == factor
            share, bins = _shares(cells[at]), len(steps) + 1
            ordered = np.array([np.bincount(one, share, bins) for one in first[:, at]])
            psi[factor, :, block] = 2 * ordered[:, :-1].cumsum(1).T - 1
    return [np.sort(of, axis=1) for of in (_mean_of_defined(psi, averaged), *psi)]


def granulated_cells(levels: Int[np.ndarray, "ensembles factors"]) -> Cells:
    """Count the cells that granulated correlations rest on, and those that are skipped."""
    sizes = [
        np.bincount(strata_codes(np.delete(levels, factor, axis=1)))
        for factor in range(levels.shape[1])
    ]
    used = [(size > 1).sum() for size in sizes]
    return Cells(np.array(used, int), np.array([(size == 1).sum() for size in sizes], int))


def _pairs_in_cells(levels) -> tuple[OneFactorPairs, np.ndarray]:
    """Pairs that differ in one factor, in order of factor and cell; the cell of every pair."""
    pairs = one_factor_pairs(levels)
    cells = np.zeros(len(pairs.first), int)
    for factor in range(levels.shape[1]):
        of_factor = pairs.factor == factor
        codes = strata_codes(np.delete(levels, factor, axis=1))
        cells[of_factor] = codes[pairs.first[of_factor]]
    order = np.lexsort((cells, pairs.factor))
    return OneFactorPairs(*(part[order] for part in pairs)), cells[order]


def _signs(values, pairs):
    """Sign of the second less the first of every pair, in every row; a difference of ∞ is a tie."""
    first, second = values[:, pairs.first], values[:, pairs.second]
    return (second > first).astype(np.int8) - (second < first).astype(float)


def _shares(cells):
    """Share of every pair in ψ, a mean over the pairs of a cell and then over cells."""
    _, cell, sizes = np.unique(cells, return_inverse=True, return_counts=True)
    return 1 / sizes[cell] / len(sizes)


def _empty(measures, draws, factors):
    nothing = np.full((factors, measures, draws), np.nan)
    return Granulated(nothing[:0].sum(0), nothing)


def _mean_of_defined(by_factor, averaged=None):
    by_factor = by_factor if averaged is None else by_factor[list(averaged)]
    defined = np.isfinite(by_factor)
    with np.errstate(invalid="ignore"):
        return np.where(defined, by_factor, 0).sum(0) / defined.sum(0)

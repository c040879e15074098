"""Granulated rank correlation: one hyper-parameter varies, all others are held fixed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from generalization.statistics.design import OneFactorPairs, one_factor_pairs, strata_codes
from generalization.statistics.draws import blocks, complete_sets, orders_among


class Granulated(NamedTuple):
    """Ψ and its ψ_i by measure and draw."""

    overall: Float[np.ndarray, "measures draws"]
    by_factor: Float[np.ndarray, "factors measures draws"]


class Cells(NamedTuple):
    """For every factor: cells with at least two models, and cells skipped for having one."""

    used: Int[np.ndarray, "factors"]
    skipped: Int[np.ndarray, "factors"]


def granulated_kendall(
    counts: Float[np.ndarray, "resamples ensembles"],
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    levels: Int[np.ndarray, "ensembles factors"],
) -> Granulated:
    """Compute Ψ, the mean of ψ_i, each the mean of Kendall's τ over cells (Jiang et al. 2019).

    A cell of factor i holds the ensembles that differ in θ_i alone; τ is τ-a, ties count 0. Cells
    with fewer than two models are skipped, and factors without cells.

    In a resample a pair of ensembles (a, b) counts c_a·c_b times in its cell, and a cell is skipped
    that has no pair of two different ones.

    Returns:
        Ψ and ψ_i; NaN where no cell is left. Unlike ρ, they are 0 for a constant measure.
    """
    found = _empty(len(measures), len(counts), levels.shape[1])
    for rows, there in complete_sets(measures):
        pairs, cells = _pairs_in_cells(levels[there])
        signs = _signs(measures[rows][:, there], pairs) * _signs(gap[None, there], pairs)
        for block in blocks(len(counts), 4 * len(pairs.first)):
            held = counts[block][:, there]
            weights = held[:, pairs.first] * held[:, pairs.second]
            for factor in np.unique(pairs.factor):
                at = pairs.factor == factor
                shares = _shares(weights[:, at], cells[at])
                found.by_factor[factor, rows, block] = signs[:, at] @ shares.T
    return found._replace(overall=_mean_of_defined(found.by_factor))


def granulated_kendall_null(
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    levels: Int[np.ndarray, "ensembles factors"],
    orders: Int[np.ndarray, "permutations ensembles"],
) -> Granulated:
    """Compute the same after permuting the gap over all ensembles.

    The null hypothesis is that measure and gap have nothing to do with each other, hyper-parameters
    included: a measure that follows the main effects is not covered, and only
    ``partial.partial_rank_correlation_null`` tells it from one that says more.

    Args:
        measures: As in ``granulated_kendall``.
        gap: As in ``granulated_kendall``.
        levels: As in ``granulated_kendall``.
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
                shares = _shares(np.ones((1, at.sum())), cells[at])
                found.by_factor[factor, rows, block] = (signs[:, at] * shares) @ permuted[:, at].T
    return found._replace(overall=_mean_of_defined(found.by_factor))


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


def _shares(weights, cells):
    """Share of every pair in ψ: weights scaled to a mean over pairs, then over cells left."""
    begins = np.flatnonzero(np.concatenate([[True], cells[1:] != cells[:-1]]))
    per_cell = np.add.reduceat(weights, begins, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        per_pair = np.where(per_cell > 0, 1 / per_cell, 0) / (per_cell > 0).sum(1)[:, None]
    sizes = np.diff(np.append(begins, len(cells)))
    return weights * np.repeat(per_pair, sizes, axis=1)


def _empty(measures, draws, factors):
    nothing = np.full((factors, measures, draws), np.nan)
    return Granulated(nothing[:0].sum(0), nothing)


def _mean_of_defined(by_factor):
    defined = np.isfinite(by_factor)
    with np.errstate(invalid="ignore"):
        return np.where(defined, by_factor, 0).sum(0) / defined.sum(0)

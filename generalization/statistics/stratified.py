"""Stratified Spearman correlation: pooled within the levels of what is held fixed."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from generalization.statistics.draws import blocks, complete_sets, orders_among

ARRAYS = 8  # of resamples × ensembles at once


def stratified_spearman(
    counts: Float[np.ndarray, "resamples ensembles"],
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    strata: Int[np.ndarray, "ensembles"],
) -> Float[np.ndarray, "measures resamples"]:
    """Compute ρ = Σ_ℓ Σ dx·dy / √(ΣΣdx² · ΣΣdy²) in every resample.

    dx and dy are midranks within stratum ℓ less their mean there. With one stratum this is
    Spearman's ρ; with several, a relation between strata does not count (Simpson 1951).

    Args:
        strata: Stratum of every ensemble; all equal for the pooled correlation.

    Returns:
        Correlations; NaN where measure or gap is constant within every stratum.
    """
    found = np.full((len(measures), len(counts)), np.nan)
    for rows, there in complete_sets(measures):
        codes = strata[there]
        for block in blocks(len(counts), ARRAYS * len(codes)):
            held = counts[block][:, there]
            dy = rank_deviations(held, gap[there], codes)
            weighted = held * dy
            yy = np.einsum("re,re->r", weighted, dy)
            for row in rows:
                dx = rank_deviations(held, measures[row, there], codes)
                xx = np.einsum("re,re,re->r", held, dx, dx)
                found[row, block] = _ratio(np.einsum("re,re->r", weighted, dx), xx * yy)
    return found


def stratified_spearman_null(
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    strata: Int[np.ndarray, "ensembles"],
    orders: Int[np.ndarray, "permutations ensembles"],
) -> Float[np.ndarray, "measures permutations"]:
    """Compute the same correlation after permuting the gap within strata.

    Permutations within strata leave both sums of squares as they are, so that one matrix product
    does for all measures and permutations.

    Args:
        measures: As in ``stratified_spearman``.
        gap: As in ``stratified_spearman``.
        strata: As in ``stratified_spearman``.
        orders: Result of ``draws.permuted_orders`` with the same strata, shared by all measures.

    Returns:
        Correlations under the null hypothesis that measure and gap are exchangeable within strata;
        NaN as in ``stratified_spearman``.
    """
    found = np.full((len(measures), len(orders)), np.nan)
    for rows, there in complete_sets(measures):
        some, codes = orders_among(orders, there, strata), strata[there]
        once = np.ones((1, there.sum()))
        dy = rank_deviations(once, gap[there], codes)[0]
        dx = np.stack([rank_deviations(once, measures[row, there], codes)[0] for row in rows])
        squares = np.square(dx).sum(1) * np.square(dy).sum()
        for block in blocks(len(some), len(dy)):
            found[rows, block] = _ratio(dx @ dy[some[block]].T, squares[:, None])
    return found


def rank_deviations(
    counts: Float[np.ndarray, "resamples ensembles"],
    values: Float[np.ndarray, "ensembles"],
    strata: Int[np.ndarray, "ensembles"],
) -> Float[np.ndarray, "resamples ensembles"]:
    """Return midranks within each stratum less their mean there, in every resample.

    A midrank is the number of smaller values in the stratum and half of one more than the number of
    equal ones; the mean over the n values of a stratum is (n + 1)/2.

    Args:
        counts: Number of times that each resample holds each ensemble. Deviations of ensembles
            that a resample does not hold are of no use.
        values: Values without NaN.
        strata: Stratum of every ensemble.
    """
    ascending = np.lexsort((values, strata))
    ordered, codes = values[ascending], strata[ascending]
    new_stratum = np.concatenate([[True], codes[1:] != codes[:-1]])
    new_value = new_stratum | np.concatenate([[True], ordered[1:] != ordered[:-1]])
    begins = np.flatnonzero(new_value)
    # Unlike an index, ``take`` leaves rows contiguous, which all that follows goes along.
    equal = counts.take(ascending, axis=1)
    if len(begins) < len(values):
        equal = np.add.reduceat(equal, begins, axis=1)
    until = np.cumsum(equal, axis=1)
    # Of every distinct value: where its stratum begins and ends among the distinct values.
    first = np.flatnonzero(new_stratum[begins])
    sizes = np.diff(np.append(first, len(begins)))
    after = until[:, first + sizes - 1]
    before = np.hstack([np.zeros((len(counts), 1)), after[:, :-1]])
    deviation = until - equal / 2 - np.repeat((before + after) / 2, sizes, axis=1)
    inverse = np.empty_like(ascending)
    inverse[ascending] = np.cumsum(new_value) - 1
    return deviation.take(inverse, axis=1)


def _ratio(covariance, squares):
    """Covariance over the root of the product of sums of squares, exact multiples of 1/16."""
    with np.errstate(invalid="ignore", divide="ignore"):
        r = covariance / np.sqrt(squares)
    return np.where(squares > 0, np.clip(r, -1, 1), np.nan)

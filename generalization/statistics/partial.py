"""Partial rank correlation of measures and gap, given the design of the study."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from generalization.statistics.design import orthonormal_basis, weighted_grams
from generalization.statistics.draws import blocks, complete_sets, orders_among
from generalization.statistics.stratified import rank_deviations

EXPLAINED = 1e-9  # share of a sum of squares below which a residual is rounding
NO_COVARIATES = np.empty((0, 0))


def partial_rank_correlation(
    counts: Float[np.ndarray, "resamples ensembles"],
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    design: Float[np.ndarray, "ensembles columns"],
    covariates: Float[np.ndarray, "covariates #ensembles"] = NO_COVARIATES,
) -> Float[np.ndarray, "measures resamples"]:
    """Compute r = corr(H·R(μ), H·R(g)) with H = I − ZZ⁺ in every resample.

    R are midranks over all ensembles, Z the design and the ranks of the covariates. Every resample
    ranks anew and refits Z, by normal equations weighted with the counts.

    Args:
        design: Regressors Z, an intercept among them: ``design.main_effects``, for example.
        covariates: Quantities whose ranks are held fixed too, without NaN: training loss, for
            example.

    Returns:
        Correlations; NaN where Z explains all of the ranks of measure or gap, and where it leaves
        one degree of freedom, in which every correlation is 1 or −1: see ``reasons``.
    """
    found = np.full((len(measures), len(counts)), np.nan)
    for rows, there in complete_sets(measures):
        basis = _basis(design, covariates, there)
        if there.sum() <= basis.shape[1] + 1:
            continue
        values = [gap, *covariates, *measures[rows]]
        columns = [value[there] for value in values]
        fixed = 1 + len(covariates)
        numbers = there.sum() * (len(columns) + 4) + design.shape[1] ** 2
        for block in blocks(len(counts), 2 * numbers):
            held = counts[block][:, there]
            found[rows, block] = _partial(held, columns, fixed, design[there]).T
    return found


def partial_rank_correlation_null(
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    design: Float[np.ndarray, "ensembles columns"],
    orders: Int[np.ndarray, "permutations ensembles"],
    covariates: Float[np.ndarray, "covariates #ensembles"] = NO_COVARIATES,
) -> Float[np.ndarray, "measures permutations"]:
    """Compute the same correlation after permuting residuals (Freedman & Lane 1983).

    A permutation makes the gap y* = Z·β̂ + π(H·R(g)); the statistic is corr(H·R(μ), H·y*), and
    H·y* = H·π(H·R(g)).

    Args:
        measures: As in ``partial_rank_correlation``.
        gap: As in ``partial_rank_correlation``.
        design: As in ``partial_rank_correlation``.
        covariates: As in ``partial_rank_correlation``.

    Returns:
        Correlations under the null hypothesis that, given Z, the measure says nothing of the gap;
        NaN as in ``partial_rank_correlation``.
    """
    found = np.full((len(measures), len(orders)), np.nan)
    one_stratum = np.zeros(len(gap), int)
    for rows, there in complete_sets(measures):
        some = orders_among(orders, there, one_stratum)
        basis = _basis(design, covariates, there)
        if there.sum() <= basis.shape[1] + 1:
            continue
        ranks = _ranks(np.vstack([gap, measures[rows]])[:, there], there.sum())
        left = ranks - (ranks @ basis) @ basis.T
        left[_explained(np.square(left).sum(1), np.square(ranks).sum(1))] = np.nan
        y, x = left[0], left[1:] / np.linalg.norm(left[1:], axis=1, keepdims=True)
        for block in blocks(len(some), len(y)):
            permuted = y[some[block]]
            explained = np.square(permuted @ basis).sum(1)
            found[rows, block] = (x @ permuted.T) / np.sqrt(np.square(y).sum() - explained)
    return found


def reasons(
    measures: Float[np.ndarray, "measures ensembles"],
    gap: Float[np.ndarray, "ensembles"],
    design: Float[np.ndarray, "ensembles columns"],
    covariates: Float[np.ndarray, "covariates #ensembles"] = NO_COVARIATES,
) -> list[str]:
    """Tell for every measure why it has no partial correlation; empty where it has one."""
    found = ["the measure has no value"] * len(measures)
    for rows, there in complete_sets(measures):
        basis = _basis(design, covariates, there)
        ranks = _ranks(np.vstack([gap, measures[rows]])[:, there], there.sum())
        left = np.square(ranks - (ranks @ basis) @ basis.T).sum(1)
        explained = _explained(left, np.square(ranks).sum(1))
        for row, all_of_it in zip(rows, explained[1:], strict=True):
            found[row] = _reason(
                ensembles=there.sum(),
                rank=basis.shape[1],
                constant=len(np.unique(measures[row, there])) == 1,
                measure_explained=all_of_it,
                gap_explained=explained[0],
                covariates=len(covariates),
            )
    return found


def _basis(design, covariates, there):
    """Return an orthonormal basis of the design and the ranks of the covariates."""
    return orthonormal_basis(np.hstack([design, _ranks(covariates, len(design)).T])[there])


def _reason(*, ensembles, rank, constant, measure_explained, gap_explained, covariates):
    if ensembles <= rank + 1:
        return f"{ensembles} ensembles for {rank} parameters of the design"
    if constant:
        return "the measure is the same for all ensembles"
    if measure_explained and covariates:
        return "is a function of the hyper-parameters and the covariates alone"
    if measure_explained:
        return "is a function of the hyper-parameters alone"
    return "the gap is a function of the hyper-parameters alone" if gap_explained else ""


def _partial(counts, columns, fixed, design):
    """Partial correlations of the first column with those from ``fixed`` on, by resample.

    Sums of squares and products are reduced twice: by the design, whose Gram matrix needs no ranks,
    then by the covariates, by a Schur complement.
    """
    strata = np.zeros(counts.shape[1], int)
    ranks = np.stack([rank_deviations(counts, column, strata) for column in columns], axis=2)
    weighted = counts[:, :, None] * ranks
    total = np.einsum("rev,rev->rv", weighted, ranks)
    on_design = design.T @ weighted
    gram = weighted_grams(counts, design)
    solved = np.linalg.pinv(gram, rcond=1e-10, hermitian=True) @ on_design
    squares = total - np.einsum("rpv,rpv->rv", on_design, solved)
    products = weighted.transpose(0, 2, 1) @ ranks[:, :, :fixed]
    products -= on_design.transpose(0, 2, 1) @ solved[:, :, :fixed]
    if fixed > 1:
        given = np.linalg.pinv(products[:, 1:fixed, 1:], rcond=1e-10, hermitian=True)
        on_given = products[:, :, 1:]
        solved = on_given @ given
        squares -= np.einsum("rvc,rvc->rv", on_given, solved)
        products = products[:, :, :1] - solved @ on_given[:, :1].transpose(0, 2, 1)
    squares = np.where(_explained(squares, total), np.nan, squares)
    r = products[:, fixed:, 0] / np.sqrt(squares[:, fixed:] * squares[:, :1])
    return np.clip(r, -1, 1)


def _ranks(values, ensembles):
    """Midranks of every row, less their mean."""
    once, strata = np.ones((1, ensembles)), np.zeros(ensembles, int)
    rows = [rank_deviations(once, row, strata)[0] for row in values]
    return np.stack(rows) if rows else np.empty((0, ensembles))


def _explained(left, total):
    return left <= EXPLAINED * total

"""The design of a study as regressors: what the swept hyper-parameters alone explain of the gap."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

RANK_TOLERANCE = 1e-10  # relative to the largest singular value
FEWEST_RESIDUAL_DEGREES = 5  # ASSUME: fewer leave no residual that can be permuted or resampled


class Explained(NamedTuple):
    """The share of the gap's variance that one factor, or several together, explain."""

    term: str
    degrees_of_freedom: int
    r_squared: float
    adjusted: float
    contrasts: int


class OneFactorPairs(NamedTuple):
    """Pairs of ensembles that differ in one factor alone, each once."""

    first: Int[np.ndarray, "pairs"]
    second: Int[np.ndarray, "pairs"]
    factor: Int[np.ndarray, "pairs"]


def level_codes(
    values: Sequence[Sequence[object]],
) -> Int[np.ndarray, "ensembles factors"]:
    """Number the levels of every factor.

    Args:
        values: For each factor, its value in every ensemble; the values of a factor can be sorted.

    Returns:
        Codes from 0, in the order of the values.
    """
    return np.stack([np.unique(factor, return_inverse=True)[1] for factor in values], axis=1)


def strata_codes(
    levels: Int[np.ndarray, "ensembles factors"],
) -> Int[np.ndarray, "ensembles"]:
    """Number the combinations of levels that occur; no factor at all is one stratum."""
    if not levels.shape[1]:
        return np.zeros(len(levels), int)
    return np.unique(levels, axis=0, return_inverse=True)[1].ravel()


def main_effects(
    levels: Int[np.ndarray, "ensembles factors"],
) -> Float[np.ndarray, "ensembles columns"]:
    """Return an intercept and one dummy for every level of every factor but its first.

    The columns span one dummy per level of every factor. A factor is never a numeric rank: a
    relation that is not linear in it would be left in the residual.
    """
    ones = np.ones((len(levels), 1))
    return np.hstack([ones, *(_dummies(levels[:, f]) for f in range(levels.shape[1]))])


def pairwise_interactions(
    levels: Int[np.ndarray, "ensembles factors"],
) -> Float[np.ndarray, "ensembles columns"]:
    """Return the main effects and the products of the dummies of every two factors."""
    dummies = [_dummies(levels[:, f]) for f in range(levels.shape[1])]
    products = [
        (a[:, :, None] * b[:, None, :]).reshape(len(levels), -1)
        for a, b in combinations(dummies, 2)
    ]
    return np.hstack([main_effects(levels), *products])


def allows_interactions(levels: Int[np.ndarray, "ensembles factors"]) -> bool:
    """Tell whether pairwise interactions leave ``FEWEST_RESIDUAL_DEGREES`` degrees of freedom."""
    design = pairwise_interactions(levels)
    return len(levels) - orthonormal_basis(design).shape[1] >= FEWEST_RESIDUAL_DEGREES


def orthonormal_basis(
    design: Float[np.ndarray, "ensembles columns"],
) -> Float[np.ndarray, "ensembles rank"]:
    """Return Q with QQᵀ = ZZ⁺, the projection on the span of a design Z of any rank."""
    u, s, _ = np.linalg.svd(design, full_matrices=False)
    return u[:, s > RANK_TOLERANCE * s.max(initial=0)]


def weighted_grams(
    counts: Float[np.ndarray, "resamples ensembles"],
    design: Float[np.ndarray, "ensembles columns"],
) -> Float[np.ndarray, "resamples columns columns"]:
    """Return ZᵀCZ, C the counts of a resample on its diagonal, of every resample.

    It is ZᵀZ and what counts other than 1 change of it, few in a jackknife. Of more, it goes column
    by column, since all products of two columns at once take gigabytes.
    """
    changed = counts != 1
    if 2 * changed.sum() > changed.size:
        rows = [counts @ (column[:, None] * design) for column in design.T]
        return np.stack(rows, axis=1)
    grams = np.tile(design.T @ design, (len(counts), 1, 1))
    for gram, row, at in zip(grams, counts, changed, strict=True):
        gram += (design[at].T * (row[at] - 1)) @ design[at]
    return grams


def residuals(
    values: Float[np.ndarray, "*rows ensembles"], design: Float[np.ndarray, "ensembles columns"]
) -> Float[np.ndarray, "*rows ensembles"]:
    """Return H·values with H = I − ZZ⁺, what the design Z leaves of every row."""
    basis = orthonormal_basis(design)
    return values - (values @ basis) @ basis.T


def r_squared(
    values: Float[np.ndarray, "*rows ensembles"], design: Float[np.ndarray, "ensembles columns"]
) -> Float[np.ndarray, "*rows"]:
    """Return 1 − ‖H·values‖² / ‖values − mean‖²; NaN where the values are constant.

    Args:
        values: One or more responses.
        design: Regressors, an intercept among them.
    """
    total = np.square(values - values.mean(-1, keepdims=True)).sum(-1)
    left = np.square(residuals(values, design)).sum(-1)
    constant = np.ptp(values, axis=-1) == 0
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(constant, np.nan, 1 - left / total)


def adjusted_r_squared(
    plain: Float[np.ndarray, "*rows"] | float, ensembles: int, rank: int
) -> Float[np.ndarray, "*rows"]:
    """Return 1 − (1 − R²)(E − 1)/(E − rank), unbiased for 0 (Theil 1961); NaN if E ≤ rank.

    Args:
        plain: R² of a least-squares fit to E ensembles.
        ensembles: E, the number of independent observations: ensembles, not networks.
        rank: Rank of the regressors, intercept included.
    """
    free = ensembles - rank
    return 1 - (1 - np.asarray(plain)) * ((ensembles - 1) / free if free > 0 else np.nan)


def explained_by_design(
    gap: Float[np.ndarray, "ensembles"],
    levels: Int[np.ndarray, "ensembles factors"],
    names: Sequence[str],
    blocks: Int[np.ndarray, "ensembles factors"] | None = None,
) -> list[Explained]:
    """Compute R² of the gap on each factor, on all main effects, and with their interactions.

    Within blocks, such as datasets, the share of a factor is what it adds to theirs.

    Args:
        gap: Mean generalization gap of every ensemble.
        levels: Level of every factor in every ensemble.
        names: Names of the factors.
        blocks: Levels of factors whose share comes first, some of those of ``levels``.

    Returns:
        One entry per factor, then ``main effects``, then ``main effects and interactions``, with
        R² plain and adjusted, the degrees of freedom spent, and the number of pairs of ensembles
        that differ in this factor alone (in any one factor, for the last two). R² of the
        interactions is NaN where ``allows_interactions`` is false.
    """
    pairs = one_factor_pairs(levels)
    contrasts = np.bincount(pairs.factor, minlength=levels.shape[1])
    first = main_effects(levels[:, :0] if blocks is None else blocks)
    entries = [
        _explained(name, gap, main_effects(levels[:, [f]]), contrasts[f], first)
        for f, name in enumerate(names)
    ]
    together = {
        "main effects": main_effects(levels),
        "main effects and interactions": pairwise_interactions(levels),
    }
    alone = np.ones((len(gap), 1))
    all_main, interactions = (
        _explained(term, gap, design, contrasts.sum(), alone) for term, design in together.items()
    )
    if not allows_interactions(levels):
        interactions = interactions._replace(r_squared=np.nan, adjusted=np.nan)
    return [*entries, all_main, interactions]


def most_explaining_factor(
    gap: Float[np.ndarray, "ensembles"], levels: Int[np.ndarray, "ensembles factors"]
) -> int:
    """Return the factor with the largest adjusted R² of the gap, the first among equals.

    Raises:
        ValueError: If there is no factor.
    """
    if not levels.shape[1]:
        raise ValueError("levels must have at least 1 factor, not 0.")
    names = [str(f) for f in range(levels.shape[1])]
    entries = explained_by_design(gap, levels, names)[: len(names)]
    return int(np.argmax([np.nan_to_num(entry.adjusted, nan=-np.inf) for entry in entries]))


def one_factor_pairs(levels: Int[np.ndarray, "ensembles factors"]) -> OneFactorPairs:
    """Find the pairs of ensembles that differ in exactly one factor.

    Returns:
        Each pair once, the lower level code first, and the factor in which it differs.
    """
    differ = levels[:, None, :] != levels[None, :, :]
    first, second = np.nonzero(np.triu(differ.sum(2) == 1))
    factor = np.argmax(differ[first, second], axis=1)
    swapped = levels[first, factor] > levels[second, factor]
    return OneFactorPairs(
        np.where(swapped, second, first), np.where(swapped, first, second), factor
    )


def _dummies(codes):
    """One column for every level but the first."""
    return (codes[:, None] == np.unique(codes)[1:]).astype(float)


def _explained(term, gap, design, contrasts, first):
    """What a design adds to one that comes first; of a part of that, what it explains."""
    ranks = [orthonormal_basis(one).shape[1] for one in (first, np.hstack([first, design]))]
    if ranks[0] == ranks[1]:
        first = np.ones((len(gap), 1))
        ranks = [1, orthonormal_basis(design).shape[1]]
    plain = [r_squared(gap, one) for one in (first, np.hstack([first, design]))]
    adjusted = [adjusted_r_squared(*one) for one in zip(plain, [len(gap)] * 2, ranks, strict=True)]
    return Explained(
        term,
        ranks[1] - ranks[0],
        float(plain[1] - plain[0]),
        float(adjusted[1] - adjusted[0]),
        int(contrasts),
    )

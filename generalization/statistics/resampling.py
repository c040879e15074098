"""Resampling networks as they came about: ensembles first, seeds within them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from generalization.statistics.correlations import midranks


def bootstrap_counts(
    ensembles: Int[np.ndarray, "networks"], *, resamples: int, generator: np.random.Generator
) -> Float[np.ndarray, "resamples networks"]:
    """How often every resample of a two-stage bootstrap holds every network.

    A resample draws as many ensembles as there are, with replacement, and for every ensemble drawn
    as many of its seeds as it has, with replacement (Davison & Hinkley 1997, §3.8). Ensembles that
    are drawn k times draw k times their seeds, so that the counts are multinomial in both stages.

    Args:
        ensembles: Ensemble of every network, 0 … ensembles − 1.
        resamples: How many.
        generator: Of the draws.
    """
    sizes = np.bincount(ensembles)
    drawn = generator.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=resamples)
    counts = np.empty((resamples, len(ensembles)))
    for ensemble, size in enumerate(sizes):
        seeds = generator.multinomial(drawn[:, ensemble] * size, np.full(size, 1 / size))
        counts[:, ensembles == ensemble] = seeds
    return counts


def permutation_p_value(
    x: Float[np.ndarray, "networks"],
    y: Float[np.ndarray, "networks"],
    ensembles: Int[np.ndarray, "networks"],
    *,
    kind: str,
    permutations: int,
    generator: np.random.Generator,
) -> float:
    """Two-sided p-value of no relation, by permuting the gaps of whole ensembles.

    Networks of one ensemble differ in nothing but their seed: they are not independent, and a test
    that takes them for so finds relations in noise. What can be exchanged if there is no relation
    are ensembles. So x and y are averaged over the seeds of every ensemble (ranks among all
    networks for rank correlations, so that the test does not depend on the scale of the measure),
    and the averages of y are permuted between ensembles.

    Args:
        x: Measure, on the scale on which it is correlated.
        y: Gap.
        ensembles: Ensemble of every network, 0 … ensembles − 1.
        kind: ``pearson``, ``spearman`` or ``kendall``, of the averages.
        permutations: How many, beside the one observed.
        generator: Of the permutations.

    Returns:
        (1 + permutations with a correlation at least as large) / (1 + permutations), never 0.
    """
    if kind != "pearson":
        x, y = (midranks(np.ones((1, len(values))), values)[0] for values in (x, y))
    x, y = (np.bincount(ensembles, values) / np.bincount(ensembles) for values in (x, y))
    if kind == "kendall":
        # Only the order matters; small whole numbers are exact in single precision, and faster.
        x, y = (np.unique(v, return_inverse=True)[1].astype(np.float32) for v in (x, y))
    # One row for the order that was observed, then the permuted ones.
    observed = np.arange(len(y))[None]
    orders = generator.permuted(np.repeat(observed, permutations, axis=0), axis=1)
    correlation = _kendall_numerators if kind == "kendall" else _covariances
    found = np.abs(correlation(x, y[np.concatenate([observed, orders])]))
    # Sums of the same numbers in another order differ by rounding.
    as_large: Bool[np.ndarray, "permutations"] = found[1:] >= found[0] * (1 - 1e-9)
    return (1 + as_large.sum()) / (1 + permutations)


def _covariances(x, permuted):
    """Pearson's r but for a factor that no permutation changes."""
    return (permuted - permuted.mean(1, keepdims=True)) @ (x - x.mean())


def _kendall_numerators(x, permuted):
    """Kendall's τ-b but for a factor that no permutation changes."""
    return sum(
        np.sign(permuted[:, i, None] - permuted[:, i + 1 :]) @ np.sign(x[i] - x[i + 1 :])
        for i in range(len(x) - 1)
    )

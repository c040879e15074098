"""Noise ceilings: how strong a correlation the seeds and the test set leave possible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.stats
from jaxtyping import Bool, Float

from generalization.statistics.design import orthonormal_basis
from generalization.statistics.draws import leave_one_out_counts
from generalization.statistics.intervals import Interval, jackknife_interval


class Reliability(NamedTuple):
    """Share of the variance of ensemble means that is not noise of seeds, and its interval."""

    between: Float[np.ndarray, "*rows"]
    within: Float[np.ndarray, "*rows"]
    reliability: Float[np.ndarray, "*rows"]
    low: Float[np.ndarray, "*rows"]
    high: Float[np.ndarray, "*rows"]
    p_value: Float[np.ndarray, "*rows"]


class Ceilings(NamedTuple):
    """Largest correlations of a perfect measure with a gap of some reliability."""

    pearson: Float[np.ndarray, "*rows"]
    spearman: Float[np.ndarray, "*rows"]
    kendall: Float[np.ndarray, "*rows"]


class GapVariance(NamedTuple):
    """Variance of test accuracies of one ensemble, by its source."""

    total: float
    of_seeds: float
    of_test_set: float


def reliability(
    values: Float[np.ndarray, "*rows ensembles seeds"],
    design: Float[np.ndarray, "ensembles columns"] | None = None,
    *,
    level: float = 0.95,
) -> Reliability:
    """Estimate rel = σ_B²/(σ_B² + σ_W²/S) by a one-way analysis of variance (Searle et al. 1992).

    σ_W² is the variance within ensembles, S the harmonic mean of their numbers of seeds, and
    σ_B² + σ_W²/S the variance of ensemble means around what the design explains, with E − rank
    degrees of freedom. Its interval inverts the F test of rel = 0 (Shrout & Fleiss 1979).

    The reliability of the gap bounds every measure; that of a measure tells if it is repeatable.

    Args:
        values: One number per network; NaN where there is no network.
        design: Columns that correlations hold fixed, intercept included: dummies of strata, main
            effects. By default the intercept alone.

    Returns:
        Variances and reliability, cut at 0, and the p-value of the F test of rel = 0; NaN without
        an ensemble of two seeds or without degrees of freedom, and where the values are constant.
    """
    there = np.isfinite(values)
    seeds = there.sum(-1)
    known = np.where(there, values, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = known.sum(-1) / seeds
        squares = np.where(there, np.square(known - means[..., None]), 0).sum((-1, -2))
        free_within = np.maximum(seeds - 1, 0).sum(-1)
        within = squares / free_within
        used = seeds > 0
        harmonic = used.sum(-1) / np.where(used, 1 / seeds, 0).sum(-1)
        left, free = _residual(means, design)
        of_means = left / free
        noise = within / harmonic
        ratio = of_means / noise
        low, high = (
            np.clip(1 - scipy.stats.f.ppf(q, free, free_within) / ratio, 0, 1)
            for q in ((1 + level) / 2, (1 - level) / 2)
        )
        p_value = scipy.stats.f.sf(ratio, free, free_within)
        between = np.maximum(of_means - noise, 0)
        found = np.where(of_means > 0, np.clip(1 - 1 / ratio, 0, 1), np.nan)
    undefined = np.isnan(found)
    low, high, p_value = (np.where(undefined, np.nan, x) for x in (low, high, p_value))
    return Reliability(between, within, found, low, high, p_value)


def noise_ceilings(reliability: Float[np.ndarray, "*rows"]) -> Ceilings:
    """Return √rel, (6/π)·asin(√rel/2) and (2/π)·asin √rel.

    The correlation of a normal value with itself plus independent normal noise, and the Spearman
    and Kendall correlations of normal pairs with this Pearson correlation (Kruskal 1958, §§5, 6).

    Args:
        reliability: Reliability of the gap, in [0, 1]; multiply by that of a measure for the
            ceiling of what is observed of a noisy measure.
    """
    root = np.sqrt(np.asarray(reliability, float))
    return Ceilings(root, 6 / np.pi * np.arcsin(root / 2), 2 / np.pi * np.arcsin(root))


def accuracy_variance(correct: Bool[np.ndarray, "seeds images"]) -> GapVariance:
    """Split the variance of test accuracies between seeds into its sources (Jordan 2024).

    With A the accuracy of a seed on n images and C_i whether it is right on image i, the variance
    between seeds of accuracies on the distribution is [n²·Var A − Σ Var C_i]/(n(n − 1)). What
    remains of Var A is due to the finite test set. Variances over seeds are unbiased.

    Args:
        correct: Whether every network classifies every test image correctly.

    Returns:
        Variance of A between seeds, of accuracies on the distribution (may be negative: it is
        unbiased), and the difference; NaN with one seed or one image.
    """
    seeds, n = correct.shape
    if seeds < 2 or n < 2:
        return GapVariance(np.nan, np.nan, np.nan)
    total = correct.mean(1).var(ddof=1)
    of_images = correct.var(axis=0, ddof=1).sum()
    of_seeds = (n**2 * total - of_images) / (n * (n - 1))
    return GapVariance(float(total), float(of_seeds), float(total - of_seeds))


def share_of_test_set(
    correct: Sequence[Bool[np.ndarray, "seeds images"]], *, level: float = 0.95
) -> tuple[Interval, int]:
    """Estimate the share of the variance of test accuracies between seeds that the test set makes.

    The sum over ensembles of what ``accuracy_variance`` calls that of the test set, divided by the
    sum of the totals: a ratio of sums, to which an ensemble without any variance adds nothing. It
    is 1 where seeds are equally good on the distribution and differ in which images of this test
    set they get wrong; it may be larger by chance. Its interval is that of a jackknife over
    ensembles, cut at 0.

    Args:
        correct: Whether each network of every ensemble classifies each image of its test set
            correctly.

    Returns:
        The share, NaN without an ensemble of two seeds that differ; and the number of ensembles of
        two seeds or more. Bounds are NaN with fewer than ``FEWEST_ENSEMBLES``.
    """
    parts = np.array([accuracy_variance(one) for one in correct]).reshape(-1, 3)
    total, _, of_test_set = parts[np.isfinite(parts).all(1)].T
    held = np.vstack([np.ones((1, len(total))), leave_one_out_counts(len(total))])
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = held @ of_test_set / (held @ total)
    bounds = (0.0, np.inf)
    interval = jackknife_interval(shares[:1], shares[None, 1:], level=level, bounds=bounds)
    return Interval(*(float(part[0]) for part in interval)), len(total)


def _residual(means, design):
    """Sum of squares of ensemble means around the design, and its degrees of freedom, by row."""
    design = np.ones((means.shape[-1], 1)) if design is None else design
    rows = means.reshape(-1, means.shape[-1])
    left, free = np.full((2, len(rows)), np.nan)
    for row, values in enumerate(rows):
        there = np.isfinite(values)
        basis = orthonormal_basis(design[there])
        free[row] = max(there.sum() - basis.shape[1], 0)
        residual = values[there] - basis @ (basis.T @ values[there])
        squares = np.square(residual).sum()
        # Rounding is no variance.
        left[row] = squares if squares > 1e-24 * np.square(values[there]).sum() else 0
    shape = means.shape[:-1]
    return left.reshape(shape), free.reshape(shape)

"""Quantile regression of the gap on a measure, in all resamples at once."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from generalization.statistics.draws import blocks

# ASSUME: slopes to 1e-5 standard deviations of y per standard deviation of x are exact enough.
BISECTIONS = 18


def quantile_slopes(
    counts: Float[np.ndarray, "resamples networks"],
    x: Float[np.ndarray, "networks"],
    y: Float[np.ndarray, "networks"],
    *,
    quantile: float,
) -> Float[np.ndarray, "resamples"]:
    """Compute the slope of the quantile τ of y given x in every resample (Koenker & Bassett 1978).

    Minimizes h(b) = min_a Σ count·ρ_τ(y − a − b·x) with ρ_τ(r) = r·(τ − 1[r < 0]). h is convex, and
    the best a for a slope b is the quantile of y − b·x, so that the sign of h′ tells on which side
    the minimum lies: b is found by bisection, over the angle of the line.

    Args:
        counts: Number of times that each resample holds each network.
        x: Measure, finite.
        y: Gap, finite.
        quantile: τ, between 0 and 1.

    Returns:
        Slopes b; NaN in resamples in which x does not vary.

    Raises:
        ValueError: If quantile is not between 0 and 1.
    """
    if not 0 < quantile < 1:
        raise ValueError(f"quantile must be between 0 and 1, not {quantile!r}.")
    scale = (y.std() or 1.0) / (x.std() or 1.0)
    slopes = np.empty(len(counts))
    for block in blocks(len(counts), 4 * len(x)):
        held = counts[block]
        low, high = np.full((2, len(held)), [[-np.pi / 2], [np.pi / 2]])
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            beyond = _derivative(held, x, y, scale * np.tan(middle), quantile) > 0
            low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
        varies = np.array([np.ptp(x[row > 0]) > 0 for row in held], bool)
        slopes[block] = np.where(varies, scale * np.tan((low + high) / 2), np.nan)
    return slopes


def _derivative(counts, x, y, slopes, quantile):
    """h′(b) = −Σ count·x·ψ, where ψ at the quantile itself makes Σ count·ψ vanish."""
    order = np.argsort(y - slopes[:, None] * x, axis=1)
    weights = np.take_along_axis(counts, order, axis=1)
    below, moments = np.cumsum(weights, axis=1), np.cumsum(weights * x[order], axis=1)
    total, rows = below[:, -1], np.arange(len(counts))
    at = np.argmax(below >= quantile * total[:, None], axis=1)
    # Σ count·ψ·(x − x_at) over points below, where ψ = τ − 1, and above, where ψ = τ.
    here = x[order[rows, at]]
    lower = moments[rows, at] - here * below[rows, at]
    upper = moments[:, -1] - here * total - lower
    return (1 - quantile) * lower - quantile * upper

"""Quantile regression of the gap on a measure, in all resamples at once."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from generalization.statistics.draws import blocks

FLOOR = 1e-6  # of absolute residuals, in standard deviations of y
ITERATIONS = 1000
TOLERANCE = 1e-6


def quantile_slopes(
    counts: Float[np.ndarray, "resamples networks"],
    x: Float[np.ndarray, "networks"],
    y: Float[np.ndarray, "networks"],
    *,
    quantile: float,
) -> Float[np.ndarray, "resamples"]:
    """Compute the slope of the quantile τ of y given x in every resample (Koenker & Bassett 1978).

    Minimizes Σ count·ρ_τ(y − a − b·x) with ρ_τ(r) = r·(τ − 1[r < 0]) by iteratively reweighted
    least squares: ρ_τ(r) ≤ w·r²/2 + constant with w = |τ − 1[r < 0]|/|r| (Hunter & Lange 2000). The
    floor under |r| falls from half a standard deviation of y to ``FLOOR``, which keeps the first
    steps from sticking to single points.

    Args:
        counts: How often each resample holds every network.
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
    scale = y.std() or 1.0
    slopes = np.empty(len(counts))
    for block in blocks(len(counts), 4 * len(x)):
        slopes[block] = _slopes(counts[block], x, y / scale, quantile)
    return scale * slopes


def _slopes(counts, x, y, quantile):
    weights, slopes = counts, np.zeros(len(counts))
    for step in range(ITERATIONS):
        intercepts, found = _least_squares(weights, x, y)
        moved = np.abs(found - slopes)
        slopes, floor = found, max(FLOOR, 0.5 ** (step + 1))
        if floor == FLOOR and np.nanmax(moved, initial=0) < TOLERANCE:
            break
        residuals = y - intercepts[:, None] - slopes[:, None] * x
        sides = np.where(residuals < 0, 1 - quantile, quantile)
        weights = counts * sides / np.maximum(np.abs(residuals), floor)
    return slopes


def _least_squares(weights, x, y):
    """Intercept and slope of weighted least squares, one pair per row of weights."""
    total = weights.sum(1)
    mean_x, mean_y = weights @ x / total, weights @ y / total
    inner = x - mean_x[:, None]
    spread = np.einsum("rn,rn,rn->r", weights, inner, inner)
    flat = spread <= 1e-12 * total * np.square(x).max(initial=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        slopes = np.where(flat, np.nan, np.einsum("rn,rn,n->r", weights, inner, y) / spread)
    return mean_y - slopes * mean_x, slopes

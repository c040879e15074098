"""Chance levels of similarities."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from scipy.special import gammaln


@cache
def null_mean_correlation(
    rank_a: int, rank_b: int, datapoints: int, *, complex_valued: bool = False
) -> float:
    """Return the mean canonical correlation of a subspace and an independent uniform subspace.

    This is the law for two independent layers if one is Gaussian, for any distribution of the
    other: the squares of ρ form a Jacobi ensemble with p, q and n = N − 1 (centering removes one).
    For one coefficient the mean is exact, since ρ² is Beta-distributed. For more it is Wachter's
    limit with the next-order term (Bai & Silverstein 2004), which agrees with simulations within
    0.01 from two units up and within 0.001 from ten up. If p + q > n, p + q − n coefficients are 1.

    Weighted means have the same expectation: the weights of PWCCA depend only on U, which is
    independent of ρ and exchangeable between coefficients.

    Args:
        rank_a: Dimension p of the span of the units of one layer.
        rank_b: Dimension q of the span of the units of the other layer.
        datapoints: Number N of datapoints.
        complex_valued: Whether layers are complex, as after a Fourier transform.

    Returns:
        Mean ρ under independence; NaN if a layer spans nothing.
    """
    p, q = sorted((rank_a, rank_b))
    n = datapoints - 1
    if p == 0:
        return math.nan
    if q >= n:
        return 1.0
    if p == 1:
        shape, total = (q, n) if complex_valued else (q / 2, n / 2)
        terms = gammaln(shape + 0.5), gammaln(total), gammaln(shape), gammaln(total + 0.5)
        return math.exp(terms[0] + terms[1] - terms[2] - terms[3])
    squares, weights, (low, high) = _bulk(p, q, n)
    limit = max(0, p + q - n) / p + float(weights @ np.sqrt(squares))
    if complex_valued:
        return limit
    correction = (math.sqrt(low) + math.sqrt(high)) / 4 - float(np.sqrt(squares).mean()) / 2
    return limit + correction / p


def null_correlations(rank_a: int, rank_b: int, datapoints: int) -> np.ndarray:
    """Return typical canonical correlations under independence, in decreasing order.

    Returns:
        min(p, q) quantiles of Wachter's law.
    """
    p, q = sorted((rank_a, rank_b))
    n = datapoints - 1
    if p == 0 or q >= n:
        return np.ones(p)
    squares, weights, _ = _bulk(p, q, n)
    above = max(0, p + q - n) / p + np.cumsum(weights)
    quantiles = (np.arange(p) + 0.5) / p
    return np.where(
        quantiles <= max(0, p + q - n) / p, 1.0, np.interp(quantiles, above, np.sqrt(squares))
    )


def _bulk(p: int, q: int, n: int) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Return squares of ρ below 1 in decreasing order, their weights, and the ends of the support.

    Wachter's density n √((b − λ)(λ − a)) / (2π p λ(1 − λ)) at the nodes of the substitution
    λ = (a + b)/2 + (b − a)/2 cos θ.
    """
    low, high = (
        (math.sqrt(p * (n - q)) + sign * math.sqrt(q * (n - p))) ** 2 / n**2 for sign in (-1, 1)
    )
    angles = (np.arange(1000) + 0.5) * math.pi / 1000
    squares = (low + high) / 2 + (high - low) / 2 * np.cos(angles)
    density = ((high - low) / 2 * np.sin(angles)) ** 2 / (squares * (1 - squares))
    return squares, density * n / (2 * math.pi * p) * math.pi / 1000, (low, high)

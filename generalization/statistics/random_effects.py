"""Random-effects mean of estimates of several datasets, and how much these differ."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.stats import chi2, norm, t


class RandomEffects(NamedTuple):
    """Mean over datasets and heterogeneity between them.

    Attributes:
        mean: Mean weighted by 1/(se² + τ²).
        half_width: Half of the width of its interval.
        tau: Standard deviation of the true values between datasets (Paule & Mandel 1982).
        i_squared: Share of the variation between estimates beyond their errors (Higgins 2002).
        p_value: Cochran's test that all true values are equal.
    """

    mean: float
    half_width: float
    tau: float
    i_squared: float
    p_value: float


def random_effects(
    estimates: Float[np.ndarray, "datasets"],
    errors: Float[np.ndarray, "datasets"],
    *,
    level: float,
) -> RandomEffects:
    """Join independent estimates of one quantity that may differ between datasets.

    τ² solves Σ(θ_i − mean)²/(se_i² + τ²) = k − 1, and is 0 if there is less variation than that.
    The interval is mean ± t(k − 1)·se of Hartung & Knapp 2001, not narrower than the normal one
    without their correction.

    Args:
        estimates: Estimates θ_i of k ≥ 2 datasets.
        errors: Standard errors se_i, positive.
    """
    size, variances = len(estimates), np.square(errors)

    def excess(tau_squared: float) -> float:
        return _weighted(estimates, variances + tau_squared)[1] - (size - 1)

    tau_squared = 0.0
    if excess(0) > 0:
        # The sum at τ² is less than Σ(θ_i − θ̄)²/τ², which bounds the root.
        tau_squared = brentq(excess, 0, np.square(estimates - estimates.mean()).sum())
    mean, q = _weighted(estimates, variances + tau_squared)
    plain = 1 / np.sqrt((1 / (variances + tau_squared)).sum())
    corrected = plain * np.sqrt(q / (size - 1))
    tail = (1 + level) / 2
    half = max(norm.ppf(tail) * plain, t.ppf(tail, size - 1) * corrected)
    _, q_fixed = _weighted(estimates, variances)
    i_squared = max(0.0, 1 - (size - 1) / q_fixed) if q_fixed else 0.0
    p_value = float(chi2.sf(q_fixed, size - 1))
    return RandomEffects(mean, half, float(np.sqrt(tau_squared)), i_squared, p_value)


def _weighted(estimates: np.ndarray, variances: np.ndarray) -> tuple[float, float]:
    """Mean weighted by inverse variances, and the weighted sum of squares about it."""
    mean = float(np.average(estimates, weights=1 / variances))
    return mean, float((np.square(estimates - mean) / variances).sum())

"""Power: how strong a correlation must be for this study to find it."""

from __future__ import annotations

import numpy as np
import scipy.stats

SPEARMAN_VARIANCE = 1.06  # of Fisher's z of Spearman's ρ, times n − 3 (Fieller et al. 1957)


def least_correlation(
    ensembles: int, rank: int = 1, *, power: float = 0.8, level: float = 0.95, family: int = 1
) -> float:
    """Return the least |ρ| that a study finds with some power, in closed form.

    tanh((t_{1−α/2m} + t_{power})·√(1.06/(n − 3))) with n = E − (rank − 1) and quantiles of t with
    n − 2 degrees of freedom: a correlation after projecting out q regressors is distributed as one
    of q observations fewer (Fisher 1924), and Fisher's z of Spearman's ρ has variance
    1.06/(n − 3) (Fieller, Hartley & Pearson 1957).

    Args:
        ensembles: Number E of independent observations, which are ensembles.
        rank: Rank of what is held fixed, intercept included: 1 for the pooled correlation, the
            number of strata for a stratified one, the rank of the design for a partial one.
        power: Share of repetitions of the study that find it.
        level: 1 − α of the two-sided test.
        family: m, the number of measures over which p-values are corrected, by Bonferroni's bound;
            1 for a single test. Step-down correction finds somewhat less, never more.

    Returns:
        Least |ρ|; NaN where n is at most 3.
    """
    free = ensembles - (rank - 1) - 3
    if free <= 0:
        return float("nan")
    quantiles = scipy.stats.t.ppf([1 - (1 - level) / (2 * family), power], free + 1)
    return float(np.tanh(quantiles.sum() * np.sqrt(SPEARMAN_VARIANCE / free)))


def power_of(
    correlation: float, ensembles: int, rank: int = 1, *, level: float = 0.95, family: int = 1
) -> float:
    """Return the share of repetitions that find a correlation, by the same approximation.

    Args:
        correlation: True ρ.
        ensembles: As in ``least_correlation``.
        rank: As in ``least_correlation``.
        level: As in ``least_correlation``.
        family: As in ``least_correlation``.

    Returns:
        Power; NaN where there are too few ensembles.
    """
    free = ensembles - (rank - 1) - 3
    if free <= 0:
        return float("nan")
    away = np.arctanh(abs(correlation)) / np.sqrt(SPEARMAN_VARIANCE / free)
    of_t = scipy.stats.t(free + 1)
    critical = of_t.ppf(1 - (1 - level) / (2 * family))
    return float(of_t.cdf(away - critical) + of_t.cdf(-away - critical))

"""Least squares of the gap on a measure."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from generalization.statistics.correlations import pearson
from generalization.statistics.draws import leave_one_out_counts, observed_counts
from generalization.statistics.intervals import cr2_slope, jackknife_interval


def least_squares(
    x: Float[np.ndarray, "networks"],
    y: Float[np.ndarray, "networks"],
    ensembles: Int[np.ndarray, "networks"],
    *,
    level: float,
) -> tuple[dict[str, float], dict[str, float]]:
    """Return slope and adjusted R² of y = intercept + slope · x, with dependence within ensembles.

    The slope has the CR2 standard error, and t with Satterthwaite degrees of freedom (Bell &
    McCaffrey 2002; Pustejovsky & Tipton 2018), see ``cr2_slope``. R² is that of ensemble means,
    adjusted for their number E, 1 − (1 − R²)(E − 1)/(E − 2): it may be below 0, and is 0 on average
    if there is no relation. Its interval is that of the delete-one-ensemble jackknife.

    Args:
        x: Measure, on the scale on which it is regressed on; not constant.
        y: Gap.

    Returns:
        estimate, low, high and p_value of the slope; estimate, low and high of R². Bounds and
        p-value are NaN with fewer than ``FEWEST_ENSEMBLES``.
    """
    slope, p_value, _ = cr2_slope(x, y, ensembles, level=level)
    sizes = np.bincount(ensembles)
    means = [np.bincount(ensembles, values) / sizes for values in (x, y)]

    def adjusted(counts: np.ndarray) -> np.ndarray:
        size = counts.sum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return 1 - (1 - pearson(counts, *means) ** 2) * (size - 1) / (size - 2)

    r_squared = jackknife_interval(
        adjusted(observed_counts(len(sizes)))[0],
        adjusted(leave_one_out_counts(len(sizes))),
        level=level,
        bounds=(-np.inf, 1.0),
    )
    found = [
        {key: float(bound) for key, bound in one._asdict().items()} for one in (slope, r_squared)
    ]
    return found[0] | {"p_value": p_value}, found[1]

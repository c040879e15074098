"""Means over seeds and intervals, as panels draw them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes


def mean_line(axes: Axes, means: pd.DataFrame, *, band: bool = True, **look: Any) -> None:
    """Draw means with a band of ± one standard error, which one network does not have.

    Args:
        means: ``mean`` and ``sem`` by their place on the x axis.
        band: Whether to draw the band, too.
        look: Properties of the line, with its ``color``.
    """
    axes.plot(means.index, means["mean"], **look)
    if band and means["sem"].notna().any():
        error = means["sem"].fillna(0)
        low, high = means["mean"] - error, means["mean"] + error
        axes.fill_between(means.index, low, high, color=look["color"], alpha=0.2, linewidth=0)


def bars(estimate: Any, low: Any, high: Any) -> np.ndarray:
    """Lengths of error bars to both sides; 0 where there is no interval.

    The percentile interval of a statistic near its limit need not hold the estimate, and rounding
    may leave a mean of equal numbers outside of them.

    Args:
        estimate: Numbers or columns of n numbers.
        low: Ends of intervals.
        high: Ends of intervals.

    Returns:
        2 × n, as ``Axes.errorbar`` takes them.
    """
    low, estimate, high = (np.atleast_1d(np.asarray(one, float)) for one in (low, estimate, high))
    return np.nan_to_num(np.clip([estimate - low, high - estimate], 0, None))


def mean_over_seeds(ensemble: pd.DataFrame, quantity: str) -> pd.Series:
    """Mean over the seeds of an ensemble at every step at which one of them was kept.

    Args:
        ensemble: Rows of one ensemble.
        quantity: Column of the values.

    Returns:
        Step → mean over the networks that have a value.
    """
    # Without a table per network: a study has thousands.
    seed, step, value = (ensemble[key].to_numpy() for key in ("seed", "step", quantity))
    order = np.argsort(step, kind="stable")
    seed, step, value, steps = seed[order], step[order], value[order], np.unique(step)
    seeds = [
        np.interp(np.log1p(steps), np.log1p(step[one]), value[one])
        for one in (seed == own for own in np.unique(seed))
    ]
    return pd.DataFrame(seeds, columns=steps).mean()

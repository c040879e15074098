"""One rule for what counts as shown: in the league, in notes and in verdicts on claims."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool
from numpy.typing import ArrayLike

from generalization.statistics.intervals import FEWEST_ENSEMBLES


def is_shown(
    low: ArrayLike,
    high: ArrayLike,
    p_value: ArrayLike,
    units: ArrayLike,
    *,
    level: ArrayLike,
    number: float = 0.0,
) -> Bool[np.ndarray, "*rows"]:
    """Tell whether estimates are shown to differ from a number.

    They are if they rest on at least five units, their interval excludes the number, and their
    p-value is at most 1 − level.

    Args:
        low: Lower ends of the intervals.
        high: Upper ends of the intervals.
        p_value: p-values of the number; NaN where there is no test beside the interval.
        units: Ensembles, pairs, draws or shared inputs that each rests on.
        level: Confidence level, one or one per row.
        number: Number that stands for no relation.

    Returns:
        One truth value per estimate.
    """
    low, high, p_value, units = (np.asarray(one, float) for one in (low, high, p_value, units))
    apart = (low > number) | (high < number)
    # 1 − 0.95 is 0.05000000000000004: without rounding, the bound depends on the last bit.
    unlikely = np.isnan(p_value) | (p_value <= np.round(1 - np.asarray(level, float), 12))
    return apart & unlikely & (units >= FEWEST_ENSEMBLES)

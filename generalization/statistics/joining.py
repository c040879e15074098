"""Verdict on a claim over several datasets, each judged by itself before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from generalization.names import number
from generalization.statistics.claim import Claim
from generalization.statistics.random_effects import RandomEffects, random_effects
from generalization.statistics.verdicts import (
    CONTROL_SHOWS_IT,
    MAYBE_CONTROL,
    NO_POWER,
    NOT_SHOWN,
    OPPOSITE,
    REPLICATES,
    UNDECIDED,
    Interval,
    control_scale,
    degrees_of_freedom,
    interval_of,
    judged,
    p_value_of,
    standard_error,
    usable_scale,
)

DIFFER = "inconclusive: datasets differ"
# From the verdict that settles most to the one that settles least.
STRENGTH = (
    *(REPLICATES, OPPOSITE, CONTROL_SHOWS_IT, MAYBE_CONTROL),
    *(NOT_SHOWN, UNDECIDED, NO_POWER),
)
# Two datasets say nothing of the variance between datasets.
FEWEST_DATASETS = 3
NUMBERS = ("estimate", "low", "high")


def join_datasets(
    rows: Sequence[Mapping[str, Any]],
    words: Sequence[str],
    pooled: Mapping[str, Any] | None,
    claim: Claim,
    *,
    level: float,
) -> dict[str, Any]:
    """Judge a claim over several datasets, of which each has a verdict.

    From three datasets on, the random-effects mean on the claim's scale is judged like any other
    interval. Where datasets share draws of hyper-parameters they are not independent: then the
    pooled row is judged, whose interval takes draws for the units. Two datasets do not tell how
    much datasets differ: a claim replicates in both or it does not replicate (intersection–union
    test, Berger 1982), and the mean has no interval.

    Args:
        rows: Row of each dataset, with enough units and an interval.
        words: Verdict of each.
        pooled: Row over all datasets, if the table has one.

    Returns:
        ``estimate``, ``low``, ``high``, the same of the control if there is one, ``heterogeneity``,
        ``verdict`` and ``reason``; what does not exist is left out.
    """
    agreed = _agreed(words)
    if claim.expected == "always":
        # One exception refutes a theorem, wherever it is.
        return {"verdict": OPPOSITE if OPPOSITE in words else agreed, "reason": ""}
    free = [degrees_of_freedom(row, claim) for row in rows]
    found, spread = _mean(rows, claim.columns, claim.scale, free, level)
    contrast = None
    if claim.control:
        scale = control_scale(claim.control)
        contrast, _ = _mean(rows, claim.control.columns, scale, free, level)
    free_of_mean, p_value = len(rows) - 1, np.nan
    if pooled is not None and len(rows) >= FEWEST_DATASETS and _shares_draws(pooled):
        found = interval_of(pooled, claim.columns)
        contrast = interval_of(pooled, claim.control.columns) if claim.control else None
        free_of_mean, p_value = degrees_of_freedom(pooled, claim), p_value_of(pooled, claim)
    word, reason = agreed, "judged in each of them"
    if not np.isnan(found).any():
        word, reason = judged(
            claim, found, contrast, free=free_of_mean, level=level, p_value=p_value
        )
    return {
        **dict(zip(NUMBERS, found, strict=True)),
        **dict(zip((f"control_{key}" for key in NUMBERS), contrast or (), strict=False)),
        "heterogeneity": _heterogeneity(spread) if spread else "",
        "verdict": word,
        "reason": reason,
    }


def _mean(
    rows: Sequence[Mapping[str, Any]],
    columns: tuple[str, str, str],
    name: str,
    free: Sequence[int],
    level: float,
) -> tuple[Interval, RandomEffects | None]:
    """Random-effects mean; without an interval for two datasets or where one has no width."""
    intervals = [interval_of(row, columns) for row in rows]
    if np.isnan(intervals).any():
        return Interval(np.nan, np.nan, np.nan), None
    scale = usable_scale(name, *intervals)
    estimates = scale.to(np.array([one.estimate for one in intervals]))
    errors = np.array([
        standard_error(one, scale, free=some, level=level)
        for one, some in zip(intervals, free, strict=True)
    ])
    if not (errors > 0).all():
        return Interval(float(scale.back(estimates.mean())), np.nan, np.nan), None
    spread = random_effects(estimates, errors, level=level)
    half = spread.half_width if len(rows) >= FEWEST_DATASETS else np.nan
    ends = spread.mean + half * np.array([-1, 1])
    return Interval(float(scale.back(spread.mean)), *map(float, scale.back(ends))), spread


def _agreed(words: Sequence[str]) -> str:
    """Return the verdict on which all datasets agree, or the weakest of them."""
    kinds = {OPPOSITE if word == CONTROL_SHOWS_IT else word for word in words}
    if kinds == {REPLICATES, OPPOSITE}:
        return DIFFER
    if kinds == {OPPOSITE} and OPPOSITE in words:
        return OPPOSITE
    return max(words, key=STRENGTH.index)


def _shares_draws(row: Mapping[str, Any]) -> bool:
    """Tell whether several pairs of a row have the same draw of hyper-parameters."""
    return pd.notna(row.get("draws")) and row["draws"] < row["pairs"]


def _heterogeneity(spread: RandomEffects) -> str:
    return (
        f"τ {number(spread.tau, digits=2)}, I² {100 * spread.i_squared:.0f} %, "
        f"p of equality {number(spread.p_value, digits=2)}"
    )

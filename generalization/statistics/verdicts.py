"""Rule by which an estimate replicates a claim of a paper, does not, or cannot tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import t

from generalization.names import number, within
from generalization.statistics.claim import Claim, Control
from generalization.statistics.intervals import FEWEST_ENSEMBLES
from generalization.statistics.shown import is_shown

TOO_FEW = "too few ensembles"
NO_INTERVAL = "inconclusive: no interval"
REPLICATES = "replicates"
OPPOSITE = "does not replicate"
CONTROL_SHOWS_IT = "does not replicate: the control shows the same"
MAYBE_CONTROL = "inconclusive: may be no more than the control"
NO_POWER = "not enough power"
UNDECIDED = "inconclusive: the interval contains the threshold"
NO_PREMISE = "inconclusive: its premise is not shown"
NOT_SHOWN = "inconclusive: the test does not show it"
NOT_TESTED = "not tested"
# What is resampled: the verdict rests on the fewest of those that a row counts.
UNITS = ("ensembles", "pairs", "draws", "shared")
# ASSUME: a contrast to a control is none if it is within 0.05 of a mean or share, 5 % of a ratio,
# 0.1 of a correlation; the papers give no number.
CONTROL_TOLERANCES = {"log": np.log(1.05), "fisher": 0.1}
CONTROL_TOLERANCE = 0.05
POWER = 0.8


class Interval(NamedTuple):
    """Estimate with the ends of its interval."""

    estimate: float
    low: float
    high: float


class Scale(NamedTuple):
    """Where estimates are nearly normal: the way there and back, and the numbers that have one."""

    to: Callable[[np.ndarray], np.ndarray]
    back: Callable[[np.ndarray], np.ndarray]
    least: float = -np.inf
    most: float = np.inf


IDENTITY = Scale(np.asarray, np.asarray)
SCALES = {
    "identity": IDENTITY,
    "fisher": Scale(np.arctanh, np.tanh, -1, 1),
    "log": Scale(np.log, np.exp, 0),
    "logit": Scale(logit, expit, 0, 1),
}


def verdict(row: Mapping[str, Any], claim: Claim, *, level: float = 0.95) -> tuple[str, str]:
    """Judge an estimate of a table against a claim.

    In this order: fewer than ``FEWEST_ENSEMBLES`` units of resampling are no verdict. A claim that
    an estimate is above or below a number replicates if its whole interval is, and does not if the
    whole interval lies on the other side, both by ``is_shown``: a p-value of the row must agree
    with the interval. A claim that it is near a number is tested for
    equivalence by two one-sided tests (Schuirmann 1987) at α = 1 − level: it replicates if the
    interval of level 1 − 2α is within the tolerance, and does not if it is wholly outside. A claim
    that replicates must also pass its control.

    The interval of level 1 − 2α is approximated on the claim's scale: each side of the row's
    interval shrinks by t(1 − α)/t(1 − α/2), with one degree of freedom less than there are units,
    two less for correlations. Exact for intervals of t, and close for those of a bootstrap.

    Args:
        row: Row of a table of statistics, with the claim's columns, ``ensembles`` or ``pairs``, and
            maybe ``draws``, ``shared``, ``note``, ``p_value``, ``exceptions`` (of a claim of kind
            ``always``), ``underpowered``: why no verdict could come out, whatever the estimate, and
            ``premise``: what the claim takes for granted and the row does not show.
        level: Level of the row's interval.

    Returns:
        The verdict, and the reason for it where the word alone does not give it.
    """
    counts = {unit: int(row[unit]) for unit in UNITS if pd.notna(row.get(unit))}
    if not counts:
        return TOO_FEW, "the table counts no ensembles"
    fewest = min(counts, key=counts.get)
    if counts[fewest] < FEWEST_ENSEMBLES:
        return TOO_FEW, f"{counts[fewest]} of {FEWEST_ENSEMBLES} {units(fewest)}"
    if claim.expected == "always":
        return _without_exception(row)
    found = interval_of(row, claim.columns)
    note = row.get("note")
    if np.isnan(found).any():
        return NO_INTERVAL, note if isinstance(note, str) else ""
    if found.low == found.high and not claim.counted:
        return NO_INTERVAL, f"all {units(fewest)} are alike, which gives the interval no width"
    if reason := underpowered(row):
        return NO_POWER, reason
    if isinstance(premise := row.get("premise"), str) and premise:
        return NO_PREMISE, premise
    contrast = interval_of(row, claim.control.columns) if claim.control else None
    return judged(
        claim,
        found,
        contrast,
        free=degrees_of_freedom(row, claim),
        level=level,
        p_value=p_value_of(row, claim),
    )


def judged(
    claim: Claim,
    found: Interval,
    contrast: Interval | None,
    *,
    free: int,
    level: float,
    p_value: float = np.nan,
) -> tuple[str, str]:
    """Judge an interval, and the contrast to the control if there is one.

    Args:
        claim: Claim of a paper, not of kind ``always``.
        found: Estimate with its interval, without NaN.
        contrast: Contrast to the claim's control, NaN where there is none.
        free: Degrees of freedom behind both intervals.
        level: Level of both intervals.
        p_value: p-value of the claim's number; NaN if the row has none.

    Returns:
        Verdict and reason, as ``verdict``.
    """
    if claim.expected == "near":
        word, reason = _near(claim, found, free, level)
    else:
        word, reason = _beyond(claim, found, p_value, level)
    if word == REPLICATES and claim.control and not claim.control.beside:
        return _against_control(claim, contrast, free, level)
    return word, reason


def degrees_of_freedom(row: Mapping[str, Any], claim: Claim) -> int:
    """Return those of a row's interval: units less one, less two for a correlation."""
    fewest = min(int(row[unit]) for unit in UNITS if pd.notna(row.get(unit)))
    return fewest - (2 if claim.scale == "fisher" else 1)


def interval_of(row: Mapping[str, Any], columns: tuple[str, str, str]) -> Interval:
    """Read an interval from the columns of a row."""
    return Interval(*(float(row[column]) for column in columns))


def p_value_of(row: Mapping[str, Any], claim: Claim) -> float:
    """Read the p-value of a row, which is of its estimate alone; NaN where there is none."""
    of_estimate = claim.columns[0] == "estimate"
    return float(row["p_value"]) if of_estimate and pd.notna(row.get("p_value")) else np.nan


def underpowered(row: Mapping[str, Any]) -> str:
    """Say why no verdict could come out of a row, whatever its estimate; empty if one could."""
    reason = row.get("underpowered")
    return reason if isinstance(reason, str) else ""


def control_scale(control: Control) -> str:
    """Name the scale of a contrast: one with 1 is a ratio, one with 0 a difference."""
    return "log" if control.number == 1 else "identity"


def units(unit: str) -> str:
    """Name units of resampling for a reader."""
    return {"shared": "shared inputs", "draws": "draws of hyper-parameters"}.get(unit, unit)


def usable_scale(name: str, *intervals: Interval) -> Scale:
    """Return a scale if all intervals are finite on it; otherwise that of the numbers themselves.

    A share of 1, or a ratio whose interval reaches 0, has no logarithm to compute with.
    """
    scale = SCALES[name]
    with np.errstate(divide="ignore", invalid="ignore"):
        return scale if np.isfinite(scale.to(np.array(intervals))).all() else IDENTITY


def standard_error(found: Interval, scale: Scale, *, free: float, level: float) -> float:
    """Return the standard error behind an interval of t, on a scale."""
    low, high = scale.to(np.array(found[1:]))
    return float(high - low) / (2 * t.ppf((1 + level) / 2, free))


def _without_exception(row: Mapping[str, Any]) -> tuple[str, str]:
    """Judge a theorem."""
    exceptions = row.get("exceptions")
    if pd.isna(exceptions):
        return NO_INTERVAL, "no exceptions were counted"
    return (OPPOSITE, f"{number(exceptions)} exceptions") if exceptions else (REPLICATES, "")


def _beyond(claim: Claim, found: Interval, p_value: float, level: float) -> tuple[str, str]:
    """Judge on which side of its number the whole interval lies."""
    # Rows with too few units have their verdict before.
    shown = partial(
        is_shown, found.low, found.high, units=FEWEST_ENSEMBLES, level=level, number=claim.number
    )
    if not shown(np.nan):
        return UNDECIDED, ""
    if not shown(p_value):
        return NOT_SHOWN, f"p = {number(p_value, digits=2)}"
    side = "above" if found.low > claim.number else "below"
    return (REPLICATES if side == claim.expected else OPPOSITE), ""


def _near(claim: Claim, found: Interval, free: int, level: float) -> tuple[str, str]:
    """Judge equivalence with the number; say whether the study could have shown it."""
    scale = usable_scale(claim.scale, found)
    steps = np.array([-claim.tolerance, 0, claim.tolerance])
    # The tolerance of a ratio is the logarithm of a factor.
    ends = claim.number * np.exp(steps) if claim.scale == "log" else claim.number + steps
    ends = np.clip(ends, scale.least, scale.most)
    with np.errstate(divide="ignore"):
        least, centre, most = scale.to(ends)
    low, high = _shrunk(found, scale, free, level)
    if least <= low and high <= most:
        return REPLICATES, ""
    if low > most or high < least:
        return OPPOSITE, ""
    # Both one-sided tests reject with probability 0.8 if the number is true (β/2 on either side).
    quantiles = t.ppf([level, (1 + POWER) / 2], free).sum()
    needed = quantiles * standard_error(found, scale, free=free, level=level)
    if needed <= min(most - centre, centre - least):
        return UNDECIDED, f"nearness within ± {number(claim.tolerance)} is not shown"
    finds = float(scale.back(centre + needed)) - claim.number
    return NO_POWER, f"needs ± {number(claim.tolerance)}, finds ± {number(finds)}"


def _shrunk(found: Interval, scale: Scale, free: int, level: float) -> np.ndarray:
    """Ends of the interval of level 1 − 2α on a scale."""
    estimate, *ends = scale.to(np.array(found))
    ratio = t.ppf(level, free) / t.ppf((1 + level) / 2, free)
    return estimate + (np.array(ends) - estimate) * ratio


def _against_control(claim: Claim, contrast: Interval, free: int, level: float) -> tuple[str, str]:
    """Judge whether more is found than the control shows."""
    control = claim.control
    if np.isnan(contrast).any():
        return MAYBE_CONTROL, f"no interval of the contrast to {control.name}"
    kind = control_scale(control)
    tolerance = CONTROL_TOLERANCES.get("log" if kind == "log" else claim.scale, CONTROL_TOLERANCE)
    scale = usable_scale(kind, contrast)
    low, high = _shrunk(contrast, scale, free, level)
    same = float(scale.to(np.array(control.number, float)))
    above, below = contrast.low > control.number, contrast.high < control.number
    # A claim of nearness names no side: any difference from the control is one.
    agrees = {"above": above, "below": below}.get(claim.expected, above or below)
    if max(high - same, same - low) <= tolerance or (not agrees and (above or below)):
        return CONTROL_SHOWS_IT, f"as much is shown by {within(control.name)}"
    return (REPLICATES, "") if agrees else (MAYBE_CONTROL, "")

"""Judge what papers claim by what a study finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from generalization.names import listed, number, value_name
from generalization.statistics.claim import Claim
from generalization.statistics.random_effects import RandomEffects, random_effects
from generalization.statistics.verdicts import (
    CONTROL_SHOWS_IT,
    MAYBE_CONTROL,
    NO_INTERVAL,
    NO_POWER,
    NOT_TESTED,
    OPPOSITE,
    REPLICATES,
    TOO_FEW,
    UNDECIDED,
    Interval,
    Scale,
    degrees_of_freedom,
    interval_of,
    judged,
    standard_error,
    units,
    usable_scale,
    verdict,
)

COLUMNS = [
    "claim",
    "labels",
    "about",
    "source",
    "quote",
    "expected",
    "ours",
    "estimate",
    "low",
    "high",
    "control",
    "control_estimate",
    "control_low",
    "control_high",
    "of",
    "heterogeneity",
    "verdict",
    "reason",
]
# What tells rows that speak to one claim apart, and what they are estimated from.
ABOUT = (
    "dataset",
    "labels",
    "architecture",
    "width",
    "activation",
    "loss",
    "contrast",
    "normalization",
    "dropout",
    "optimizer",
    "randomization",
    "initialization",
    "scale",
    "depth",
    "deeper",
    "label_corruption",
    "layer",
    "directions",
    "place",
    "part",
    "sigma",
    "mode",
)
COUNTS = ("pairs", "draws", "networks", "ensembles", "shared")
DIFFER = "inconclusive: datasets differ"
# From the verdict that settles most to the one that settles least.
STRENGTH = (
    REPLICATES,
    OPPOSITE,
    CONTROL_SHOWS_IT,
    MAYBE_CONTROL,
    UNDECIDED,
    NO_POWER,
    NO_INTERVAL,
    TOO_FEW,
)
# Two datasets say nothing of the variance between datasets.
FEWEST_DATASETS = 3


def claims(
    papers: Iterable[Claim],
    tables: Mapping[str, pd.DataFrame],
    *,
    untested: Iterable[str] = (),
    untested_claims: bool = False,
    level: float = 0.95,
) -> pd.DataFrame:
    """Judge every claim of the papers that the study speaks to.

    Each row of a table that answers a claim is judged by ``verdict``, within each dataset. Where
    several datasets have enough ensembles, a further row joins them on the claim's scale: by a
    random-effects mean from three on. Two datasets do not tell how much datasets differ, so that a
    claim replicates in both or it does not replicate (intersection–union test); the mean is
    printed, without an interval. Claims are pre-stated and not corrected for their number.

    Args:
        papers: Claims of the papers.
        tables: Tables of statistics that the study has, by name.
        untested: Claims of the papers that no study can speak to, with the reason after a dash.
        untested_claims: Whether to list these, and the claims that no row of the tables answers.
        level: Level of the intervals in the tables.

    Returns:
        One row per claim and row of statistics that speaks to it: ``COLUMNS``.
    """
    rows = [row for claim in papers for row in _judged(claim, tables.get(claim.table), level)]
    if untested_claims:
        sentences = [text.partition(" — ") for text in untested]
        rows += [
            {"claim": words, "verdict": NOT_TESTED, "reason": why} for words, _, why in sentences
        ]
    else:
        rows = [row for row in rows if row["verdict"] != NOT_TESTED]
    return pd.DataFrame(rows, columns=COLUMNS)


def _judged(claim: Claim, table: pd.DataFrame | None, level: float) -> Iterator[dict[str, Any]]:
    """Rows of a table that speak to a claim, those that join datasets, or one that says none do."""
    about = {
        "claim": claim.claim,
        "source": claim.source,
        "quote": claim.quote,
        "expected": _expected(claim),
        "ours": claim.ours,
        "control": claim.control.name if claim.control else "",
    }
    rows = pd.DataFrame() if table is None else table.query(claim.rows)
    found = _by_dataset(rows).to_dict("records")
    if not found:
        why = "no table" if table is None else "no row of the table"
        yield about | {"verdict": NOT_TESTED, "reason": f"{why} of this study answers it"}
    told = [key for key in ABOUT if key != "architecture" or _differ(found, key)]
    verdicts = [verdict(row, claim, level=level) for row in found]
    for row, (word, reason) in zip(found, verdicts, strict=True):
        yield about | _described(row, told) | _numbers(row, claim) | _said(word, reason)
    pooled = rows[rows["dataset"] == "all"] if "dataset" in rows else rows
    for rows_of_group, words in _groups(found, verdicts):
        joined = _joined(rows_of_group, words, pooled.to_dict("records"), claim, level)
        size = {"of": f"{len(rows_of_group)} datasets"}
        yield about | joined | _described(joined, told) | size


def _by_dataset(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep the datasets one by one where they are: what differs between them is not the claim."""
    single = rows[rows["dataset"] != "all"] if "dataset" in rows else rows
    return rows if single.empty else single


def _groups(
    rows: Sequence[dict[str, Any]], verdicts: Sequence[tuple[str, str]]
) -> Iterator[tuple[list[dict[str, Any]], list[str]]]:
    """Rows that differ in dataset alone and have enough ensembles, two or more, and verdicts."""
    groups: dict[tuple[str, ...], list[tuple[dict[str, Any], str]]] = {}
    for row, (word, _) in zip(rows, verdicts, strict=True):
        if word not in {TOO_FEW, NO_INTERVAL}:
            groups.setdefault(_key(row), []).append((row, word))
    for members in groups.values():
        datasets = {row.get("dataset") for row, _ in members}
        if len(datasets) == len(members) > 1:
            yield [row for row, _ in members], [word for _, word in members]


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What a row is about, but its dataset."""
    return tuple(str(row.get(key)) for key in ABOUT if key != "dataset")


def _joined(
    rows: Sequence[dict[str, Any]],
    words: Sequence[str],
    pooled: Sequence[dict[str, Any]],
    claim: Claim,
    level: float,
) -> dict[str, Any]:
    """Join rows of several datasets, as ``claims`` says, to one with its verdict."""
    first = {key: rows[0].get(key) for key in ABOUT if key in rows[0]}
    about = first | {"dataset": f"joined over {listed([row['dataset'] for row in rows])}"}
    agreed = _agreed(words)
    if claim.expected == "always":
        theorem = OPPOSITE if OPPOSITE in words else agreed
        return about | _said(theorem, "")
    free = [degrees_of_freedom(row, claim) for row in rows]
    found, spread = _mean(
        [interval_of(row, claim.columns) for row in rows], claim.scale, free, level
    )
    about |= {"heterogeneity": _heterogeneity(spread)} if spread else {}
    contrast = None
    if claim.control:
        contrasts = [interval_of(row, claim.control.columns) for row in rows]
        kind = "log" if claim.control.number == 1 else "identity"
        contrast, _ = _mean(contrasts, kind, free, level)
        about |= dict(
            zip(("control_estimate", "control_low", "control_high"), contrast, strict=True)
        )
    free_of_mean = len(rows) - 1
    shared = [row for row in pooled if _key(row) == _key(rows[0]) and _shares_draws(row)]
    if shared and len(rows) >= FEWEST_DATASETS:
        # Datasets with the same draws of hyper-parameters are not independent; draws are.
        found = interval_of(shared[0], claim.columns)
        contrast = interval_of(shared[0], claim.control.columns) if claim.control else None
        free_of_mean = degrees_of_freedom(shared[0], claim)
    about |= dict(zip(("estimate", "low", "high"), found, strict=True))
    if np.isnan(found).any():
        return about | _said(agreed, "judged in each of them")
    return about | _said(*judged(claim, found, contrast, free=free_of_mean, level=level))


def _mean(
    intervals: Sequence[Interval], scale_name: str, free: Sequence[int], level: float
) -> tuple[Interval, RandomEffects | None]:
    """Random-effects mean; without an interval for two datasets or where one has no width."""
    if np.isnan(intervals).any():
        return Interval(np.nan, np.nan, np.nan), None
    scale: Scale = usable_scale(scale_name, *intervals)
    errors = np.array([
        standard_error(one, scale, free=some, level=level)
        for one, some in zip(intervals, free, strict=True)
    ])
    estimates = scale.to(np.array([one.estimate for one in intervals]))
    if not (errors > 0).all():
        return Interval(float(scale.back(estimates.mean())), np.nan, np.nan), None
    spread = random_effects(estimates, errors, level=level)
    half = spread.half_width if len(intervals) >= FEWEST_DATASETS else np.nan
    ends = scale.back(spread.mean + half * np.array([0.0, -1.0, 1.0]))
    return Interval(float(scale.back(spread.mean)), *(float(end) for end in ends[1:])), spread


def _agreed(words: Sequence[str]) -> str:
    """Return the verdict on which all datasets agree, or the weakest of them."""
    kinds = {OPPOSITE if word == CONTROL_SHOWS_IT else word for word in words}
    if kinds == {OPPOSITE} and len(set(words)) > 1:
        return OPPOSITE
    if kinds == {REPLICATES, OPPOSITE}:
        return DIFFER
    return max(words, key=STRENGTH.index)


def _shares_draws(row: Mapping[str, Any]) -> bool:
    """Whether several pairs of a row have the same draw of hyper-parameters."""
    return pd.notna(row.get("draws")) and row["draws"] < row["pairs"]


def _heterogeneity(spread: RandomEffects) -> str:
    return (
        f"τ {number(spread.tau, digits=2)}, I² {100 * spread.i_squared:.0f} %, "
        f"p of equality {number(spread.p_value, digits=2)}"
    )


def _described(row: Mapping[str, Any], told: Sequence[str]) -> dict[str, Any]:
    """What a row is about, and from how much it is estimated."""
    labels = row.get("labels")
    there = [key for key in told if key != "labels" and pd.notna(row.get(key))]
    return {
        "labels": labels if isinstance(labels, str) else "",
        "about": ", ".join(_told(row[key], key) for key in there),
        "of": ", ".join(_counted(row[key], key) for key in COUNTS if pd.notna(row.get(key))),
    }


def _numbers(row: Mapping[str, Any], claim: Claim) -> dict[str, Any]:
    """Estimate and contrast to the control, with their intervals."""
    found = dict(zip(("estimate", "low", "high"), interval_of(row, claim.columns), strict=True))
    if claim.control:
        contrast = interval_of(row, claim.control.columns)
        found |= dict(
            zip(("control_estimate", "control_low", "control_high"), contrast, strict=True)
        )
    return found


def _said(word: str, reason: str) -> dict[str, str]:
    return {"verdict": word, "reason": reason}


def _expected(claim: Claim) -> str:
    if claim.expected == "always":
        return "no exception"
    if claim.expected == "near":
        return f"within {claim.tolerance:g} of {claim.number:g}"
    return f"{claim.expected} {claim.number:g}"


def _differ(rows: Sequence[Mapping[str, Any]], key: str) -> bool:
    return len({row.get(key) for row in rows}) > 1


def _told(value: object, key: str) -> str:
    """A name by itself, a number after what it is of."""
    return value if isinstance(value, str) else f"{key.replace('_', ' ')} {value_name(value)}"


def _counted(count: float, things: str) -> str:
    words = units(things)
    return f"{int(count):,} {words.removesuffix('s') if count == 1 else words}"

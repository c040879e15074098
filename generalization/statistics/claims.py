"""Judge what papers claim by what a study finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from generalization.names import listed, short_name, value_name, within
from generalization.statistics.claim import Claim
from generalization.statistics.intervals import FEWEST_ENSEMBLES
from generalization.statistics.joining import NUMBERS, join_datasets
from generalization.statistics.verdicts import (
    NO_INTERVAL,
    NO_PREMISE,
    NOT_TESTED,
    TOO_FEW,
    interval_of,
    underpowered,
    units,
    verdict,
)
from generalization.tables import hyperparameters_of

NO_DESIGN = "no table or row answers them, or too few ensembles, pairs or inputs are planned"
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
# Hyper-parameter of a comparison, and its two values.
COMPARED = ("setting", "better", "worse")
# What tells rows that speak to one claim apart, and what they are estimated from.
ABOUT = (
    "dataset",
    "labels",
    "given",
    "architecture",
    "architecture_arguments",
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
    "hyperparameter",
    "value",
    *COMPARED,
    "layer",
    "directions",
    "place",
    "part",
    "sigma",
    "mode",
)
# Told only where rows differ in one of them: the words of most claims name it.
WHERE_DIFFERENT = (("architecture",), COMPARED)
COUNTS = ("pairs", "draws", "networks", "ensembles", "shared")


def claims(
    papers: Iterable[Claim],
    tables: Mapping[str, pd.DataFrame],
    *,
    untested: Iterable[str] = (),
    untested_claims: bool = False,
    level: float = 0.95,
) -> pd.DataFrame:
    """Judge every claim of the papers that the study speaks to.

    Each row of a table that answers a claim is judged by ``verdict``, within each dataset; rows
    over all datasets are judged only where there are no others. A row with too few units is left
    out where another row joins it to others, or where the design of the study has no more for it,
    as for single settings of one ensemble; one that lost units, because networks have not fitted,
    is not. Where several datasets have enough ensembles, a further row joins them by
    ``join_datasets``. Claims are stated beforehand by the papers, and verdicts are not corrected
    for their number.

    Args:
        papers: Claims of the papers.
        tables: Tables of statistics that the study has, by name; ``training`` tells its design.
        untested: Claims of the papers that no study can speak to, with the reason after a dash.
        untested_claims: Whether to list these, and the claims that no row of the tables answers,
            instead of a last row that counts the latter.
        level: Level of the intervals in the tables.

    Returns:
        One row per claim and row of statistics that speaks to it: ``COLUMNS``.
    """
    design = _design(tables.get("training"))
    rows, unanswered = [], 0
    for claim in papers:
        judgements = list(_judged(claim, tables.get(claim.table), design, level))
        some = [row for row in judgements if row["verdict"] != NOT_TESTED]
        unanswered += not some
        rows += some or (judgements[:1] if untested_claims else [])
    if untested_claims:
        sentences = [text.partition(" — ") for text in untested]
        rows += [
            {"claim": words, "verdict": NOT_TESTED, "reason": why} for words, _, why in sentences
        ]
    elif unanswered:
        rows.append({"claim": _uncounted(unanswered), "verdict": NOT_TESTED, "reason": NO_DESIGN})
    return pd.DataFrame(rows, columns=COLUMNS)


def _uncounted(count: int) -> str:
    return f"{count} claim{'s' * (count > 1)} that this study's design cannot judge"


def _design(training: pd.DataFrame | None) -> pd.DataFrame:
    """Hyper-parameters of every ensemble of the study."""
    if training is None:
        return pd.DataFrame()
    ensembles = training.drop_duplicates("ensemble")
    # Random labels count as corrupted ones in some tables.
    return ensembles[[key for key in hyperparameters_of(ensembles) if key != "label_corruption"]]


def _planned(row: Mapping[str, Any], design: pd.DataFrame) -> float:
    """At most so many units the design has for a row; infinite if it does not tell."""
    if pd.notna(row.get("left_out")):
        return row["pairs"] + row["left_out"]
    keys = [key for key in design if pd.notna(row.get(key)) and row[key] != "all"]
    there = (design[keys] == pd.Series({key: row[key] for key in keys})).all(axis=1).sum()
    return float(there) if there else np.inf


def _within_design(
    row: Mapping[str, Any],
    judgement: tuple[str, str],
    rows: Sequence[Mapping[str, Any]],
    design: pd.DataFrame,
) -> tuple[str, str]:
    """A verdict, or that the design has too few units for any."""
    if judgement[0] != TOO_FEW:
        return judgement
    if any(_is_part(row, other) for other in rows):
        return NOT_TESTED, "another row joins it to others like it"
    if (planned := _planned(row, design)) < FEWEST_ENSEMBLES:
        return NOT_TESTED, f"the design has {int(planned)} of {FEWEST_ENSEMBLES} units for it"
    return judgement


def _is_part(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether another row is about the same, but for settings that it leaves open."""
    told = [key for key in ABOUT if pd.notna(other.get(key))]
    more = any(pd.notna(row.get(key)) for key in ABOUT if key not in told)
    return more and all(row.get(key) == other[key] for key in told)


def _judged(
    claim: Claim, table: pd.DataFrame | None, design: pd.DataFrame, level: float
) -> Iterator[dict[str, Any]]:
    """Rows of a table that speak to a claim, those that join datasets, or one that says none do."""
    about = {
        "claim": claim.claim,
        "source": claim.source,
        "quote": claim.quote,
        "expected": _expected(claim),
        "ours": claim.ours,
        "control": claim.control.words if claim.control else "",
    }
    rows = pd.DataFrame() if table is None else table.query(claim.rows)
    found = _by_dataset(rows).to_dict("records")
    if not found:
        why = "no table" if table is None else "no row of the table"
        yield about | {"verdict": NOT_TESTED, "reason": f"{why} of this study answers it"}
    alike = {key for keys in WHERE_DIFFERENT if not _differ(found, keys) for key in keys}
    told = [key for key in ABOUT if key not in alike]
    verdicts = [
        _within_design(row, verdict(row, claim, level=level), found, design) for row in found
    ]
    for row, (word, reason) in zip(found, verdicts, strict=True):
        judgement = {"verdict": word, "reason": reason}
        yield about | _described(row, told) | _numbers(row, claim) | judgement
    pooled = rows[rows["dataset"] == "all"] if "dataset" in rows else rows[:0]
    over_all = {_key(row): row for row in pooled.to_dict("records")}
    for some, words in _groups(found, verdicts):
        shown = some[0] | {"dataset": f"joined over {listed([row['dataset'] for row in some])}"}
        pooled_row = over_all.get(_key(some[0]))
        joined = join_datasets(some, words, pooled_row, claim, level=level)
        yield about | _described(shown, told) | joined | {"of": ", ".join(_joined(some))}


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
        without = {TOO_FEW, NO_INTERVAL, NO_PREMISE, NOT_TESTED}
        if word not in without and not underpowered(row):
            groups.setdefault(_key(row), []).append((row, word))
    for members in groups.values():
        datasets = {row.get("dataset") for row, _ in members}
        if len(datasets) == len(members) > 1:
            yield [row for row, _ in members], [word for _, word in members]


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What a row is about, but its dataset."""
    return tuple(str(row.get(key)) for key in ABOUT if key != "dataset")


def _described(row: Mapping[str, Any], told: Sequence[str]) -> dict[str, Any]:
    """What a row is about, and from how much it is estimated."""
    labels = row.get("labels")
    there = [key for key in told if key != "labels" and pd.notna(row.get(key))]
    there = [key for key in there if (key, row[key]) != ("given", "none")]
    # Told with the name of the hyper-parameter.
    there = [key for key in there if key not in {"value", "better", "worse"}]
    of = [_counted(count, key) for key, count in _counts(row).items()]
    # Of networks that count whether they have fitted or not.
    if pd.notna(row.get("train_accuracy")):
        of.append(f"train accuracy {100 * row['train_accuracy']:.4g} %")
    return {
        "labels": labels if isinstance(labels, str) else "",
        "about": ", ".join(_told(row, key) for key in there),
        "of": ", ".join(of),
    }


def _counts(row: Mapping[str, Any]) -> dict[str, float]:
    """From how many things of each kind a row is estimated."""
    counts = {key: row[key] for key in COUNTS if pd.notna(row.get(key))}
    # Pairs are their own draws where no two of them share one.
    return {
        key: counts[key] for key in counts if key != "draws" or row["draws"] != row.get("pairs")
    }


def _joined(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """How many datasets are joined, and sums over them of what their rows are estimated from."""
    counts = [_counts(row) for row in rows]
    sums = {key: sum(one.get(key, 0) for one in counts) for one in counts for key in one}
    return [f"{len(rows)} datasets", *(_counted(count, key) for key, count in sums.items())]


def _numbers(row: Mapping[str, Any], claim: Claim) -> dict[str, Any]:
    """Estimate and contrast to the control, with their intervals."""
    found = dict(zip(NUMBERS, interval_of(row, claim.columns), strict=True))
    if claim.control:
        contrast = interval_of(row, claim.control.columns)
        found |= dict(zip((f"control_{key}" for key in NUMBERS), contrast, strict=True))
    return found


def _expected(claim: Claim) -> str:
    if claim.expected == "always":
        return "no exception"
    if claim.expected == "near" and claim.scale == "log":
        return f"within a factor of {np.exp(claim.tolerance):.3g} of {claim.number:g}"
    if claim.expected == "near":
        return f"within {claim.tolerance:g} of {claim.number:g}"
    return f"{claim.expected} {claim.number:g}"


def _differ(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> bool:
    return len({tuple(row.get(key) for key in keys) for row in rows}) > 1


def _told(row: Mapping[str, Any], key: str) -> str:
    """A name by itself, a number after what it is of."""
    value = row[key]
    if key == "hyperparameter":
        return f"{within(value)} {value_name(row['value'])}"
    if key == "setting":
        return f"{within(value)} {value_name(row['better'])} against {value_name(row['worse'])}"
    if key == "given":
        return f"at equal {listed([within(one) for one in str(value).split(', ')])}"
    if key.startswith("architecture"):
        return short_name(value)
    return value if isinstance(value, str) else f"{key.replace('_', ' ')} {value_name(value)}"


def _counted(count: float, things: str) -> str:
    words = units(things)
    return f"{int(count):,} {words.removesuffix('s') if count == 1 else words}"

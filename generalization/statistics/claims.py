"""What papers claim beside what a study finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from generalization.names import value_name
from generalization.statistics.claim import Claim

COLUMNS = ["claim", "source", "about", "expected", "estimate", "low", "high", "of", "verdict"]
NOT_ASKED = "not tested"
# What tells rows that speak to one claim apart, and what they are estimated from.
ABOUT = (
    "dataset",
    "architecture",
    "width",
    "activation",
    "loss",
    "contrast",
    "normalization",
    "dropout",
    "optimizer",
    "depth",
    "deeper",
    "label_corruption",
    "layer",
    "directions",
    "place",
)
COUNTS = ("pairs", "networks", "ensembles")


def claims(papers: Iterable[Claim], tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Every claim of the papers, with an estimate and a verdict.

    A claim that an estimate lies above or below a number *replicates* if the whole interval does,
    *does not replicate* if the whole interval lies on the other side; an interval that contains the
    number is *inconclusive*. A claim that it is near a number replicates if the whole interval
    is within the claim's tolerance of it, and does not if the whole interval is not.

    Args:
        papers: Their claims.
        tables: Tables of statistics that the study has, by name.

    Returns:
        One row per claim and row of statistics that speaks to it: ``COLUMNS``.
    """
    rows = [row for claim in papers for row in _judged(claim, tables.get(claim.table))]
    return pd.DataFrame(rows, columns=COLUMNS)


def _judged(claim: Claim, table: pd.DataFrame | None) -> Iterator[dict[str, Any]]:
    """The rows of a table that speak to a claim, or one that says that there are none."""
    about = {
        "claim": claim.claim,
        "source": claim.source,
        "expected": _expected(claim),
    }
    found = [] if table is None else _by_dataset(table.query(claim.rows)).to_dict("records")
    if not found:
        yield about | {"verdict": NOT_ASKED}
    told = [key for key in ABOUT if key != "architecture" or _differ(found, key)]
    for row in found:
        numbers = [row[column] for column in claim.columns]
        yield about | {
            "about": ", ".join(_told(row[key], key) for key in told if pd.notna(row.get(key))),
            **dict(zip(("estimate", "low", "high"), numbers, strict=True)),
            "of": ", ".join(_counted(row[key], key) for key in COUNTS if key in row),
            "verdict": verdict(claim, *numbers),
        }


def _by_dataset(rows: pd.DataFrame) -> pd.DataFrame:
    """Where datasets are told apart, each by itself: what differs between them is not the claim."""
    single = rows[rows["dataset"] != "all"] if "dataset" in rows else rows
    return rows if single.empty else single


def verdict(claim: Claim, estimate: float, low: float, high: float) -> str:
    """Whether an estimate with its interval replicates a claim."""
    if pd.isna(estimate) or pd.isna(low):
        return "inconclusive: no interval"
    if claim.expected == "near":
        least, most = claim.number - claim.tolerance, claim.number + claim.tolerance
        if low > most or high < least:
            return "does not replicate"
        return "replicates" if low >= least and high <= most else "inconclusive"
    if claim.expected == "below":
        low, high = 2 * claim.number - high, 2 * claim.number - low
    if low > claim.number:
        return "replicates"
    return "does not replicate" if high < claim.number else "inconclusive"


def _expected(claim: Claim) -> str:
    if claim.expected == "near":
        return f"within {claim.tolerance:g} of {claim.number:g}"
    return f"{claim.expected} {claim.number:g}"


def _differ(rows: list[dict[str, Any]], key: str) -> bool:
    return len({row.get(key) for row in rows}) > 1


def _told(value: object, key: str) -> str:
    """A name by itself, a number after what it is of."""
    return value if isinstance(value, str) else f"{key.replace('_', ' ')} {value_name(value)}"


def _counted(number: int, things: str) -> str:
    return f"{number:,} {things.removesuffix('s') if number == 1 else things}"

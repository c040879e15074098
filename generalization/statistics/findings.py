"""One page over all studies: every claim with its verdict, every measure beside the gap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import pandas as pd

from generalization.names import readable
from generalization.statistics.league_rows import league_rows, primary_statistic
from generalization.tables import read_table

CANDIDATE = "candidate"
OF_CLAIMS = (
    *("claim", "labels", "about", "expected", "estimate", "low", "high", "of"),
    *("verdict", "reason"),
)
OF_MEASURES = ("measure", "kind", "estimate", "low", "high")

# Verdicts begin with these words; all others say that there is too little to judge.
VERDICTS = ("replicates", "does not replicate", "inconclusive")
TOO_LITTLE = "too few or not enough power"

Record = dict[str, Any]


@dataclass(frozen=True)
class StudyResults:
    """What a study has found.

    Attributes:
        name: Name of the study.
        title: Its title.
        claims: Table of ``claims``, or None.
        statistics: Table of ``fit_statistics``.
        training: Table of ``collect_training``.
    """

    name: str
    title: str
    claims: pd.DataFrame | None
    statistics: pd.DataFrame
    training: pd.DataFrame

    @classmethod
    def read(cls, folder: Path, title: str) -> StudyResults:
        """Read the results in the folder of a study, which has its name."""
        claims = folder / "claims.csv"
        return cls(
            folder.name,
            title,
            read_table(claims) if claims.is_file() else None,
            read_table(folder / "statistics.csv"),
            read_table(folder / "training.csv"),
        )


def record_of(
    results: StudyResults,
    made_with: Mapping[str, str],
    figures: Sequence[Mapping[str, str]] = (),
    *,
    primary: str,
) -> Record:
    """Return what a study has found, as it is kept and joined with that of others.

    Args:
        made_with: Commit and packages that it was computed with.
        figures: Figures that carry it: ``place`` in the paper, ``file`` and what it ``shows``.
        primary: Statistic by which measures are judged.

    Returns:
        Name and title; ``made_with``; numbers of networks and ensembles; datasets; ``figures``;
        ``claims`` and ``measures``, rows with numbers to four digits, None where there is none.
    """
    final = results.training[results.training["final"]]
    claims = results.claims if results.claims is not None else pd.DataFrame(columns=OF_CLAIMS)
    rows = league_rows(results.statistics, primary_statistic(results.statistics, primary))
    rows = rows[rows["kind"].isin([CANDIDATE, "baseline"])].reset_index()
    return {
        "study": results.name,
        "title": results.title,
        "made_with": dict(made_with),
        "networks": len(final),
        "ensembles": final["ensemble"].nunique(),
        "datasets": sorted(final["dataset"].astype(str).unique()),
        "figures": list(figures),
        "claims": _rows(claims, OF_CLAIMS),
        "measures": _rows(rows, OF_MEASURES),
    }


def _rows(table: pd.DataFrame, columns: Sequence[str]) -> list[Record]:
    """Return rows without NaN, and numbers to four digits."""
    return [{name: _plain(row.get(name)) for name in columns} for row in table.to_dict("records")]


def _plain(value: object) -> object:
    if value is None or value == "" or pd.isna(value):
        return None
    return float(f"{value:.4g}") if isinstance(value, Real) else str(value)


def findings(records: Sequence[Record]) -> str:
    """Write the page, in Markdown.

    Args:
        records: Those of all studies, by ``record_of``.

    Returns:
        Three parts: verdicts by study, claim by claim, and measures across studies.
    """
    lines = [
        "# Findings",
        "",
        f"Written by `make findings` from what {len(records)} studies have found, each recorded",
        "at the commit that is named; `docs/findings` has a file per study, with its versions.",
        "Estimates have 95 % intervals over ensembles. A claim has one row per study, dataset and",
        "setting that it is judged in; claims are not corrected for their number.",
        "",
        "## Studies",
        "",
        *_table(
            ["study", "networks", "ensembles", "datasets", *VERDICTS, TOO_LITTLE, "commit"],
            map(_study, records),
        ),
    ]
    lines += ["", "## Claims", ""]
    for record in records:
        if record["claims"]:
            header = ["claim", "about", "expected", "estimate", "of", "verdict"]
            table = _table(header, map(_claim, record["claims"]))
            lines += [f"### {record['title']}", "", *_pictures(record), *table, ""]
    lines += ["## Measures", ""]
    lines += [
        "Rank correlation with the generalization gap among fitted networks, at equal values of",
        "the hyper-parameter that explains most of the gap (pooled, where nothing is swept).",
        "Baselines are in italics.",
        "",
    ]
    lines += _measures(records)
    for record in records:
        if not record["claims"]:
            lines += ["", *_pictures(record)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _study(record: Record) -> list[str]:
    """Row of a study."""
    name = record["study"]
    return [
        f"[{name}](#{_anchor(record['title'])})" if record["claims"] else name,
        str(record["networks"]),
        str(record["ensembles"]),
        ", ".join(record["datasets"]),
        *_counts(record["claims"]),
        record["made_with"]["commit"],
    ]


def _counts(claims: Sequence[Record]) -> list[str]:
    """Count the verdicts of each kind; dashes where nothing is judged."""
    # Of claims that the study does not judge, nothing is expected.
    judged = [row["verdict"] for row in claims if row["expected"]]
    kinds = Counter(
        next((kind for kind in VERDICTS if verdict.startswith(kind)), TOO_LITTLE)
        for verdict in judged
    )
    return [str(kinds[kind]) if judged else "–" for kind in (*VERDICTS, TOO_LITTLE)]


def _pictures(record: Record) -> Iterator[str]:
    """Yield the figures of a study, each with its place in the paper and what it shows."""
    for figure in record["figures"]:
        said = f"{figure['place']}: {figure['shows']}" if figure["place"] else figure["shows"]
        file = f"findings/{record['study']}/{figure['file']}"
        yield from (f"{said} Study `{record['study']}`.", "", f"![{said}]({file})", "")


def _claim(row: Record) -> list[str]:
    """Row of a claim that was judged."""
    about = "; ".join(filter(None, (row["labels"], row["about"])))
    verdict = f"**{row['verdict']}**" + (f": {row['reason']}" if row["reason"] else "")
    told = [row["claim"], about, row["expected"], _estimate(row), row["of"], verdict]
    return [one or "" for one in told]


def _measures(records: Sequence[Record]) -> list[str]:
    """Table of measures by studies, those first that were judged most often."""
    columns = {one["study"]: {row["measure"]: row for row in one["measures"]} for one in records}
    kinds = {name: row["kind"] for rows in reversed(columns.values()) for name, row in rows.items()}
    counts = Counter(
        name
        for rows in columns.values()
        for name, row in rows.items()
        if row["estimate"] is not None
    )
    order = sorted(kinds, key=lambda name: (kinds[name] != CANDIDATE, -counts[name], name))
    table = []
    for name in order:
        shown = readable(name) if kinds[name] == CANDIDATE else f"*{readable(name)}*"
        cells = [_estimate(rows[name]) if name in rows else "" for rows in columns.values()]
        table.append([shown, *cells])
    return _table(["measure", *columns], table)


def _estimate(row: Record) -> str:
    """Write an estimate with its interval, if there are any."""
    estimate, *interval = row["estimate"], row["low"], row["high"]
    if estimate is None:
        return "–"
    within = "" if None in interval else " [{:.2f}, {:.2f}]".format(*interval)
    return f"{estimate:.2f}{within}".replace("-", "−")


def _table(
    header: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]
) -> list[str]:
    """Write a table in Markdown."""
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    lines = [header, ["---"] * len(header), *cells]
    return [f"| {' | '.join(line)} |" for line in lines]


def _anchor(title: str) -> str:
    """Return the anchor that Markdown gives to a headline."""
    kept = "".join(one for one in title.lower() if one.isalnum() or one in " -_")
    return kept.replace(" ", "-")

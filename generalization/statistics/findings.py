"""One page over all studies: every claim with its verdict, every measure beside the gap.

Args:
    records: Findings of all studies, by ``record_of``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import pandas as pd

from generalization.names import interval, listed, number, readable, values_of, within
from generalization.statistics.claim import Claim
from generalization.statistics.joining import NUMBERS
from generalization.statistics.league_rows import league_rows, primary_statistic
from generalization.tables import read_table

CANDIDATE = "candidate"
OF_CLAIMS = (
    *("claim", "labels", "about", "expected", "estimate", "low", "high", "of"),
    *("verdict", "reason"),
)
OF_STUDIES = ("study", "networks", "ensembles", "datasets", "training images")
OF_MEASURES = ("measure", "kind", "estimate", "low", "high")

# Verdicts begin with these words; all others say that there is too little to judge.
VERDICTS = ("replicates", "does not replicate", "inconclusive")
TOO_LITTLE = "too few or not enough power"
LARGE = 10  # Numbers from here on keep their decimals.
UNTESTED = "Claims that no study judges"
HEAD = (
    "Estimates have 95 % intervals over ensembles; that an estimate is near a number (“within 0.05",
    "of 0”) is judged by the 90 % interval, which is that of two one-sided tests at 5 %. A claim",
    "has one row per study, dataset and setting that it is judged in; claims are not corrected for",
    "their number. A row that joins two datasets has no interval of its own, since it is judged in",
    "each of them; its counts are sums over them. The figures that draw a row stand above its",
    "table; where none does, the report of the study may have one. What a study cannot judge is",
    "counted in its last row: other studies judge it, or it is",
    "listed under [claims that no study judges](#claims-that-no-study-judges).",
)

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
        Name and title; ``made_with``; numbers of networks and ensembles; datasets; numbers of
        training images, ``all`` where they are not limited; ``figures``; ``claims`` and
        ``measures``, rows with numbers to four digits, None where there is none.
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
        "training_images": _training_images(final),
        "figures": list(figures),
        "claims": _rows(claims, OF_CLAIMS),
        "measures": _rows(rows, OF_MEASURES),
    }


def _training_images(networks: pd.DataFrame) -> list[str]:
    """List the numbers of training images; none of networks that were trained elsewhere."""
    sizes = values_of(networks["train_size"]) if "train_size" in networks else []
    return ["all" if size is None else number(size) for size in sizes]


def _rows(table: pd.DataFrame, columns: Sequence[str]) -> list[Record]:
    """Return rows without NaN, and numbers to four digits."""
    return [{name: _plain(row.get(name)) for name in columns} for row in table.to_dict("records")]


def _plain(value: object) -> object:
    if value is None or value == "" or pd.isna(value):
        return None
    return float(f"{value:.4g}") if isinstance(value, Real) else str(value)


def findings(
    records: Sequence[Record],
    *,
    captions: Mapping[str, str],
    untested: Sequence[Sequence[str]],
    drawn: Mapping[str, Sequence[str]],
) -> str:
    """Write the page, in Markdown.

    Args:
        captions: File of a figure → what it shows; of others, the record says it.
        untested: Claims that no study judges: paper, claim and why, by ``untested_claims``.
        drawn: Claim → files of the figures that draw it.

    Returns:
        Four parts: verdicts by study, claim by claim, claims that are not judged, and measures
        across studies.
    """
    lines = [
        "# Findings",
        "",
        f"Written by `make findings` from what {len(records)} studies have found, each recorded",
        "at the commit that is named; `docs/findings` has a file per study, with its versions.",
        *HEAD,
        "",
        "## Studies",
        "",
        *_table(
            [*OF_STUDIES, *VERDICTS, TOO_LITTLE, "commit"],
            [_study(record) for record in records],
        ),
    ]
    lines += ["", "## Claims", ""]
    for record in records:
        if record["claims"]:
            header = ["claim", "about", "expected", "estimate", "of", "verdict", "drawn in"]
            table = _table(
                header,
                [_claim(row, record, drawn.get(row["claim"], ())) for row in record["claims"]],
            )
            lines += [f"### {record['title']}", "", *_pictures(record, captions), *table, ""]
    if untested:
        lines += [f"## {UNTESTED}", "", *_table(["paper", "claim", "why"], untested), ""]
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
            lines += ["", *_pictures(record, captions)]
    return "\n".join(lines).rstrip("\n") + "\n"


def untested_claims(
    records: Sequence[Record],
    papers: Mapping[str, str],
    claims: Mapping[str, Sequence[Claim]],
    beyond: Mapping[str, Sequence[str]],
) -> list[tuple[str, str, str]]:
    """List the claims of all papers that no recorded study judges.

    Args:
        papers: Paper → its author, year and title.
        claims: Paper → its claims.
        beyond: Paper → claims that no study can speak to, with the reason after a dash.

    Returns:
        Title of the paper, claim, and why it is not judged.
    """
    judged = {row["claim"] for record in records for row in record["claims"]}
    found = []
    for paper, title in papers.items():
        left = [one for one in claims[paper] if one.claim not in judged]
        found += [
            (
                title,
                one.claim,
                f"no study has rows for it with enough units in its table {within(one.table)}",
            )
            for one in left
        ]
        for text in beyond[paper]:
            words, _, why = text.partition(" — ")
            found.append((title, words, why))
    return found


def _study(record: Record) -> list[str]:
    """Row of a study."""
    name = record["study"]
    return [
        f"[{name}](#{_anchor(record['title'])})" if record["claims"] else name,
        str(record["networks"]),
        str(record["ensembles"]),
        ", ".join(record["datasets"]),
        listed(record["training_images"]) or "–",
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


def _pictures(record: Record, captions: Mapping[str, str]) -> Iterator[str]:
    """Yield the figures of a study, each with its name and what it shows."""
    for figure in record["figures"]:
        shows = captions.get(figure["file"], figure["shows"])
        said = f"{_name_of(figure)}: {shows}"
        file = f"findings/{record['study']}/{figure['file']}"
        anchor = f'<a id="{_anchor_of(figure, record)}"></a>'
        yield from (f"{anchor}{said} Study `{record['study']}`.", "", f"![{said}]({file})", "")


def _links(files: Sequence[str], record: Record) -> str:
    """Link to those figures of a study that are in some files."""
    return " · ".join(
        f"[{_name_of(one)}](#{_anchor_of(one, record)})"
        for one in record["figures"]
        if one["file"] in files
    )


def _name_of(figure: Mapping[str, str]) -> str:
    """Return the place of a figure in the paper, or its own name where it has none."""
    return figure["place"] or readable(Path(figure["file"]).stem)


def _anchor_of(figure: Mapping[str, str], record: Record) -> str:
    """Return the anchor of a figure."""
    return f"{record['study']}-{Path(figure['file']).stem}"


def _claim(row: Record, record: Record, drawn: Sequence[str]) -> list[str]:
    """Row of a claim that was judged, and is drawn in some files."""
    about = "; ".join(filter(None, (row["labels"], row["about"])))
    verdict = f"**{row['verdict']}**" + (f": {row['reason']}" if row["reason"] else "")
    links = _links(drawn, record) if row["expected"] else ""
    told = [row["claim"], about, row["expected"], _estimate(row), row["of"], verdict, links]
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
    """Write an estimate with its interval, if there are any; large numbers have two decimals."""
    if row["estimate"] is None:
        return "–"
    values = [row[key] for key in NUMBERS]
    if None in values:
        values = [row["estimate"], math.nan, math.nan]
    if max(map(abs, values)) < LARGE:
        return interval(*values)
    shown = [f"{value:.2f}".replace("-", "−") for value in values if not math.isnan(value)]
    return shown[0] if len(shown) == 1 else f"{shown[0]} [{shown[1]}, {shown[2]}]"


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

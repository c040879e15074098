"""One page over all studies: every claim with its verdict, every measure beside the gap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from generalization.names import readable
from generalization.statistics.league_rows import league_rows, primary_statistic
from generalization.tables import read_table

CANDIDATE = "candidate"


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


def findings(studies: Sequence[StudyResults], versions: Mapping[str, str], *, primary: str) -> str:
    """Write the page, in Markdown.

    Args:
        studies: All studies that have results.
        versions: Commit and packages that they were computed with.

    Returns:
        Three parts: verdicts by study, claim by claim, and measures across studies.
    """
    made_with = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines = [
        "# Findings",
        "",
        f"Written by `make findings` ({made_with}) from the results of {len(studies)} studies,",
        "which earlier commits may have made: the report of a study names its own. Estimates have",
        "95 % intervals over ensembles. A claim has one row per study, dataset and setting that it",
        "is judged in; claims are not corrected for their number.",
        "",
        "## Studies",
        "",
        *_table(["study", "networks", "ensembles", "datasets", "verdicts"], map(_study, studies)),
    ]
    judged = [study for study in studies if study.claims is not None and len(study.claims)]
    lines += ["", "## Claims", ""]
    for study in judged:
        header = ["claim", "about", "expected", "estimate", "of", "verdict"]
        lines += [f"### {study.title}", "", *_table(header, _claims(study.claims)), ""]
    lines += ["## Measures", ""]
    lines += [
        "Rank correlation with the generalization gap among fitted networks, at equal values of",
        "the hyper-parameter that explains most of the gap (pooled, where nothing is swept).",
        "Baselines are in italics.",
        "",
    ]
    lines += _measures(studies, primary)
    return "\n".join(lines).rstrip("\n") + "\n"


def _study(study: StudyResults) -> list[str]:
    """Row of a study."""
    final = study.training[study.training["final"]]
    verdicts = "not judged"
    if study.claims is not None and len(study.claims):
        # Of claims that the study does not judge, nothing is expected.
        judged = study.claims[study.claims["expected"].notna()]
        counts = judged["verdict"].value_counts()
        verdicts = "; ".join(f"{count} {verdict}" for verdict, count in counts.items())
    ensembles = final["ensemble"].nunique()
    datasets = ", ".join(sorted(final["dataset"].astype(str).unique()))
    name = study.name if verdicts == "not judged" else f"[{study.name}](#{_anchor(study.title)})"
    return [name, str(len(final)), str(ensembles), datasets, verdicts]


def _claims(claims: pd.DataFrame) -> Iterator[list[str]]:
    """Row of every claim that was judged."""
    text = claims.astype(object).where(claims.notna(), "")
    for row in text.to_dict("records"):
        about = "; ".join(filter(None, (str(row["labels"]), str(row["about"]))))
        verdict = f"**{row['verdict']}**" + f": {row['reason']}" * bool(row["reason"])
        interval = _estimate(row["estimate"], row["low"], row["high"])
        yield [row["claim"], about, str(row["expected"]), interval, str(row["of"]), verdict]


def _measures(studies: Sequence[StudyResults], primary: str) -> list[str]:
    """Table of measures by studies, those first that were judged most often."""
    columns = {}
    for study in studies:
        statistic = primary_statistic(study.statistics, primary)
        rows = league_rows(study.statistics, statistic)
        rows = rows[rows["kind"].isin([CANDIDATE, "baseline"])]
        columns[study.name] = rows
    kinds = pd.concat([rows["kind"] for rows in columns.values()])
    kinds = kinds[~kinds.index.duplicated()]
    counts = (
        pd.concat([rows["estimate"].notna() for rows in columns.values()]).groupby(level=0).sum()
    )
    order = sorted(kinds.index, key=lambda name: (kinds[name] != CANDIDATE, -counts[name], name))
    table = []
    for name in order:
        shown = readable(name) if kinds[name] == CANDIDATE else f"*{readable(name)}*"
        cells = [
            _estimate(*rows.loc[name, ["estimate", "low", "high"]]) if name in rows.index else ""
            for rows in columns.values()
        ]
        table.append([shown, *cells])
    return _table(["measure", *columns], table)


def _estimate(estimate: object, low: object, high: object) -> str:
    """Write an estimate with its interval, if there are any."""
    values = [float(one) if one != "" else np.nan for one in (estimate, low, high)]
    if np.isnan(values[0]):
        return "–"
    if np.isnan(values[1:]).any():
        return f"{values[0]:.2f}".replace("-", "−")
    return f"{values[0]:.2f} [{values[1]:.2f}, {values[2]:.2f}]".replace("-", "−")


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

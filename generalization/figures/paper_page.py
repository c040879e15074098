"""One page for a paper: its claims with our verdicts, then its figures in its order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

import pandas as pd

from generalization.figures.html_table import html_table
from generalization.names import listed, readable
from generalization.statistics.findings import StudyResults
from generalization.statistics.verdicts import NOT_TESTED

COLUMNS = ["claim", "about", "verdict", "estimate", "low", "high", "expected", "reason"]
ABOUT = ["labels", "of", "control", "source", "quote", "ours"]
MAY_LACK = ["reason", *ABOUT]


class PaperFigure(NamedTuple):
    """A figure of a study that shows what one of the paper shows.

    Attributes:
        place: Place in the paper, for example "Fig. 2".
        name: Name of our figure, with that of its measure or factor after a slash if it has one.
        study: Study that draws it.
        shows: What it shows, in a sentence.
    """

    place: str
    name: str
    study: str
    shows: str


def paper_page(
    title: str,
    studies: Sequence[StudyResults],
    figures: Sequence[PaperFigure],
    order: Sequence[str],
    *,
    made_with: str = "",
) -> str:
    """Write the page of a paper, in HTML.

    Args:
        title: Author, year and title of the paper.
        studies: Studies of the paper, finished.
        figures: Figures that they have drawn, in the paper's order.
        order: Claims of the paper, in words, in its order.
        made_with: Commit and versions.

    Returns:
        Verdicts counted, the studies with links to their reports, a table of all claims, and the
        figures, which are read from ``../studies``.
    """
    table = _claims(studies, order)
    links = listed([_link(study.name, escape(study.title)) for study in studies])
    above = [
        f"<p>{_verdicts(table, order)}</p>",
        f"<p>Reports of the studies: {links}.</p>",
        f"<p>{escape(made_with)}</p>" * bool(made_with),
    ]
    below = ["<h2>Figures, in the paper's order</h2>", *_figures(figures)]
    return html_table(table, title, above="\n".join(above) + "\n", below="\n".join(below) + "\n")


def _claims(studies: Sequence[StudyResults], order: Sequence[str]) -> pd.DataFrame:
    """Rows of all studies, by claim in the paper's order, without columns that say nothing."""
    tables = [
        study.claims.assign(study=study.name).reindex(columns=[*COLUMNS, "study", *ABOUT])
        for study in studies
        if study.claims is not None and len(study.claims)
    ]
    if not tables:
        return pd.DataFrame(columns=[*COLUMNS, "study", *ABOUT])
    rows = pd.concat(tables, ignore_index=True)
    places = {claim: place for place, claim in enumerate(order)}
    # Studies count the claims that they cannot judge: here others may judge them.
    rows = rows[rows["claim"].isin(places) | (rows["verdict"] != NOT_TESTED)]
    said = rows[MAY_LACK].replace("", pd.NA).notna().any()
    return rows.drop(columns=said.index[~said]).sort_values(
        "claim", key=lambda claims: claims.map(places), kind="stable", ignore_index=True
    )


def _verdicts(table: pd.DataFrame, order: Sequence[str]) -> str:
    """Count rows by verdict, and claims without a row."""
    if table.empty:
        return "No claim was judged."
    counts = [f"{count} {escape(word)}" for word, count in table["verdict"].value_counts().items()]
    claims = table["claim"].nunique()
    rows = f"{len(table)} row{'s' * (len(table) > 1)}, of a dataset and setting each"
    told = f"{claims} claim{'s' * (claims > 1)} in {rows}: {listed(counts)}."
    left = len(set(order) - set(table["claim"]))
    if left:
        further = f"{left} further claim{'s' * (left > 1)}"
        told += f" {further} of the paper cannot be judged by the design of these studies."
    return told


def _figures(figures: Sequence[PaperFigure]) -> Iterator[str]:
    """Figures one below the other."""
    for one in figures:
        name = escape(readable(one.name.replace("/", ": ")))
        file = f"../studies/{one.study}/figures/{one.name}.svg"
        yield f"<h3>{escape(one.place)}: {name}</h3>"
        yield f"<p>{escape(one.shows)} {_link(one.study, f'Report of {escape(one.study)}')}.</p>"
        yield f'<img src="{escape(file)}" alt="{name}" style="max-width: 100%">'


def _link(study: str, words: str) -> str:
    """Link to the report of a study."""
    return f'<a href="../studies/{escape(study)}/report.html">{words}</a>'

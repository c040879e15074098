"""Find the studies and figures of a paper: ``python workflow/papers.py novak_2018`` names them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from about import headline_of  # noqa: E402
from planning import Study  # noqa: E402
from schema import SCHEMA, among, read_yaml  # noqa: E402
from values import ROOT, published_values, read_studies  # noqa: E402

from generalization.catalog import FIGURES, MEASURES, PAPERS, TABLES  # noqa: E402
from generalization.errors import InputError, exit_on_input_error  # noqa: E402
from generalization.experiments import claims_of  # noqa: E402
from generalization.hyperparameters import FIXED_SIZE  # noqa: E402
from generalization.statistics.claim import Claim  # noqa: E402
from generalization.tables import read_table  # noqa: E402

# What most tables and figures are made from.
OF_MOST = {"measures", "training"}


def reduced_studies(paper: str) -> list[Study]:
    """List the studies of a paper that run on two cores, in the order of the published values.

    Raises:
        InputError: If there is no such paper.
    """
    if paper not in PAPERS:
        raise InputError(f"PAPER must be among {among(PAPERS, paper)}.")
    studies = read_studies()
    names = [
        reduced
        for name, about in published_values().items()
        for reduced in about.get("reduced", [f"{name}_reduced"])
    ]
    return [studies[name] for name in names if paper in studies[name].papers]


def figures_of(paper: str) -> list[tuple[str, str, str, str]]:
    """List the figures of a paper that its reduced studies draw, in the paper's order.

    Returns:
        Place in the paper, name of the figure, name of the study, and what the figure shows.
    """
    studies = {study.name: study for study in reduced_studies(paper)}
    rows = [
        (place, figure, reduced, headline_of(figure.split("/")[0]))
        for name, about in published_values().items()
        for place, figure in about["figures"].items()
        for reduced in about.get("reduced", [f"{name}_reduced"])
        if reduced in studies and draws(studies[reduced], figure)
    ]
    return sorted(rows, key=lambda row: _place(row[0]))


def figures_of_study(folder: Path) -> list[tuple[str, str, str]]:
    """List the figures that carry a study with results in a folder of its name.

    Returns:
        Place in the paper, name of the figure, and what it shows: figures of its papers that are
        drawn; then, without a place, others that draw claims which it judges and these do not; or
        else the league of measures.
    """
    drawn = [figure for figure in _figures() if (folder / f"figures/{figure}.svg").is_file()]
    places = {
        figure: place
        for name, about in published_values().items()
        for place, figure in about["figures"].items()
        if folder.name in about.get("reduced", [f"{name}_reduced"]) and figure in drawn
    }
    chosen = sorted(places, key=lambda figure: _place(places[figure]))
    chosen += _others(_judged_in(folder), chosen, drawn)
    return [
        (places.get(figure, ""), figure, headline_of(figure.split("/")[0]))
        for figure in chosen or ["measure_league"]
    ]


def _judged_in(folder: Path) -> list[Claim]:
    """List the claims that a study judges, of which its table of claims has a row."""
    file = folder / "claims.csv"
    found = set(read_table(file)["claim"]) if file.is_file() else set()
    return [one for one in claims_of(PAPERS) if one.claim in found]


def _others(claims: Iterable[Claim], chosen: Sequence[str], drawn: Sequence[str]) -> list[str]:
    """Choose drawn figures of claims that no chosen one draws, those of most claims first."""
    left = [one for one in claims if not any(shows(figure, one) for figure in chosen)]
    counts = {figure: sum(shows(figure, one) for one in left) for figure in drawn}
    best = max(counts, key=counts.get, default="")
    if not counts.get(best):
        return []
    return [best, *_others(left, [best], drawn)]


def _figures() -> Iterator[str]:
    """Yield all figures that a study may have, of each measure and factor where there is one."""
    factors = [*SCHEMA["$defs"]["hyperparameters"]["properties"], FIXED_SIZE]
    each = {"": [""], "measure": MEASURES, "factor": factors}
    for name, about in FIGURES.items():
        yield from (f"{name}/{one}".rstrip("/") for one in each[about.one_per])


def _file(figure: str) -> str:
    """Return the file of a figure in a record."""
    return f"{figure.replace('/', '_')}.svg"


def captions() -> dict[str, str]:
    """Return file of a figure → what it shows."""
    return {_file(figure): headline_of(figure.split("/")[0]) for figure in _figures()}


def drawn_claims() -> dict[str, list[str]]:
    """Return claim → files of figures that draw it."""
    return {
        claim.claim: [_file(figure) for figure in _figures() if shows(figure, claim)]
        for claim in claims_of(PAPERS)
    }


def titles() -> dict[str, str]:
    """Return paper → author, year and title, of those whose studies are configured."""
    studies, found = _configurations(), {}
    for name, about in published_values().items():
        # A study that judges the claims of several papers is of the first.
        for paper in studies.get(name, {}).get("papers", ())[:1]:
            found.setdefault(paper, about["of"])
    return found


def _configurations() -> dict[str, dict[str, Any]]:
    """Read configurations by name, also those that are not whole yet."""
    files = (ROOT / "config").glob("*.yaml")
    return {file.stem: read_yaml(file) or {} for file in files}


def draws(study: Study, figure: str) -> bool:
    """Return whether a study draws a figure, of one measure or factor if there is one of each."""
    name, _, each = figure.partition("/")
    if name not in study.figures_and_pages[0]:
        return False
    return each in study.names_of_figures(name) if FIGURES[name].one_per else not each


def shows(figure: str, claim: Claim) -> bool:
    """Return whether a figure draws the rows that speak to a claim.

    Args:
        figure: Its name; of one that is drawn per measure or factor, ``NAME/MEASURE``.

    Returns:
        Whether it is made from their table, or from what this is made from; of figures of
        measures, whether the claim names a measure or factor that they draw.
    """
    name, _, each = figure.partition("/")
    about, table = FIGURES[name], TABLES[claim.table]
    if about.one_per:
        return f"'{each}'" in claim.rows
    if about.made_from == ("measures", "statistics"):
        of_networks = claim.table == "paper_relations"
        return of_networks and any(f"'{one}'" in claim.rows for one in about.measures)
    made_from = {*about.made_from} - OF_MOST
    origins = _origins(made_from)
    of_table = {*table.made_from}
    return bool(made_from & {claim.table, *of_table} or (origins and origins <= of_table))


def _origins(names: Iterable[str]) -> set[str]:
    """Return the profiles, comparisons and their like that tables are made from in the end."""
    found = set()
    for name in names:
        found |= _origins(TABLES[name].made_from) if name in TABLES else {name}
    return found - OF_MOST


def _place(words: str) -> tuple[bool, int, bool, list[int]]:
    """Return where a figure stands in its paper: the appendix comes last, parts from top down."""
    number, *others = map(int, re.findall(r"\d+", words))
    return bool(re.match(r"Figs? App\.", words)), number, "bottom" in words, others


if __name__ == "__main__":
    with exit_on_input_error():
        print(*(study.name for study in reduced_studies(sys.argv[1])))

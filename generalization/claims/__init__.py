"""What papers claim: rows of a table of statistics, and where their estimates should lie.

Every file here holds the claims of one paper, in the order in which it makes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module

PAPERS = (
    "novak_2018",
    "daroczy_2020",
    "forouzesh_2020",
    "morcos_2018",
    "raghu_2017",
    "morcos_2018_similarity",
    "graham_inner_activations",
    "zhang_2017",
)


@dataclass(frozen=True)
class Claim:
    """A claim that an estimate lies on one side of a number.

    Attributes:
        claim: In words.
        source: Where the paper makes it.
        table: Table of statistics in which the estimate stands.
        rows: Which of its rows speak to the claim, as a query of pandas; each is judged by itself.
        expected: ``above`` or ``below`` the number, or ``near`` it, for a claim of no relation.
        number: That a claim is measured against: 0 for a correlation, 1 for a ratio, ½ for a share.
        columns: Of the estimate and its interval.
        tolerance: How near is near.
    """

    claim: str
    source: str
    table: str
    rows: str
    expected: str
    number: float = 0.0
    columns: tuple[str, str, str] = ("estimate", "low", "high")
    # ASSUME: "does not go with" is taken at its word if the interval of a correlation lies within
    # ±0.3, of a share within 0.5 ± 0.3: a relation that is larger would have been seen.
    tolerance: float = 0.3


def claims_of(papers: Iterable[str]) -> Iterator[Claim]:
    """The claims of some papers, in their order."""
    for paper in papers:
        yield from import_module(f"generalization.claims.{paper}").CLAIMS

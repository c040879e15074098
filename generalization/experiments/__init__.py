"""One folder per question: its profiles, tables, figures, captions and claims.

A room may use everything else in the package, but no other room. Adding a paper is adding a folder
and its line in the catalog.

Args:
    x: Column along the horizontal axis.
    y: Column along the vertical axis.
    classes: Number K of classes.
    members: Table with ``seed``, ``step`` and ``final`` of every network.
    papers: Paper → rooms whose ``claims.py`` has claims of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module

from generalization.statistics.claim import Claim


def claims_of(papers: Mapping[str, Sequence[str]]) -> Iterator[Claim]:
    """Claims of papers, each in the order of its rooms."""
    for paper, rooms in papers.items():
        for room in rooms:
            yield from import_module(f"{__name__}.{room}.claims").CLAIMS[paper]


def untested_of(papers: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Claims of papers that no study of this project can speak to, each with the reason.

    Yields:
        Claim and reason, with a dash between them.
    """
    for paper, rooms in papers.items():
        for room in rooms:
            claims = import_module(f"{__name__}.{room}.claims")
            yield from getattr(claims, "UNTESTED", {}).get(paper, ())

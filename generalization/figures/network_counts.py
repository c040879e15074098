"""Numbers of networks, in words for headings and headlines."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from generalization.tables import NETWORK


def counted(rows: pd.DataFrame, name: str, kind: str = "") -> str:
    """``mnist: 12 fitted networks of 1 ensemble``, a heading for rows of networks.

    Args:
        rows: Rows with ``NETWORK``.
        name: Name before the colon.
        kind: Adjective of networks.
    """
    networks, ensembles = len(rows[NETWORK].drop_duplicates()), rows["ensemble"].nunique()
    of = f"{_several(networks, f'{kind} network'.strip())} of {_several(ensembles, 'ensemble')}"
    return f"{name}: {of}"


def count_networks(tables: Sequence[pd.DataFrame]) -> str:
    """``12 networks``, for a headline; empty if the tables of the panels are not about networks."""
    if not set(NETWORK) <= set(tables[0]):
        return ""
    networks = pd.concat([table[NETWORK] for table in tables]).drop_duplicates()
    return _several(len(networks), "network")


def _several(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"

"""Find out what changes profiles: small networks and points change as in an audit.

``make properties`` writes ``docs/profile_changes.csv``, which the pages of profiles quote. A column
is compared network by network, whatever the order of rows: units of a permuted layer are others.
Where a profile draws random numbers, means over seeds are compared, as by ``check_measure``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from inspect import signature
from pathlib import Path
from warnings import catch_warnings, simplefilter

import numpy as np
import pandas as pd
import torch
from calls import call, function_of, of_small_networks

from generalization.audit.cases import Case
from generalization.audit.changes import INVARIANCES, reordered_points
from generalization.audit.evaluations import DRAWN, LEVEL, ROUNDING, difference
from generalization.catalog import PROFILES

FILE = Path(__file__).with_suffix(".csv")
CHANGES: dict[str, Callable[..., Case]] = INVARIANCES | {"order of inputs": reordered_points}
SEEDS = range(5)
OUTCOMES = {"same": "invariant", "different": "changes", "no value": "invariant"}


def changes_of(name: str) -> pd.DataFrame:
    """Change the case of a profile: one row per change and column, with the outcome.

    Args:
        name: Profile of the catalog.
    """
    case = of_small_networks()
    drawn = {*DRAWN, "recorded"} & {*signature(function_of(name)).parameters}
    seeds = [*SEEDS] if drawn else [0]
    before = _tables(name, case, seeds)
    rows = []
    for change, changed in CHANGES.items():
        after = _tables(name, changed(case), seeds)
        for column in before[0].columns.drop("network"):
            pair = ([one[["network", column]] for one in some] for some in (before, after))
            rows.append((name, change, column, _compared(*pair)))
    return pd.DataFrame(rows, columns=["profile", "change", "column", "outcome"])


def _tables(name: str, case: Case, seeds: list[int]) -> list[pd.DataFrame]:
    with catch_warnings():
        simplefilter("ignore")
        return [call(name, case, seed) for seed in seeds]


def _compared(before: list[pd.DataFrame], after: list[pd.DataFrame]) -> str:
    """Compare a column before and after a change: invariant, within noise, or changes."""
    if all(map(_same, before, after)):
        return "invariant"
    numeric = all(pd.api.types.is_numeric_dtype(one.iloc[:, 1]) for one in (*before, *after))
    if len(before) == 1 or not numeric:
        return "changes"
    means = (torch.tensor([_mean(one) for one in some]) for some in (before, after))
    found = difference(*means, level=LEVEL).outcome
    return OUTCOMES.get(found, found)


def _mean(table: pd.DataFrame) -> list[float]:
    column = table.iloc[:, 1].astype(float)
    return column.groupby(table["network"]).mean().tolist()


def _same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Tell whether a column has the same values of every network, in any order, up to rounding."""
    if len(one) != len(other):
        return False
    a, b = (some.sort_values([*some.columns], key=_sortable).iloc[:, 1] for some in (one, other))
    if not pd.api.types.is_numeric_dtype(a) or not pd.api.types.is_numeric_dtype(b):
        return a.astype(str).tolist() == b.astype(str).tolist()
    pair = (some.astype(float).to_numpy() for some in (a, b))
    return bool(np.allclose(*pair, rtol=ROUNDING, atol=1e-12, equal_nan=True))


def _sortable(column: pd.Series) -> pd.Series:
    numeric = pd.api.types.is_numeric_dtype(column)
    return column.astype(float) if numeric else column.astype(str)


@cache
def known() -> pd.DataFrame:
    """Return what was found of all profiles. A column may be called ``null``."""
    return pd.read_csv(FILE, keep_default_na=False)


def told(table: pd.DataFrame) -> list[str]:
    """Return one sentence per change: the columns of a profile that it changes.

    Args:
        table: Rows of the profile.
    """
    lines = []
    for change, rows in table.groupby("change", sort=False):
        by_outcome = rows.groupby("outcome")["column"].agg(list)
        parts = [
            f"{', '.join(f'`{one}`' for one in by_outcome[outcome])}{words}"
            for outcome, words in (("changes", ""), ("within noise", " up to random numbers"))
            if outcome in by_outcome
        ]
        lines.append(f"{change}: {' and '.join(parts) or 'nothing'}")
    return lines


def main() -> None:
    """Check all profiles anew."""
    pd.concat(map(changes_of, PROFILES)).to_csv(FILE, index=False)


if __name__ == "__main__":
    main()

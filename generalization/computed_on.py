"""On which devices, with which drivers and versions of torch, the values of tables were computed.

The tables of blocks of seeds have columns of that, the tables that are joined from them have not:
a short table beside them counts it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from generalization.tables import MADE_ON

ORIGIN = MADE_ON[:3]


def without_origins(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without the columns of ``ORIGIN``."""
    return table.drop(columns=ORIGIN, errors="ignore")


def counted_origins(table: pd.DataFrame, name: str = "") -> pd.DataFrame:
    """Count the ensembles whose values were computed on each device.

    Args:
        table: Rows of tables of blocks of seeds, with ``ensemble`` or ``ensemble_a``, and the
            columns of ``ORIGIN``, if they are known.
        name: Name of the table; by default that of the measure of each row.

    Returns:
        One row per table and origin: ``table``, the columns of ``ORIGIN``, ``ensembles``,
        ``shared``, how many of these have values of another origin too, and ``ensemble``, the first
        of the shared ones, else of all. Empty where nothing is known.
    """
    kind = "ensemble" if "ensemble" in table else "ensemble_a"
    keys = ["table", *ORIGIN]
    known = table.reindex(columns=[kind, "measure", *ORIGIN]).dropna(subset=["device"])
    known = known.rename(columns={kind: "ensemble"}).assign(table=name or known["measure"])
    known[ORIGIN] = known[ORIGIN].astype(object).fillna("")
    cells = known[[*keys, "ensemble"]].drop_duplicates()
    cells["shared"] = cells.duplicated(["table", "ensemble"], keep=False)
    cells = cells.sort_values([*keys, "shared", "ensemble"], ascending=[True] * 4 + [False, True])
    return cells.groupby(keys, as_index=False).agg(
        ensembles=("ensemble", "size"), shared=("shared", "sum"), ensemble=("ensemble", "first")
    )


def told_origins(computed_on: pd.DataFrame) -> Iterator[str]:
    """Say where the values of a study were computed.

    Args:
        computed_on: Rows of ``counted_origins``.

    Yields:
        Sentences: on which devices, and which ensembles have values of several in one table.
    """
    if computed_on.empty:
        return
    words = computed_on[ORIGIN].fillna("").agg(" ".join, axis=1).str.split().str.join(" ")
    if words.nunique() == 1:
        yield (
            "All values were computed on the same device, with the same driver and torch: "
            f"{words.iloc[0]}."
        )
        return
    counts = computed_on.groupby(words)["table"].agg(["nunique", "first"])
    where = [
        f"{origin} ({table if count == 1 else f'{count} tables'})"
        for origin, count, table in counts.itertuples()
    ]
    yield (
        "Values were not all computed on the same device, with the same driver and torch: "
        f"{'; '.join(where)}."
    )
    mixed = computed_on[computed_on["shared"] > 0]
    if len(mixed):
        count, first = mixed["table"].nunique(), mixed.iloc[0]
        yield (
            f"Networks of one ensemble have values of several of these, in {count} "
            f"table{'s' * (count > 1)} ({first['table']} of {first['ensemble']}, for one): the "
            "same seeds give the same bits on one of them only."
        )

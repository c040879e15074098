"""Tables of measures from elsewhere, brought to the form of a study's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from generalization.errors import InputError
from generalization.tables import MEASURED, PERFORMANCE, TOLD, read_table

IDENTITY = ["group", "seed"]
GAP = "generalization_gap"
ACCURACIES = ["train_accuracy", "test_accuracy"]
ROUNDING = 1e-6  # Of a gap that is given beside the accuracies.
# What is at fault, a column or nothing for the whole file, and what it must be.
Fault = tuple[str, str]
RESERVED = {*MEASURED, *PERFORMANCE, GAP, *IDENTITY}


def read_foreign_table(path: Path | str, hyperparameters: Sequence[str]) -> pd.DataFrame:
    """Read a table with one row per network, and check it.

    Args:
        path: CSV file. ``group`` names networks with the same hyper-parameters, ``seed`` tells them
            apart; ``generalization_gap``, or ``train_accuracy`` and ``test_accuracy``, are
            fractions; ``dataset`` is optional; ``train_loss`` and ``test_loss`` are kept, if there.
            All other columns are hyper-parameters or measures.
        hyperparameters: Columns that are hyper-parameters.

    Returns:
        The table that ``collect_measures`` makes of a study: one row per network and measure, its
        groups being ensembles. Networks without a train accuracy count as fitted.

    Raises:
        InputError: If the table is not of this form; one sentence with column, need and value.
    """
    table = read_table(path, [*IDENTITY, *hyperparameters])
    table = table.assign(dataset=table.get("dataset", Path(path).stem))
    known = {*IDENTITY, *hyperparameters, *PERFORMANCE, GAP, "dataset"}
    measures = [column for column in table if column not in known]
    faults = chain(
        _faults_of_networks(table),
        _faults_of_hyperparameters(table, hyperparameters),
        _faults_of_performance(table),
        _faults_of_measures(table, measures),
    )
    for where, need in faults:
        raise InputError(f"{where}{' of ' * bool(where)}{path} must {need}.")
    table = _with_gap(table).rename(columns={"group": "ensemble"})
    table = table.assign(step=1, final=True, status="fitted")
    settings = ["dataset", *(key for key in hyperparameters if key != "dataset")]
    kept = [key for key in MEASURED if key not in ("measure", "value", *TOLD)]
    long = table.melt([*kept, *settings, *PERFORMANCE, GAP], measures, "measure", "value")
    return long.assign(standard_error=np.nan, method="", reason="")[
        [*MEASURED, *settings, *PERFORMANCE, GAP]
    ]


def _faults_of_networks(table: pd.DataFrame) -> Iterator[Fault]:
    """Yield what keeps a row from being one network."""
    if table.empty:
        yield "", "have at least 1 row, not 0"
    for column in (*IDENTITY, "dataset"):
        if table[column].isna().any():
            yield column, f"be given in {_line(table[column].isna())}"
    again = table.duplicated(IDENTITY)
    if again.any():
        named = ", ".join(f"{key} {table.loc[again, key].iloc[0]}" for key in IDENTITY)
        yield "", f"have one row per network, but {named} occurs twice"


def _faults_of_hyperparameters(
    table: pd.DataFrame, hyperparameters: Sequence[str]
) -> Iterator[Fault]:
    """Yield what keeps a column from being a hyper-parameter."""
    for key in hyperparameters:
        if key in RESERVED:
            yield "hyper-parameters", f"have names of their own, not {key}"
    for key in ("dataset", *hyperparameters):
        values = table.groupby("group")[key].nunique(dropna=False)
        if (values > 1).any():
            yield (
                key,
                "be the same for all networks of a group, but has "
                f"{values.max()} values in group {values.idxmax()}",
            )


def _faults_of_performance(table: pd.DataFrame) -> Iterator[Fault]:
    """Yield what keeps accuracies and the gap from being known."""
    if GAP not in table and not {*ACCURACIES} <= {*table}:
        there = ", ".join(map(str, table))
        need = f"have the column {GAP}, or {' and '.join(ACCURACIES)}; its columns are {there}"
        yield "", need
    for column in [one for one in [*PERFORMANCE, GAP] if one in table]:
        yield from _faults_of_numbers(table[column], column)
        low = -1 if column == GAP else 0
        high = 1 if column in {*ACCURACIES, GAP} else np.inf
        if (beyond := (table[column] < low) | (table[column] > high)).any():
            value = table.loc[beyond, column].iloc[0]
            yield column, f"be from {low} to {high:g}, not {value:g} in {_line(beyond)}"
    if {*ACCURACIES, GAP} <= {*table}:
        gap = table["train_accuracy"] - table["test_accuracy"]
        if (off := (table[GAP] - gap).abs() > ROUNDING).any():
            found = f"{gap[off].iloc[0]:g}, not {table.loc[off, GAP].iloc[0]:g} in {_line(off)}"
            yield GAP, f"be train_accuracy − test_accuracy, {found}"


def _faults_of_measures(table: pd.DataFrame, measures: Sequence[str]) -> Iterator[Fault]:
    """Yield what keeps the other columns from being measures."""
    if not measures:
        yield "", "have at least 1 column that is a measure, not 0"
    for measure in measures:
        if measure in RESERVED:
            yield "measures", f"have names of their own, not {measure}"
        for where, need in _faults_of_numbers(table[measure], measure):
            yield where, f"{need}; if it is a hyper-parameter, name it as one"


def _faults_of_numbers(column: pd.Series, name: str) -> Iterator[Fault]:
    """Yield the first cell that is no number; an empty one is a missing number."""
    if is_numeric_dtype(column) and not is_bool_dtype(column):
        return
    wrong = pd.to_numeric(column, errors="coerce").isna() & column.notna()
    wrong = wrong if wrong.any() else column.notna()
    yield name, f"be a number, not {str(column[wrong].iloc[0])!r} in {_line(wrong)}"


def _with_gap(table: pd.DataFrame) -> pd.DataFrame:
    """Add the gap, if accuracies are given, and what is missing of performance."""
    if {*ACCURACIES} <= {*table}:
        table = table.assign(**{GAP: table["train_accuracy"] - table["test_accuracy"]})
    missing = {key: np.nan for key in PERFORMANCE if key not in table}
    # Whoever gives no train accuracy says that all networks have fitted.
    missing |= {"train_accuracy": 1.0} if "train_accuracy" in missing else {}
    return table.assign(**missing)


def _line(where: pd.Series) -> str:
    """Name the first line of the file for which something holds; the head is line 1."""
    return f"line {int(np.argmax(where.to_numpy())) + 2}"

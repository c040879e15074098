"""Tables of a study, as CSV files: written whole, read without loss, joined with care."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from generalization.errors import InputError
from generalization.files import written_whole

NETWORK = ["ensemble", "seed"]
KEPT_NETWORK = ["ensemble", "seed", "step"]
PERFORMANCE = ["train_loss", "train_accuracy", "test_loss", "test_accuracy"]
MEASURED = [*KEPT_NETWORK, "final", "measure", "value", "status"]
TRAINING = [*KEPT_NETWORK, *PERFORMANCE, "status"]


def write_table(path: Path | str, table: pd.DataFrame) -> None:
    """Write a CSV table, whole or not at all.

    Floats have the fewest digits that read back as the same float64; single precision is widened
    first, since its own shortest digits would read back as another number.

    Args:
        path: Where the file is to be.
        table: Its index is not written.
    """
    singles = table.select_dtypes(np.float32).columns
    with written_whole(path) as beside:
        table.astype(dict.fromkeys(singles, np.float64)).to_csv(beside, index=False)


def read_table(path: Path | str, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV table. Only an empty cell is a missing value; ``none`` and ``None`` are words.

    Args:
        path: Of a file that ``write_table`` wrote.
        columns: That the table must have.

    Returns:
        The table, with NaN for every empty cell.

    Raises:
        InputError: If the file is not a table or lacks a column.
    """
    try:
        table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{path} must be a CSV table, but: {reason}.") from error
    _require(table, columns, str(path))
    return table


def collect_measures(
    measure_tables: Sequence[pd.DataFrame],
    training: pd.DataFrame,
    hyperparameters: Mapping[str, Mapping[str, Any]],
) -> pd.DataFrame:
    """All measures of a study beside the hyper-parameters and performance of their networks.

    Args:
        measure_tables: Each with ensemble, seed, step, measure, value and maybe more columns.
        training: The rows of ``training.csv`` of all ensembles.
        hyperparameters: Ensemble → hyper-parameter → value.

    Returns:
        One row per ensemble, seed, step and measure: ``MEASURED``, every hyper-parameter,
        ``PERFORMANCE`` and ``generalization_gap``, train accuracy − test accuracy. ``final`` marks
        the last step of a network in ``training``, and ``status`` tells how it ended there.

    Raises:
        InputError: If ``training`` lacks what was measured, or a row is there twice.
    """
    columns = [*KEPT_NETWORK, "measure", "value"]
    for table in measure_tables:
        _require(table, columns, "A table of measures")
    measures = pd.concat([table[columns] for table in measure_tables], ignore_index=True)
    _once(measures, [*KEPT_NETWORK, "measure"], "Measures")
    networks = collect_training(training, hyperparameters)
    networks["generalization_gap"] = networks["train_accuracy"] - networks["test_accuracy"]
    joined = measures.merge(
        networks, on=KEPT_NETWORK, how="left", validate="many_to_one", indicator=True
    )
    lost = joined[joined["_merge"] == "left_only"]
    if len(lost):
        raise InputError(
            f"Training must have what was measured, but has no {_named(lost[KEPT_NETWORK])}."
        )
    return _ordered(joined.drop(columns="_merge"), MEASURED)


def collect_training(
    training: pd.DataFrame, hyperparameters: Mapping[str, Mapping[str, Any]]
) -> pd.DataFrame:
    """The course of training beside the hyper-parameters.

    Args:
        training: The rows of ``training.csv`` of all ensembles.
        hyperparameters: Ensemble → hyper-parameter → value. A value that is a list or a tuple
            becomes JSON.

    Returns:
        The same rows in order, with ``final`` and a column for every hyper-parameter; ``status``
        is that of the network at its last step.

    Raises:
        InputError: If an ensemble has no hyper-parameters, or a row is there twice.
    """
    _require(training, TRAINING, "The table of training")
    _once(training, KEPT_NETWORK, "Training")
    for ensemble in training["ensemble"].unique():
        if ensemble not in hyperparameters:
            raise InputError(
                f"Hyper-parameters must be given of every ensemble, not of {ensemble}."
            )
    rows = [
        {"ensemble": ensemble} | {key: _cell(value) for key, value in values.items()}
        for ensemble, values in hyperparameters.items()
    ]
    # As objects, whole numbers beside None stay whole.
    chosen = pd.DataFrame(rows, dtype=object).apply(
        lambda column: column if column.isna().any() else column.infer_objects()
    )
    training = training.sort_values(KEPT_NETWORK, ignore_index=True)
    networks = training.groupby(NETWORK)
    training["final"] = training["step"] == networks["step"].transform("last")
    training["status"] = networks["status"].transform("last")
    joined = training.merge(chosen, on="ensemble", how="left", validate="many_to_one")
    return _ordered(joined, [*KEPT_NETWORK, "final", "status"])


def with_networks(profile: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """The rows of a profile beside the hyper-parameters and performance of their networks.

    Args:
        profile: Table of a profile of a study, with ensemble, seed, step.
        training: Table of ``collect_training``.

    Returns:
        Every row of the profile in its order, with the other columns of ``training``.

    Raises:
        InputError: If ``training`` lacks a network of the profile.
    """
    joined = profile.merge(
        training, on=KEPT_NETWORK, how="left", validate="many_to_one", indicator=True
    )
    lost = joined[joined["_merge"] == "left_only"]
    if len(lost):
        raise InputError(
            "Training must have the networks of a profile, "
            f"but has no {_named(lost[KEPT_NETWORK])}."
        )
    return joined.drop(columns="_merge")


def hyperparameters_of(table: pd.DataFrame) -> list[str]:
    """Columns of a table of measures or of training that are hyper-parameters."""
    others = {*MEASURED, *PERFORMANCE, "generalization_gap"}
    return [column for column in table if column not in others]


def swept_hyperparameters(table: pd.DataFrame) -> list[str]:
    """Hyper-parameters that have more than one value in a table, of what makes networks differ."""
    return [
        key
        for key in hyperparameters_of(table)
        if key != "kept_steps" and table[key].nunique(dropna=False) > 1
    ]


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | tuple) else value


def _ordered(table: pd.DataFrame, first: list[str]) -> pd.DataFrame:
    """The columns in reading order: what a row is, hyper-parameters, performance."""
    last = [key for key in [*PERFORMANCE, "generalization_gap"] if key in table]
    return table[[*first, *hyperparameters_of(table), *last]]


def _require(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    for column in columns:
        if column not in table:
            there = ", ".join(map(str, table)) or "none"
            raise InputError(f"{name} must have the column {column}; its columns are {there}.")


def _once(table: pd.DataFrame, keys: list[str], name: str) -> None:
    again = table[table.duplicated(keys)]
    if len(again):
        raise InputError(f"{name} must have every row once, but have {_named(again[keys])} twice.")


def _named(rows: pd.DataFrame) -> str:
    return ", ".join(f"{key} {value}" for key, value in rows.iloc[0].items())

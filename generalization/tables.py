"""CSV tables of a study: atomic writing, lossless reading, and checked joins."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import partial
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from generalization.errors import InputError
from generalization.files import read_checked, write_checked, written_whole
from generalization.hyperparameters import OF_BUILT_IN, Hyperparameters

NETWORK = ["ensemble", "seed"]
KEPT_NETWORK = ["ensemble", "seed", "step"]
PERFORMANCE = ["train_loss", "train_accuracy", "test_loss", "test_accuracy"]
# How a value was found, and why there is none; a table of measures from elsewhere may lack them.
TOLD = ["standard_error", "method", "reason"]
MEASURED = [
    *KEPT_NETWORK,
    "final",
    "measure",
    "value",
    "standard_error",
    "method",
    "status",
    "reason",
]
PAIR = ["ensemble", "step", "seed_a", "seed_b", "measure", "value", "reason"]
TRAINING = [*KEPT_NETWORK, *PERFORMANCE, "status"]
MADE_ON = ["device", "driver", "torch", "stack_size"]
# Columns of words in every table that has them. They are read as text, whatever the words: an
# ensemble may be named 001, version 2.10 is not 2.1, and labels may all be "true".
WORDS = (
    *(field.name for field in fields(Hyperparameters) if "str" in field.type),
    *("ensemble", "ensemble_a", "ensemble_b", "ensemble_better", "ensemble_worse"),
    *("device", "driver", "torch"),
    *("dataset", "labels", "given", "selection", "statistic", "quantity", "measure", "kind"),
    *("x", "y", "factor", "hyperparameter", "regularizers", "variant", "output", "estimator"),
    *("bound", "sensitivity", "similarity", "contrast", "place", "task", "part", "mode"),
    *("method", "status", "reason", "note", "underpowered", "larger_in", "pattern", "pixels"),
    *("claim", "about", "source", "quote", "ours", "heterogeneity", "verdict"),
    *("check", "outcome", "unit", "detail", "sees", "fragile_to", "hidden", "definition"),
)


def write_table(path: Path | str, table: pd.DataFrame) -> None:
    """Write a CSV table atomically, with a checksum in a hidden file beside it.

    Floats are written with the fewest digits that are read back as the same float64. Single
    precision is converted to double first, since its own shortest digits would be read back as a
    different number.

    Args:
        path: Path of the CSV file.
        table: Table to write, without its index.
    """
    singles = table.select_dtypes(np.float32).columns
    text = table.astype(dict.fromkeys(singles, np.float64)).to_csv(index=False)
    write_checked(path, text.encode())


def write_parquet(folder: Path | str, tables: Mapping[str, pd.DataFrame]) -> str:
    """Write tables as Parquet, each atomically, if pyarrow is installed.

    Args:
        folder: Folder of the files; missing folders are created.
        tables: Name → table; indices are not written.

    Returns:
        Message that states the result, or the missing package, in one sentence.
    """
    if find_spec("pyarrow") is None:
        return (
            "No Parquet is written, since pyarrow is not installed (`pip install pyarrow`); the "
            "CSV tables hold the same numbers."
        )
    for name, table in tables.items():
        with written_whole(Path(folder, f"{name}.parquet")) as beside:
            table.to_parquet(beside, index=False)
    return f"{len(tables)} tables are written as Parquet to {folder}."


def read_table(path: Path | str, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV table, verified if its checksum is beside it.

    Only empty cells are missing values; ``none`` and ``None`` are strings. Columns of ``WORDS`` are
    text, and so are others with the words ``true`` and ``false``: truth values are ``True`` and
    ``False``, as ``write_table`` writes them.

    Args:
        path: File written by ``write_table``.
        columns: Required columns.

    Returns:
        The table, with NaN in empty cells.

    Raises:
        InputError: If the file is not as it was written, is not a CSV table, or a column is
            missing.
    """
    try:
        table = _parsed(read_checked(path))
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{path} must be a CSV table, but: {reason}.") from error
    _require(table, columns, str(path))
    return table


def _parsed(text: bytes) -> pd.DataFrame:
    """Parse a CSV table, with words as text."""
    read = partial(pd.read_csv, keep_default_na=False, na_values=[""])
    table = read(BytesIO(text), dtype=dict.fromkeys(WORDS, str))
    if b"true" not in text and b"false" not in text:
        return table
    # pandas takes these words for truth values; beside missing ones they are of dtype object.
    places = [place for place, kind in enumerate(table.dtypes) if kind in (bool, object)]
    words = read(BytesIO(text), dtype=str, usecols=places) if places else table[[]]
    for place, name in zip(places, words, strict=True):
        if words[name].isin(["true", "false"]).any():
            table[table.columns[place]] = words[name]
    return table


def collect_measures(
    measure_tables: Sequence[pd.DataFrame],
    training: pd.DataFrame,
    hyperparameters: Mapping[str, Mapping[str, Any]],
) -> pd.DataFrame:
    """Join the measures of a study with the hyper-parameters and performance of the networks.

    Args:
        measure_tables: Tables with ensemble, seed, step, measure, value, and maybe the columns of
            ``TOLD``; others are dropped.
        hyperparameters: Ensemble → hyper-parameter → value.

    Returns:
        One row per ensemble, seed, step and measure: ``MEASURED``, every hyper-parameter,
        ``PERFORMANCE`` and ``generalization_gap``, train accuracy − test accuracy. ``final`` marks
        the final step of a network in ``training``, and ``status`` is its status at that step.

    Raises:
        InputError: If a measured network is missing in ``training``, or a row occurs twice.
    """
    columns = [*KEPT_NETWORK, "measure", "value"]
    for table in measure_tables:
        _require(table, columns, "A table of measures")
    measures = pd.concat(
        [table.reindex(columns=[*columns, *TOLD]) for table in measure_tables], ignore_index=True
    )
    # As it is read back: an empty cell is missing.
    measures[TOLD] = measures[TOLD].replace("", np.nan).infer_objects()
    _once(measures, [*KEPT_NETWORK, "measure"], "Measures")
    networks = collect_training(training, hyperparameters).drop(columns=MADE_ON, errors="ignore")
    networks["generalization_gap"] = networks["train_accuracy"] - networks["test_accuracy"]
    joined = measures.merge(
        networks, on=KEPT_NETWORK, how="left", validate="many_to_one", indicator=True
    )
    lost = joined[joined["_merge"] == "left_only"]
    if len(lost):
        raise InputError(
            f"Training must contain all measured networks, but lacks {_named(lost[KEPT_NETWORK])}."
        )
    return _ordered(joined.drop(columns="_merge"), MEASURED)


def collect_ensemble_measures(tables: Sequence[pd.DataFrame], seeds: int) -> pd.DataFrame:
    """Collect the measures of the pairs of networks of all ensembles.

    Args:
        tables: Tables of pairs of blocks, with ``PAIR``.
        seeds: Networks per ensemble; a block may hold more.

    Returns:
        One row per measure and pair of seeds, with ``PAIR``. Pairs share networks: their mean is
        one value of the ensemble.

    Raises:
        InputError: If a row occurs twice.
    """  # noqa: DOC502
    wanted = [
        table[(table["seed_a"] <= seeds) & (table["seed_b"] <= seeds)][PAIR] for table in tables
    ]
    # Empty columns of a pair of blocks without such seeds would spoil the types of others.
    pairs = pd.concat([table for table in wanted if len(table)] or wanted[:1], ignore_index=True)
    _once(pairs, ["ensemble", "seed_a", "seed_b", "measure"], "Ensemble measures")
    return pairs


def collect_training(
    training: pd.DataFrame, hyperparameters: Mapping[str, Mapping[str, Any]]
) -> pd.DataFrame:
    """Join the training history with the hyper-parameters.

    Args:
        hyperparameters: Ensemble → hyper-parameter → value. Lists and tuples are converted to
            JSON.

    Returns:
        The rows sorted by network and step, with ``final`` and one column per hyper-parameter;
        ``status`` is that of the network at its final step. ``MADE_ON`` stands last, if known.

    Raises:
        InputError: If an ensemble has no hyper-parameters, or a row occurs twice.
    """
    _require(training, TRAINING, "The table of training")
    _once(training, KEPT_NETWORK, "Training")
    for ensemble in training["ensemble"].unique():
        if ensemble not in hyperparameters:
            raise InputError(
                f"Hyper-parameters must be given for every ensemble, but are missing for "
                f"{ensemble}."
            )
    rows = [
        {"ensemble": ensemble} | {key: _cell(value) for key, value in values.items()}
        for ensemble, values in hyperparameters.items()
    ]
    # With dtype object, integers in a column with None remain integers.
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
    """Join a profile with the hyper-parameters and performance of the networks.

    Args:
        profile: Profile of a study, with ensemble, seed and step.

    Returns:
        The rows of the profile in the same order, with the other columns of ``training``, except
        for those of ``MADE_ON``.

    Raises:
        InputError: If a network of the profile is missing in ``training``.
    """
    joined = profile.merge(
        training.drop(columns=MADE_ON, errors="ignore"),
        on=KEPT_NETWORK,
        how="left",
        validate="many_to_one",
        indicator=True,
    )
    lost = joined[joined["_merge"] == "left_only"]
    if len(lost):
        raise InputError(
            "Training must contain all networks of a profile, "
            f"but lacks {_named(lost[KEPT_NETWORK])}."
        )
    return joined.drop(columns="_merge")


def hyperparameters_of(table: pd.DataFrame) -> list[str]:
    """Return the columns of a table of measures or training history that are hyper-parameters."""
    others = {*MEASURED, *PERFORMANCE, *MADE_ON, "generalization_gap"}
    return [column for column in table if column not in others]


def swept_hyperparameters(table: pd.DataFrame) -> list[str]:
    """Return the hyper-parameters with several values in a table, except for ``kept_steps``.

    That foreign architectures lack those of built-in ones is no value: ``architecture`` tells.
    """
    built_in = table
    if "architecture" in table:
        built_in = table[~table["architecture"].astype(str).str.contains(":")]
    return [
        key
        for key in hyperparameters_of(table)
        if key != "kept_steps"
        and (built_in if key in OF_BUILT_IN else table)[key].nunique(dropna=False) > 1
    ]


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | tuple) else value


def _ordered(table: pd.DataFrame, first: list[str]) -> pd.DataFrame:
    """Order columns: identification, hyper-parameters, performance, and where it was trained."""
    last = [key for key in [*PERFORMANCE, "generalization_gap", *MADE_ON] if key in table]
    return table[[*first, *hyperparameters_of(table), *last]]


def _require(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    for column in columns:
        if column not in table:
            there = ", ".join(map(str, table)) or "none"
            raise InputError(f"{name} must have the column {column}; its columns are {there}.")


def _once(table: pd.DataFrame, keys: list[str], name: str) -> None:
    again = table[table.duplicated(keys)]
    if len(again):
        raise InputError(f"{name} must have unique rows, but {_named(again[keys])} occurs twice.")


def _named(rows: pd.DataFrame) -> str:
    return ", ".join(f"{key} {value}" for key, value in rows.iloc[0].items())

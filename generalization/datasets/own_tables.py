"""Tables of a user: labels are read as words, features as finite numbers, and nothing is skipped.

Args:
    path: A CSV file.
    place: Key and source of the table, for sentences.
    words: Labels as they stand in the file.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from generalization.errors import InputError

LABELS = ("labels", "y", "label")

# Words that stand for a missing value where all others are numbers; of names, each is a class.
MISSING = {"na", "n/a", "#n/a", "nan", "-nan", "null", "none", "nil", "<na>", "?"}
# Columns of these names number the rows, if their values are different integers.
ROW_NUMBERS = {"index", "level_0", "id"}
NUMBER = r"[+-]?\d{1,18}"


def table_arrays(path: Path, place: str) -> tuple[np.ndarray, np.ndarray]:
    """Read a table with a column of labels; all others are features.

    Returns:
        Features in float32; labels, integers or names of classes.

    Raises:
        InputError: If a column has no name or a name twice, or numbers the rows; if there is no
            column of labels, or more than one, or no feature; or if a label is blank, or a feature
            is no finite number.
    """
    name = _column_of_labels(column_names(path, place), place)
    table = _read(path, place)
    if table.empty:
        raise InputError(f"{place} must have at least one row, not none.")
    features = table.drop(columns=name)
    if not features.shape[1]:
        raise InputError(f"{place} must have a column of features beside {name}, not none.")
    words = words_of(path, place, [name])[name]
    return _numbers(features, path, place), _labels(words.str.strip(), place)


def _read(path: Path, place: str, **how: Any) -> pd.DataFrame:
    """Read a CSV file.

    Args:
        how: Keyword arguments of ``pandas.read_csv``.

    Raises:
        InputError: If it cannot be read.
    """
    try:
        with warnings.catch_warnings():
            # Else rows with more values than there are names begin with an index, or are cut.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(path, index_col=False, **how)
    except pd.errors.ParserWarning as error:
        raise InputError(
            f"{place} must have as many values in every row as names of columns, not more."
        ) from error
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(
            f"{place} must be a table of comma-separated values, but: {reason}."
        ) from error


def words_of(path: Path, place: str, columns: list[str]) -> pd.DataFrame:
    """Return what stands in columns.

    Args:
        columns: Names of columns.
    """
    return _read(path, place, usecols=columns, dtype=str, keep_default_na=False)


def column_names(path: Path, place: str) -> list[str]:
    """Return the names of the columns.

    Raises:
        InputError: If one has none, as an index that was saved, or a name stands twice.
    """
    header = _read(path, place, header=None, nrows=1, dtype=str, keep_default_na=False)
    names = header.iloc[0].tolist()
    for number, name in enumerate(names, 1):
        if not name.strip() or re.fullmatch(r"Unnamed: [\d.]+", name):
            raise InputError(
                f"{place} must have a name for every column, not {name!r} for column {number}: "
                "to_csv(index=False) of pandas leaves out the index."
            )
        if names.count(name) > 1:
            raise InputError(f"{place} must have every column once, not {name} twice.")
    return names


def _column_of_labels(names: list[str], place: str) -> str:
    """Return the name of the column of labels.

    Raises:
        InputError: If there is none, or more than one.
    """
    found = [name for name in LABELS if name in names]
    if not found:
        raise InputError(
            f"{place} must have a column {' or '.join(LABELS)}; its columns are {', '.join(names)}."
        )
    if len(found) > 1:
        raise InputError(
            f"{place} must have one column of labels, not {' and '.join(found)}: features have "
            "other names."
        )
    return found[0]


def _numbers(features: pd.DataFrame, path: Path, place: str) -> np.ndarray:
    """Return features in float32.

    Args:
        features: Columns of the table.

    Raises:
        InputError: If one is not a finite number everywhere, or numbers the rows.
    """
    for name, column in features.items():
        if not pd.api.types.is_numeric_dtype(column) or not _finite(column).all():
            words = words_of(path, place, [name])[name]
            row = _finite(pd.to_numeric(words, errors="coerce")).argmin()
            raise InputError(
                f"{place} must have finite numbers in column {name}, not {words.iloc[row]!r} in "
                f"row {row + 1}."
            )
        whole = pd.api.types.is_integer_dtype(column)
        if name.lower() in ROW_NUMBERS and whole and column.is_unique and len(column) > 1:
            raise InputError(
                f"{place} must have features beside labels, not the column {name}, which numbers "
                "the rows: leave it out, or give it another name."
            )
    return features.to_numpy(np.float32, copy=True)


def _finite(column: pd.Series) -> np.ndarray:
    """Return which numbers of a column are finite in single precision."""
    with np.errstate(over="ignore"):
        return np.isfinite(column.to_numpy(np.float32))


def _labels(words: pd.Series, place: str) -> np.ndarray:
    """Return integers, if all labels are integers, else the names of classes.

    Raises:
        InputError: If a label is blank, or if all are numbers, but one is no integer or missing.
    """
    blank = (words == "").to_numpy()
    if blank.any():
        raise InputError(
            f"{place} must have a label in every row, not '' in row {blank.argmax() + 1}."
        )
    whole = words.str.fullmatch(NUMBER).to_numpy(bool)
    if whole.all():
        return words.astype(np.int64).to_numpy(copy=True)
    numbers = pd.to_numeric(words, errors="coerce").notna() & ~words.str.lower().isin(MISSING)
    missing = words.str.lower().isin(MISSING)
    if numbers.any() and (numbers | missing).all():
        row = whole.argmin()
        raise InputError(
            f"{place} must have integers in all rows as labels, or names, not "
            f"{words.iloc[row]!r} in row {row + 1} among numbers."
        )
    return np.array(words.tolist())

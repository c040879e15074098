"""Many small CSV tables read as one.

The scripts that train and measure do not import it, since an edit would rerun all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import groupby, pairwise
from pathlib import Path

import pandas as pd

from generalization.errors import InputError
from generalization.files import read_checked
from generalization.tables import WORDS, read_table

BLOCK = re.compile(r"seeds-\d+-\d+")


def read_tables(paths: Iterable[Path]) -> pd.DataFrame:
    """Read CSV tables as one, each verified if its checksum is beside it.

    A study has a hundred thousand tables of a few rows. To parse each by itself takes a hundred
    times as long as to parse their text together, and as data frames they take gigabytes.

    Args:
        paths: Files written by ``write_table``.

    Returns:
        The rows of all tables in their order; what a table has no column for is NaN.

    Raises:
        InputError: If a file is not as it was written, is not a CSV table, or is one of another
            ensemble or measure than its path says.
    """  # noqa: DOC502
    parts = [
        _parsed(head, list(files)) for head, files in groupby(_split(paths), key=lambda one: one[0])
    ]
    return pd.concat(parts, ignore_index=True)


def _split(paths: Iterable[Path]) -> Iterator[tuple[bytes, bytes, Path]]:
    """Yield header, rows and path of every table."""
    for path in paths:
        head, _, rows = read_checked(path).partition(b"\n")
        _check_place(path, head, rows)
        yield head, rows if rows.endswith(b"\n") or not rows else rows + b"\n", path


def _check_place(path: Path, head: bytes, rows: bytes) -> None:
    """Refuse a table that was copied from elsewhere, by its first row.

    Args:
        path: A table of a block of seeds is below ``ENSEMBLE/seeds-FIRST-LAST``, one of a measure
            has its name, maybe with the hash of its settings.
        head: Names of its columns.
        rows: Its rows.

    Raises:
        InputError: If it is one.
    """
    expected = {
        b"ensemble": [one for one, block in pairwise(path.parts) if BLOCK.fullmatch(block)][:1],
        b"measure": [path.stem, path.stem.split("-")[0]] if path.parent.name == "measures" else [],
    }
    first = rows.split(b"\n")[0].split(b",") if rows else []  # No network may have been trained.
    for column, value in zip(head.split(b","), first, strict=False):
        names = expected.get(column)
        if names and value.decode(errors="replace") not in names:
            raise InputError(
                f"{path} must have rows of {column.decode()} {names[0]}, not "
                f"{value.decode(errors='replace')!r}; without it the same command makes it again."
            )


def _parsed(head: bytes, files: list[tuple[bytes, bytes, Path]]) -> pd.DataFrame:
    """Return the rows of tables with one header."""
    # A quotation that never ends would swallow the tables after it.
    if all(rows.count(b'"') % 2 == 0 for _, rows, _ in files):
        text = b"".join([head, b"\n", *(rows for _, rows, _ in files)])
        try:
            return pd.read_csv(
                BytesIO(text),
                dtype=dict.fromkeys(WORDS, str),
                keep_default_na=False,
                na_values=[""],
                low_memory=False,
            )
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError):
            pass  # Whichever it is, it is named when it is read by itself.
    return pd.concat([read_table(path) for *_, path in files], ignore_index=True)

"""Sources of a user's data, checked before they are read: what would be lost in silence is refused.

Args:
    place: Key and source, for sentences.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from generalization.datasets import own_data
from generalization.errors import InputError


def checked_arrays(source: str, key: str) -> tuple[Any, Any]:
    """Read inputs and labels as ``own_arrays`` does.

    Args:
        source: Arrays, table, folder or function, in the words of ``own_data``.
        key: Name of the source in the configuration, such as ``data.train``.

    Raises:
        InputError: If the source cannot be read, lacks labels or features, or has images that would
            lose what distinguishes them.
        MemoryError: If it does not fit into memory.
    """
    path, place = Path(source), f"{key} ({source})"
    if path.suffix == ".csv":
        _check_table(path, place)
    elif path.is_dir():
        _check_images(path, place)
    try:
        return own_data.own_arrays(source, key)
    except (InputError, MemoryError):
        raise
    except Exception as error:
        if path.suffix == ".npz":
            need = "be a .npz file that is whole"
        elif ":" in source and _is_of_reading(error):
            need = (
                "be a function without arguments that returns inputs and labels, or a Dataset of "
                "pairs of a tensor and an integer"
            )
        else:  # An error in the code of the user is told with its traceback.
            raise
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{place} must {need}, but: {reason}.") from error


def _is_of_reading(error: Exception) -> bool:
    """Return whether an error was raised by what reads, not by what it calls."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_filename == own_data.__file__


def _check_table(path: Path, place: str) -> None:
    """Refuse tables without rows or features, and rows without a label.

    Raises:
        InputError: If it is one. pandas takes words such as NA and null for missing, which would
            all be of one class.
    """
    try:
        first = pd.read_csv(path, nrows=1)
        name = next((one for one in own_data.LABELS if one in first), None)
        if name is None:
            return
        labels = pd.read_csv(path, usecols=[name])[name]
        words = pd.read_csv(path, usecols=[name], keep_default_na=False, dtype=str)[name]
    except (OSError, ValueError):
        return  # Whoever reads all of it says why it cannot be read.
    if first.empty:
        raise InputError(f"{place} must have at least one row, not none.")
    if first.shape[1] == 1:
        raise InputError(f"{place} must have a column of features beside {name}, not none.")
    missing = labels.isna().to_numpy() | (words.str.strip() == "").to_numpy()
    if missing.any():
        row = missing.argmax()
        raise InputError(
            f"{place} must have a label in every row, not {words.iloc[row]!r} in row {row + 1}, "
            f"which counts as missing."
        )


def _check_images(folder: Path, place: str) -> None:
    """Refuse images of more than 8 bits per pixel, which would all become white or black.

    Raises:
        InputError: If one has 16-bit, 32-bit or floating-point pixels.
    """
    from PIL import Image

    for file in sorted(folder.glob("*/*")):
        if file.suffix.lower() not in own_data.IMAGES:
            continue
        try:
            with Image.open(file) as image:
                mode = image.mode
        except OSError:
            continue  # Whoever reads its pixels says why they cannot be read.
        if mode.startswith(("I", "F")):
            raise InputError(
                f"{place} must have images of 8 bits per channel, but {file} has pixels of mode "
                f"{mode}: a .npz file keeps them."
            )

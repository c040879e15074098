"""Sources of a user's data, read as they are meant or refused: nothing is lost in silence.

Args:
    source: A ``.npz`` file with the arrays ``inputs`` (or ``images``, ``x``) and ``labels`` (or
        ``y``, ``label``); a ``.csv`` file with a column ``label`` and one column per feature; a
        folder with one folder of images of one shape per class; or ``package.module:function``,
        which returns inputs and labels, or a ``Dataset``.
    key: Name of the source in the configuration, such as ``data.train``.
    place: Key and source, for sentences.
"""

from __future__ import annotations

from inspect import signature
from numbers import Integral
from operator import index
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np

from generalization.datasets.own_images import image_arrays
from generalization.datasets.own_tables import LABELS, table_arrays
from generalization.errors import InputError
from generalization.own_code import resolved

INPUTS = ("inputs", "images", "x")


def checked_arrays(source: str, key: str) -> tuple[Any, Any]:
    """Read inputs and labels as they are; labels may also be names of classes.

    Returns:
        Inputs, an array or a tensor of real numbers; labels, an array of numbers or of names.

    Raises:
        InputError: If the source is of another kind, cannot be read, lacks labels or features, or
            has what would be lost.
        MemoryError: If it does not fit into memory.
    """  # noqa: DOC502
    check_kind(source, key)
    path, place = Path(source), f"{key} ({source})"
    if path.is_dir():
        inputs, labels = image_arrays(path, place)
    elif path.suffix == ".csv":
        inputs, labels = table_arrays(path, place)
    elif path.suffix == ".npz":
        inputs, labels = _from_file(path, place)
    else:
        inputs, labels = _from_function(source, key, place)
    return _real(inputs, place), _labels(labels, place)


def check_kind(source: str, key: str) -> None:
    """Refuse sources of kinds that are not read.

    Raises:
        InputError: If it is a file of another kind, or nothing.
    """
    path = Path(source)
    if not path.is_dir() and path.suffix not in {".npz", ".csv"} and ":" not in source:
        raise InputError(
            f"{key} must be a .npz file, a .csv file, a folder with one folder of images per "
            f"class, or package.module:function, not {source!r}."
        )


def _from_file(path: Path, place: str) -> tuple[np.ndarray, np.ndarray]:
    """Read a ``.npz`` file; objects in it, which could run code, are refused.

    Args:
        path: The file.

    Raises:
        InputError: If it cannot be read, or has not one array of inputs and one of labels.
        MemoryError: If it does not fit into memory.
    """
    if path.is_file() and not is_zipfile(path):
        raise InputError(f"{place} must be a .npz file that is whole, not bytes of another kind.")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = [arrays[_name_among(list(arrays), known, place)] for known in (INPUTS, LABELS)]
    except (InputError, MemoryError):
        raise
    except Exception as error:
        # NumPy tells of objects by ValueError; damaged files raise errors of many kinds.
        need = "of plain arrays" if isinstance(error, ValueError | OSError) else "that is whole"
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{place} must be a .npz file {need}, but: {reason}.") from error
    return found[0], found[1]


def _name_among(names: list[str], known: tuple[str, ...], place: str) -> str:
    """Return the one name of arrays that is known.

    Args:
        names: Names of the arrays of a file.
        known: Names that may be there.

    Raises:
        InputError: If there is none, or more than one.
    """
    there = [name for name in known if name in names]
    if not there:
        raise InputError(
            f"{place} must have an array {' or '.join(known)}; its arrays are "
            f"{', '.join(names) or 'none'}."
        )
    if len(there) > 1:
        raise InputError(
            f"{place} must have one of the arrays {', '.join(known)}, not {' and '.join(there)}."
        )
    return there[0]


def _from_function(source: str, key: str, place: str) -> tuple[Any, Any]:
    """Call a function that returns inputs and labels, or a ``Dataset`` of pairs.

    Raises:
        InputError: If it takes arguments, or returns neither.
    """
    need = (
        "must be a function without arguments that returns inputs and labels, or a Dataset of "
        "pairs of a tensor and an integer"
    )
    function = resolved(source, key)
    try:
        signature(function).bind()
    except TypeError as error:
        raise InputError(f"{place} {need}, but: {str(error).rstrip('.')}.") from error
    found = function()  # An error in the code of the user is told with its traceback.
    if isinstance(found, tuple) and len(found) == 2:
        return found
    if not (hasattr(found, "__getitem__") and hasattr(found, "__len__")):
        raise InputError(f"{place} {need}, but returns {type(found).__name__}.")
    inputs: list[np.ndarray] = []
    labels = []
    for position in range(len(found)):
        pair = found[position]
        if not _is_pair(pair):
            raise InputError(f"{place} {need}, but item {position} is {_kind(pair)}.")
        inputs.append(np.asarray(_real(pair[0], place)))
        labels.append(index(pair[1]))
        if inputs[-1].shape != inputs[0].shape:
            raise InputError(
                f"{place} must give inputs of one shape, not {inputs[0].shape} of item 0 and "
                f"{inputs[-1].shape} of item {position}."
            )
    return np.stack(inputs) if inputs else np.empty((0, 1)), np.array(labels, np.int64)


def _is_pair(item: Any) -> bool:
    """Return whether an item of a ``Dataset`` begins with an array or a tensor and an integer."""
    if not (isinstance(item, tuple | list) and len(item) > 1 and hasattr(item[0], "dtype")):
        return False
    try:
        index(item[1])
    except (TypeError, ValueError):
        return False
    return True


def _kind(item: Any) -> str:
    """Return what an item is, by its types."""
    kinds = map(_kind, item) if isinstance(item, tuple | list) else ()
    return f"({', '.join(kinds)})" if isinstance(item, tuple | list) else type(item).__name__


def _real(found: Any, place: str) -> Any:
    """Return inputs as an array of real numbers, or as a tensor on the CPU without a graph.

    Raises:
        InputError: If they are something else, or masked.
    """
    _refuse_masked("inputs", found, place)
    if hasattr(found, "detach"):
        tensor = found.detach().cpu()
        if not tensor.is_complex():
            return tensor.float() if tensor.is_floating_point() else tensor
        kind = tensor.dtype
    else:
        try:
            array = np.asarray(found)
        except ValueError:  # Lists of different lengths.
            kind = "different shapes"
        else:
            if array.dtype.kind in "biuf":
                return array
            kind = array.dtype
    raise InputError(f"{place} must have inputs that are real numbers of one shape, not {kind}.")


def _refuse_masked(what: str, found: Any, place: str) -> None:
    """Refuse masked arrays.

    Args:
        what: ``inputs`` or ``labels``.

    Raises:
        InputError: If they are such an array.
    """
    if isinstance(found, np.ma.MaskedArray):
        raise InputError(
            f"{place} must have {what} in a plain array, not in a masked one, whose mask would be "
            "ignored: filled() gives a plain one."
        )


def _labels(found: Any, place: str) -> np.ndarray:
    """Return labels as an array of numbers or of names.

    Raises:
        InputError: If they are neither, or masked, or a name is blank.
    """
    _refuse_masked("labels", found, place)
    try:
        array = np.asarray(found.detach().cpu() if hasattr(found, "detach") else found)
    except ValueError as error:  # Lists of different lengths.
        raise InputError(f"{place} must have one label per input, not lists of them.") from error
    if array.dtype.kind == "O":
        kinds = (str, Integral) if array.ndim == 1 else ()
        kind = next((one for one in kinds if isinstance(array[0], one)), None)
        for position, label in enumerate(array):
            if kind is None or not isinstance(label, kind):
                raise InputError(
                    f"{place} must have labels that are all integers or all names, not "
                    f"{label!r} for input {position}."
                )
        array = np.array(array.tolist())
    if array.dtype.kind == "U":
        blank = np.char.strip(array) == ""
        if blank.any():
            raise InputError(
                f"{place} must have a label for every input, not '' for input {blank.argmax()}."
            )
    return array

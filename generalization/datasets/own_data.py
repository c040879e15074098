"""Data of a user: arrays, tables, folders of images, or what a function returns.

Studies read them by ``own_sources``, which refuses what is passed over here. Networks depend on
this module by ``resolved``: a change of its code trains all of them anew.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from generalization.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

INPUTS, LABELS = ("inputs", "images", "x"), ("labels", "y", "label")
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".tif", ".tiff")


def own_data(source: str) -> tuple[Tensor, Tensor]:
    """Read inputs and labels.

    Args:
        source: A ``.npz`` file with the arrays ``inputs`` (or ``images``, ``x``) and ``labels`` (or
            ``y``, ``label``); a ``.csv`` file with a column ``label`` (numbers, or names in
            alphabetical order) and one column per feature; a folder with one folder of images of
            one size per class, in alphabetical order; or ``package.module:function``, which returns
            inputs and labels, or a ``Dataset``.

    Returns:
        Inputs in float32, pixels of image files from 0 to 1, channels first; labels from 0.

    Raises:
        InputError: If the source is none of these, or lacks inputs or labels.
    """
    import torch

    inputs, labels = own_arrays(source)
    if not torch.is_tensor(labels) and np.asarray(labels).dtype.kind in "OU":
        labels = np.unique(np.asarray(labels).astype(str), return_inverse=True)[1]
    inputs, labels = torch.as_tensor(inputs), torch.as_tensor(labels)
    if labels.is_floating_point() or labels.dim() != 1 or len(labels) != len(inputs):
        raise InputError(
            f"{source} must have one integer label per input, not labels of {labels.dtype} and "
            f"shape {tuple(labels.shape)} for {len(inputs)} inputs."
        )
    if not len(inputs):
        raise InputError(f"{source} must have at least one input, not none.")
    return inputs.float(), labels.long()


def own_arrays(source: str, key: str = "data") -> tuple[Any, Any]:
    """Read inputs and labels as they are; labels may also be names of classes.

    Args:
        source: As in ``own_data``.
        key: Key of the configuration that has the source, for the sentence.
    """
    path = Path(source)
    if path.suffix == ".npz":
        return _from_arrays(path)
    if path.suffix == ".csv":
        return _from_table(path)
    return _from_folder(path) if path.is_dir() else _from_function(source, key)


def resolved(place: str, key: str) -> Any:
    """Import what ``package.module:name`` stands for.

    Args:
        place: Module and name.
        key: Setting that names the place, for error messages.

    Raises:
        InputError: If it has not this form, or there is no such module or name.
    """
    module, _, name = place.partition(":")
    if not (module and name):
        raise InputError(f"{key} must be package.module:function, not {place!r}.")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{key} must be importable, but {place!r} is not: {reason}.") from error


def _from_arrays(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a ``.npz`` file; objects in it, which could run code, are refused.

    Raises:
        InputError: If it cannot be read, or lacks an array.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            read = dict(arrays)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{path} must be a .npz file of plain arrays, but: {reason}.") from error
    found = []
    for names in (INPUTS, LABELS):
        name = next((one for one in names if one in read), None)
        if name is None:
            there = ", ".join(read) or "none"
            raise InputError(
                f"{path} must have an array {' or '.join(names)}; its arrays are {there}."
            )
        found.append(read[name])
    return found[0], found[1]


def _from_table(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a table with a column of labels; all others are features.

    Raises:
        InputError: If there is no such column, or a feature is no number.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{path} must be a table of comma-separated values: {reason}.") from error
    name = next((one for one in LABELS if one in table), None)
    if name is None:
        there = ", ".join(map(str, table)) or "none"
        raise InputError(
            f"{path} must have a column {' or '.join(LABELS)}; its columns are {there}."
        )
    features = table.drop(columns=name)
    for column in features:
        if not pd.api.types.is_numeric_dtype(features[column]):
            value = features[column].iloc[0]
            raise InputError(f"{column} of {path} must be a number, not {value!r}.")
    return features.to_numpy(np.float32, copy=True), table[name].to_numpy(copy=True)


def _from_folder(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read images, a folder per class.

    Raises:
        InputError: If there are none, or they differ in size.
    """
    from PIL import Image

    classes = sorted(one for one in folder.iterdir() if one.is_dir())
    files = [
        (file, label)
        for label, one in enumerate(classes)
        for file in sorted(one.iterdir())
        if file.suffix.lower() in IMAGES
    ]
    if not files:
        raise InputError(f"{folder} must have one folder of images per class, but has no image.")
    arrays = []
    for file, _ in files:
        try:
            with Image.open(file) as image:
                mode = "L" if image.mode in {"1", "L"} else "RGB"
                array = np.asarray(image.convert(mode), np.float32) / 255
        except OSError as error:
            raise InputError(f"{file} must be an image that can be read ({error}).") from error
        arrays.append(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))
        if arrays[-1].shape != arrays[0].shape:
            raise InputError(
                f"Images of {folder} must have one shape, but {files[0][0].name} has "
                f"{arrays[0].shape} and {file.name} {arrays[-1].shape}."
            )
    return np.stack(arrays), np.array([label for _, label in files])


def _from_function(source: str, key: str) -> tuple[Any, Any]:
    """Call a function that returns inputs and labels, or a ``Dataset`` of pairs.

    Raises:
        InputError: If it returns neither.
    """
    found = resolved(source, key)()
    if isinstance(found, tuple) and len(found) == 2:
        return found
    if hasattr(found, "__getitem__") and hasattr(found, "__len__"):
        import torch

        pairs = [found[index] for index in range(len(found))]
        return torch.stack([pair[0] for pair in pairs]), [int(pair[1]) for pair in pairs]
    raise InputError(
        f"{source} must return inputs and labels, or a Dataset, not a {type(found).__name__}."
    )

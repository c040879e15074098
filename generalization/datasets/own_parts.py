"""Training and test data of a user, in which classes and features are the same.

Args:
    places: Key and source of every part, for sentences.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from generalization.datasets.own_images import class_folders
from generalization.datasets.own_sources import checked_arrays
from generalization.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

PARTS = ("train", "test")
# ASSUME: pixels so many times apart are on two scales; bytes are 255 times pixels from 0 to 1.
SCALES_APART = 50


def own_parts(sources: Mapping[str, str]) -> dict[str, tuple[Tensor, Tensor]]:
    """Read the data on which networks of a user were trained and are tested.

    Args:
        sources: ``train`` and ``test``, as in ``own_sources``.

    Returns:
        Part → inputs in float32, pixels of image files from 0 to 1, channels first; and labels from
        0, in which a name is the number of its class among those of the training set.

    Raises:
        InputError: If a part has other classes, features or shapes than the training set, images
            on another scale, inputs that are not finite, or not one label from 0 per input.
    """
    import torch

    places = {part: f"data.{part} ({sources[part]})" for part in PARTS}
    read = {part: checked_arrays(sources[part], f"data.{part}") for part in PARTS}
    check_sources(sources, places)
    names = class_names(read["train"][1])
    found = {}
    for part, (given, words) in read.items():
        plain = given if torch.is_tensor(given) else np.array(given, np.float32, order="C")
        inputs = torch.as_tensor(plain).float()
        if inputs.dim() < 2 or not len(inputs):
            raise InputError(
                f"{places[part]} must have inputs of shape (n, features) or (n, channels, height, "
                f"width), at least one, not of shape {tuple(inputs.shape)}."
            )
        if not inputs.isfinite().all():
            wrong = inputs.flatten(1).isfinite().all(1).int().argmin()
            raise InputError(f"{places[part]} must have finite inputs, but input {wrong} is not.")
        labels = numbered(words, names, len(inputs), places[part])
        if labels.min() < 0:
            raise InputError(f"{places[part]} must have labels from 0, not {labels.min()}.")
        found[part] = inputs, torch.from_numpy(labels)
    inputs_found = {part: inputs for part, (inputs, _) in found.items()}
    check_shapes(inputs_found, places)
    check_scales(inputs_found, places)
    return found


def check_shapes(inputs: Mapping[str, Any], places: Mapping[str, str]) -> None:
    """Refuse test inputs of another shape than the training inputs.

    Args:
        inputs: Arrays or tensors of every part.

    Raises:
        InputError: If they differ.
    """
    train, test = (tuple(inputs[part].shape[1:]) for part in PARTS)
    if train != test:
        raise InputError(
            f"{places['test']} must have inputs of the shape of those of train, {train}, "
            f"not {test}."
        )


def check_scales(inputs: Mapping[str, Any], places: Mapping[str, str]) -> None:
    """Refuse test images on another scale than the training images, as bytes beside fractions.

    Args:
        inputs: Arrays or tensors of every part; only those of shape (n, channels, height, width)
            are compared.

    Raises:
        InputError: If the largest values of the two are far apart.
    """
    if inputs["train"].ndim != 4:
        return
    train, test = (float(max(inputs[part].max(), -inputs[part].min())) for part in PARTS)
    if min(train, test) > 0 and max(train, test) > SCALES_APART * min(train, test):
        raise InputError(
            f"{places['test']} must have pixels on the scale of those of train, whose largest is "
            f"{train:g}, not {test:g}."
        )


def check_sources(sources: Mapping[str, str], places: Mapping[str, str]) -> None:
    """Refuse folders of other classes than the training set, and tables of other features.

    The number of a feature is the place of its column.

    Args:
        sources: Source of every part.

    Raises:
        InputError: If they differ.
    """
    paths = [Path(sources[part]) for part in PARTS]
    if all(path.is_dir() for path in paths):
        what = "folders"
        train, test = ([one.name for one in class_folders(path)] for path in paths)
    elif all(path.suffix == ".csv" and path.is_file() for path in paths):
        what = "columns"
        train, test = (list(pd.read_csv(path, nrows=0)) for path in paths)
    else:
        return
    if train != test:
        raise InputError(
            f"{places['test']} must have the {what} of train, {', '.join(train)}, "
            f"not {', '.join(test) or 'none'}."
        )


def class_names(labels: Any) -> list[str]:
    """Return the classes of labels that are names, in alphabetical order; none of numbers."""
    array = np.asarray(labels)
    return sorted(set(array.astype(str).tolist())) if array.dtype.kind in "OU" else []


def numbered(found: Any, names: list[str], count: int, place: str) -> np.ndarray:
    """Return one integer per input.

    Args:
        found: Labels: integers, or names.
        names: Classes of the training set; none if its labels are integers.
        count: Number of inputs.
        place: Key and source of the part.

    Raises:
        InputError: If they are none, or a name is not among those of the training set.
    """
    array = np.asarray(found)
    if names and array.ndim == 1:
        unknown = sorted(set(array.astype(str).tolist()) - set(names))
        if unknown:
            raise InputError(
                f"{place} must have classes of train, {', '.join(names)}, not {unknown[0]!r}."
            )
        array = np.searchsorted(names, array.astype(str))
    if array.dtype.kind not in "iu" or array.shape != (count,):
        raise InputError(
            f"{place} must have one integer label per input, not labels of {array.dtype} and "
            f"shape {array.shape} for {count} inputs."
        )
    return array.astype(np.int64)

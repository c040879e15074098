"""Datasets of a user to train on, from ``own_sources``. Does not import torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from generalization.datasets.dataset_file import content_sha256, write_dataset
from generalization.datasets.normalization import NORMALIZATION, normalized_images, pixel_units
from generalization.datasets.own_parts import (
    PARTS,
    check_scales,
    check_shapes,
    check_sources,
    class_names,
    numbered,
)
from generalization.datasets.own_sources import checked_arrays
from generalization.datasets.raw_dataset import random_order
from generalization.errors import InputError

CHANNELS = {1, 3, 4}  # Of images in gray, in color, and in color with transparency.


class OwnDataset(NamedTuple):
    """A dataset of a user, ready to be written.

    Attributes:
        arrays: Arrays of a dataset file.
        classes: Number of classes.
        constant: Part and row of an input that is constant, so that it cannot be normalized; empty
            if there is none.
    """

    arrays: dict[str, np.ndarray]
    classes: int
    constant: str

    @property
    def description(self) -> dict[str, Any]:
        """What can be said of it before it is trained on: its shape, its digest, its constants."""
        inputs = [self.arrays[f"{part}/inputs"] for part in PARTS]
        return {
            "shape": [*map(len, inputs), *inputs[0].shape[1:], self.classes],
            "sha256": content_sha256(self.arrays),
            "constant": self.constant,
        }


def own_dataset(name: str, about: Mapping[str, Any]) -> OwnDataset:
    """Read a dataset of a user.

    Rows are put in a fixed random order. Tables are images of one row of pixels: (n, features)
    becomes (n, 1, 1, features). Inputs are normalized one by one, which ``input_normalization:
    none`` undoes; a constant input becomes 0.

    Args:
        about: ``train`` and ``test``, sources as in ``own_sources``; ``white``, the value that is
            divided by, so that pixels are from 0 to 1; ``standardize``, whether every feature gets
            the mean 0 and the variance 1 on the training set, by default only those of tables.

    Raises:
        InputError: If the parts do not belong together, or have inputs or labels that cannot be
            trained on: a sentence that names the key of the configuration.
    """
    key = f"own_datasets.{name}"
    sources = {part: about[part] for part in PARTS}
    read = {part: checked_arrays(source, f"{key}.{part}") for part, source in sources.items()}
    places = {part: f"{key}.{part} ({source})" for part, source in sources.items()}
    inputs = {part: _inputs(read[part][0], places[part]) for part in PARTS}
    check_shapes(inputs, places)
    check_scales(inputs, places)
    check_sources(sources, places)
    names = class_names(read["train"][1])
    labels = {
        part: numbered(read[part][1], names, len(inputs[part]), places[part]) for part in PARTS
    }
    classes = _classes(labels["train"], places["train"])
    for part, one in labels.items():
        if not 0 <= one.min() <= one.max() < classes:
            wrong = one.min() if one.min() < 0 else one.max()
            raise InputError(
                f"{places[part]} must have labels from 0 to {classes - 1}, the largest of train, "
                f"not {wrong}."
            )
    table = inputs["train"].ndim == 2
    if about.get("standardize", table):
        inputs = _standardized(inputs)
    elif "white" not in about and not table:
        _check_white(inputs, places, key)
    elif about.get("white", 1) != 1:
        inputs = {part: one / np.float32(about["white"]) for part, one in inputs.items()}
    images = {part: one[:, None, None] if table else one for part, one in inputs.items()}
    return _normalized(name, images, labels, classes)


def prepare_own_dataset(
    name: str, about: Mapping[str, Any], path: Path, sha256: str | None = None
) -> None:
    """Write the dataset file of a dataset of a user.

    Args:
        about: As in ``own_dataset``.
        path: The file, as ``read_dataset`` reads it.
        sha256: Digest that its contents were described to have.

    Raises:
        InputError: If they have another one, since a source changes whenever it is read.
    """
    dataset = own_dataset(name, about)
    found = content_sha256(dataset.arrays)
    if sha256 not in {None, found}:
        raise InputError(
            f"own_datasets.{name} must be the same whenever it is read, with sha256 {sha256}, "
            f"not {found}; the same command reads it again."
        )
    source = ", ".join(str(about[part]) for part in PARTS)
    about_file = {"name": name, "classes": dataset.classes, "normalization": NORMALIZATION}
    write_dataset(path, dataset.arrays, **about_file, source=source)


def _classes(labels: np.ndarray, place: str) -> int:
    """Return the number of classes.

    Args:
        labels: Labels of the training set.

    Raises:
        InputError: If they do not begin at 0, have a gap, or are all equal.
    """
    there = np.unique(labels)
    if there[0] < 0:
        raise InputError(f"{place} must have labels from 0, not {there[0]}.")
    missing = np.setdiff1d(np.arange(len(there)), there)
    if len(missing):
        raise InputError(
            f"{place} must have inputs of every class from 0 to {there[-1]}, but none of label "
            f"{missing[0]}."
        )
    if len(there) < 2:
        raise InputError(f"{place} must have at least 2 classes, not {len(there)}.")
    return len(there)


def _inputs(found: Any, place: str) -> np.ndarray:
    """Return finite inputs, float32, of shape (n, features) or (n, channels, height, width).

    Raises:
        InputError: If they are not such inputs.
    """
    array = np.asarray(found)
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim not in {2, 4} or array.dtype.kind not in "biuf" or not array.size:
        raise InputError(
            f"{place} must have numbers of shape (n, features), (n, height, width) or "
            f"(n, channels, height, width), not {array.dtype} of shape {array.shape}."
        )
    if array.ndim == 4:
        _check_channels(array.shape, place)
    array = array.astype(np.float32, order="C")  # Images of files have their channels last.
    finite = np.isfinite(array.reshape(len(array), -1)).all(1)
    if not finite.all():
        raise InputError(f"{place} must have finite inputs, but input {finite.argmin()} is not.")
    return array


def _check_channels(shape: Sequence[int], place: str) -> None:
    """Refuse images whose channels are the last axis.

    Args:
        shape: Shape of all images.

    Raises:
        InputError: If the last axis has as many entries as images have channels, and the axis of
            channels has not.
    """
    if shape[-1] in CHANNELS and shape[1] not in CHANNELS:
        raise InputError(
            f"{place} must have images of shape (n, channels, height, width), not {tuple(shape)}, "
            "whose last axis looks like channels: transpose(0, 3, 1, 2) moves it."
        )


def _check_white(inputs: Mapping[str, np.ndarray], places: Mapping[str, str], key: str) -> None:
    """Refuse pixels that are not from 0 to 1 where nothing says what is white.

    Pixels with negative ones are on a scale of their own.

    Args:
        inputs: Images of every part.
        places: Key and source of every part.
        key: Key of the dataset.

    Raises:
        InputError: If they are such pixels.
    """
    least = min(one.min() for one in inputs.values())
    part = next((part for part in PARTS if inputs[part].max() > 1), None)
    if least >= 0 and part:
        raise InputError(
            f"{key}.white must be given where pixels are not from 0 to 1, 255 for bytes: the "
            f"largest of {places[part]} is {inputs[part].max():g}."
        )


def _standardized(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Give every feature the mean 0 and the variance 1 on the training set; constants become 0."""
    train = inputs["train"].astype(np.float64)
    mean, deviation = train.mean(0), train.std(0)
    deviation[deviation == 0] = 1
    return {part: ((one - mean) / deviation).astype(np.float32) for part, one in inputs.items()}


def _normalized(
    name: str, images: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray], classes: int
) -> OwnDataset:
    """Shuffle and normalize as datasets of this project are; constant images become 0."""
    arrays: dict[str, np.ndarray] = {}
    constant = ""
    for part in PARTS:
        order = random_order(len(labels[part]), f"{name} {part}")
        shuffled = images[part][order]
        flat = shuffled.reshape(len(shuffled), -1)
        varying = (flat != flat[:, :1]).any(1)
        normalized = np.zeros_like(shuffled)
        if varying.any():
            normalized[varying] = normalized_images(shuffled[varying])
        means, deviations = pixel_units(shuffled)
        if not varying.all():
            constant = constant or f"{part} input {order[varying.argmin()]}"
            # What a constant image is, exactly: rounding would leave it a deviation.
            means[~varying], deviations[~varying] = flat[~varying, 0], 0
        arrays |= {
            f"{part}/inputs": normalized,
            f"{part}/labels": labels[part][order],
            f"{part}/pixel_means": means,
            f"{part}/pixel_deviations": deviations,
        }
    return OwnDataset(arrays, classes, constant)

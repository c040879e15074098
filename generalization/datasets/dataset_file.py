"""Dataset files: HDF5, written atomically and verified when read. Does not import torch.

A file holds ``train/inputs`` and ``test/inputs``, float32 of shape (n, channels, height, width),
``train/labels`` and ``test/labels``, int64 of shape (n), ``pixel_means`` and ``pixel_deviations``
of both parts, float64 of shape (n), and the attributes ``name``, ``classes``, ``normalization``,
``source`` and ``sha256`` (of the bytes of the arrays, in the order of ``ARRAYS``). With pixels from
0 (black) to 1 (white), the original image is pixel_mean + pixel_deviation · input.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from generalization.errors import InputError
from generalization.hdf5 import hdf5_written_whole

ARRAYS = {
    "train/inputs": "<f4",
    "train/labels": "<i8",
    "test/inputs": "<f4",
    "test/labels": "<i8",
    "train/pixel_means": "<f8",
    "train/pixel_deviations": "<f8",
    "test/pixel_means": "<f8",
    "test/pixel_deviations": "<f8",
}
ATTRIBUTES = ("name", "classes", "normalization", "source", "sha256")


def write_dataset(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    *,
    name: str,
    classes: int,
    normalization: str,
    source: str,
) -> None:
    """Write a dataset file atomically.

    Args:
        arrays: Name → array, for the names in ``ARRAYS``.
        classes: Number of classes.
        normalization: Description of the normalization of images.
        source: Description of the origin of the images.
    """
    arrays = {key: np.ascontiguousarray(arrays[key], dtype) for key, dtype in ARRAYS.items()}
    attributes = (name, classes, normalization, source, content_sha256(arrays))
    size = sum(array.nbytes for array in arrays.values())
    with hdf5_written_whole(path, size, groups=("train", "test")) as file:
        for key, array in arrays.items():
            file[key] = array
        file.attrs.update(zip(ATTRIBUTES, attributes, strict=True))


def read_dataset_file(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a dataset file.

    Returns:
        Arrays and attributes by name.

    Raises:
        InputError: If the file is missing, damaged or of another kind.
    """
    if not path.is_file():
        raise InputError(f"The dataset {path} must exist; prepare_dataset makes it.")
    try:
        # Files are written atomically and never changed: no locks, which some clusters lack.
        with h5py.File(path, locking=False) as file:
            missing = [key for key in ARRAYS if not isinstance(file.get(key), h5py.Dataset)]
            missing += [key for key in ATTRIBUTES if key not in file.attrs]
            if missing:
                raise InputError(f"The dataset {path} must hold {', '.join(missing)}.")
            arrays = {key: file[key][...] for key in ARRAYS}
            attributes = {key: file.attrs[key] for key in ATTRIBUTES}
    except InputError:
        raise
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"The dataset {path} must be a readable HDF5 file ({error}).") from None
    for part in ("train", "test"):
        shapes = [arrays[f"{part}/{name}"].shape for name in ("inputs", "labels")]
        if len(shapes[0]) != 4 or shapes[1] != shapes[0][:1]:
            raise InputError(
                f"The dataset {path} must hold inputs of shape (n, channels, height, width) and "
                f"n labels, not {part}/inputs of shape {shapes[0]} and labels of {shapes[1]}."
            )
    if content_sha256(arrays) != attributes["sha256"]:
        raise InputError(f"The dataset {path} must have the content that its sha256 was taken of.")
    return arrays, attributes


def content_sha256(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the sha256 of the bytes of the arrays, in the order of ``ARRAYS``."""
    digest = sha256()
    for key in ARRAYS:
        digest.update(arrays[key])
    return digest.hexdigest()

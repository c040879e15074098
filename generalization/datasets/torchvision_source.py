"""Downloads by torchvision, and the format of CIFAR.

It imports torch, which takes seconds, and is therefore only imported where it is used.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from generalization.datasets.raw_dataset import RawDataset
from generalization.errors import InputError


def cache_folder() -> Path:
    """Return the download folder: ``generalization`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "generalization"


def download(
    torchvision_class: str, folder: str, *, name: str, tried: Sequence[Path], advice: str
) -> None:
    """Download a dataset to the cache atomically.

    Args:
        torchvision_class: Class in ``torchvision.datasets``.
        folder: Folder that this class creates.
        name: Name of the dataset, for the error message.
        tried: Places where the dataset was not found, for the error message.
        advice: Possible remedies, for the error message.

    Raises:
        InputError: If the download fails or the cache is not writable.
    """
    from torchvision import datasets

    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache) as temporary:
            getattr(datasets, torchvision_class)(temporary, download=True)
            # An existing folder must be incomplete, or it would have been read.
            shutil.rmtree(cache / folder, ignore_errors=True)
            (Path(temporary) / folder).rename(cache / folder)
    except (OSError, RuntimeError, HTTPException) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(
            f"{name} is in none of {', '.join(map(str, tried))}, "
            f"and torchvision could not download it ({reason}): {advice}."
        ) from None


def cifar_dataset(
    data_root: Path | None, *, name: str, torchvision_class: str, classes: int
) -> RawDataset:
    """Read CIFAR with torchvision, which verifies the MD5 of every file before opening it.

    The folder of batches is searched in ``data_root`` (which may be that folder, contain it, or
    contain it under the name of the dataset) and in the cache of earlier downloads; otherwise it is
    downloaded.

    Raises:
        InputError: If a file differs from the published one.
    """
    from torchvision import datasets

    cifar = getattr(datasets, torchvision_class)
    base = cifar.base_folder
    root = data_root and data_root.expanduser()
    folders = [root, root / base, root / name / base] if root else []
    folders = [*folders, cache_folder() / base]
    folder = next((path for path in folders if path.name == base and path.is_dir()), None)
    if folder is None:
        advice = f"set data_root to a folder that holds {base}"
        download(torchvision_class, base, name=name, tried=folders, advice=advice)
        folder = folders[-1]
    try:
        train, test = (cifar(folder.parent, train=train) for train in (True, False))
    except RuntimeError:
        raise InputError(
            f"The files of {name} in {folder} must have the published MD5, and do not."
        ) from None
    return RawDataset(
        train_images=train.data.transpose(0, 3, 1, 2),
        train_labels=np.array(train.targets),
        test_images=test.data.transpose(0, 3, 1, 2),
        test_labels=np.array(test.targets),
        classes=classes,
        source=f"{torchvision_class} by torchvision, which verified the MD5 of every file",
    )

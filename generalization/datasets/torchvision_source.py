"""Downloads by torchvision, and CIFAR's format.

It imports torch, which costs seconds, so that it is imported only where it is used.
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
    """Folder of downloads: ``generalization`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "generalization"


def download(
    torchvision_class: str, folder: str, *, name: str, tried: Sequence[Path], advice: str
) -> None:
    """Download a dataset to the cache, whole or not at all.

    Args:
        torchvision_class: Of ``torchvision.datasets``.
        folder: That this class makes.
        name: Of the dataset, for the error.
        tried: Where the dataset was not found, for the error.
        advice: What can be done, for the error.

    Raises:
        InputError: If there is no network, no place to write, or no such file any more.
    """
    from torchvision import datasets

    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache) as temporary:
            getattr(datasets, torchvision_class)(temporary, download=True)
            # What is there is not whole, or it would have been read.
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
    """CIFAR, read by torchvision, which verifies the MD5 of every file before it opens it.

    The folder of batches is looked for in ``data_root`` (which may be that folder, or hold it, or
    hold it under the name of the dataset), in the cache of earlier downloads, and on the network.

    Raises:
        InputError: If a file is not the published one.
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

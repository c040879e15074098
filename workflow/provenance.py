"""What files of results say of the data that they come from. Imports no torch."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import h5py


def dataset_digest(file: Path) -> str:
    """Digest of the contents of a dataset, which its file tells.

    Args:
        file: Of ``write_dataset``.

    Returns:
        Hex digits of a sha256; nothing where there is no such file, or it tells none.
    """
    return _dataset_digest(file, file.stat().st_mtime_ns) if file.is_file() else ""


def networks_digest(file: Path) -> str:
    """Digest of the contents of the dataset that networks were trained on.

    Args:
        file: Of ``write_networks``.

    Returns:
        Hex digits of a sha256; nothing where there is no such file, or it tells none.
    """
    try:
        with file.open("rb") as opened:
            header = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
        return json.loads(header["__metadata__"]["description"])["dataset_sha256"] or ""
    except (OSError, ValueError, LookupError, TypeError):
        return ""


@cache
def _dataset_digest(file: Path, _: int) -> str:
    try:
        with h5py.File(file, locking=False) as opened:
            return str(opened.attrs["sha256"])
    except (OSError, KeyError):
        return ""

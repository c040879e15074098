"""Dataset digests recorded in the files of results. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import h5py


def dataset_digest(file: Path, networks: Iterable[Path] = ()) -> str:
    """Return the digest of the contents of a dataset.

    Args:
        file: Dataset written by ``write_dataset``.
        networks: Files of networks trained on the dataset, which record its digest too; they are
            read if the dataset itself was deleted.

    Returns:
        Hex digits of a sha256; empty if no file records one.
    """
    recorded = _dataset_digest(file, file.stat().st_mtime_ns) if file.is_file() else ""
    return recorded or next(filter(None, map(_networks_digest, networks)), "")


@cache
def _dataset_digest(file: Path, _: int) -> str:
    """Return the digest in a dataset; the modification time keeps the cache up to date."""
    try:
        with h5py.File(file, locking=False) as opened:
            return str(opened.attrs["sha256"])
    except (OSError, KeyError):
        return ""


def _networks_digest(file: Path) -> str:
    """Return the digest in the header of a safetensors file, without reading its tensors."""
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            # A damaged length would ask for more memory than there is.
            header = json.loads(opened.read(min(length, file.stat().st_size)))
        return json.loads(header["__metadata__"]["description"])["dataset_sha256"] or ""
    except (OSError, ValueError, LookupError, TypeError):
        return ""

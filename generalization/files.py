"""Atomic writing of files, safe against crashes and concurrent writers.

Args:
    path: Path of the file; missing folders are created.
    size: Bytes that it will need at least.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from errno import EACCES, EPERM, EROFS
from hashlib import sha256
from pathlib import Path
from shutil import disk_usage
from tempfile import mkstemp
from typing import Any

from generalization.errors import InputError


@contextmanager
def written_whole(path: Path | str, size: int = 0) -> Iterator[Path]:
    """Yield a path beside the wanted one, which takes its place when the block ends well.

    The temporary file belongs to this writer only. Contents are flushed to disk before renaming,
    and the folder before returning, so that neither a crash nor another writer leaves a partial
    file. Permissions follow the umask.

    Yields:
        Path to write to, in the same folder, so that renaming is atomic.

    Raises:
        InputError: If the folder cannot be written to, or its disk is full, or has less room than
            is needed.
    """
    path = Path(path)
    beside = _file_beside(path, size)
    try:
        yield beside
        beside.chmod(0o666 & ~_umask())
        _flush(beside)
        beside.replace(path)
        _flush(path.parent)
    except Exception as error:
        if _is_full(error):
            raise InputError(
                f"{path} must have room on its disk, which is full ({error}); nothing was written "
                "under its name, and the same command writes it when there is room."
            ) from error
        raise
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


def _file_beside(path: Path, size: int) -> Path:
    """Create an empty file in the same folder.

    Raises:
        InputError: If nothing can be written there, or there is less room than is needed.
        OSError: If the disk fails otherwise.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        require_room(path, size)
        descriptor, name = mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    except OSError as error:
        if error.errno not in {EACCES, EPERM, EROFS}:
            raise
        raise InputError(
            f"{path} must be in a folder that can be written to, which {path.parent} is not "
            f"({error.strerror})."
        ) from error
    os.close(descriptor)
    return Path(name)


def require_room(path: Path, size: int) -> None:
    """Refuse to start what cannot be written in the end.

    Raises:
        InputError: If its disk has less room.
    """
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    free = disk_usage(folder).free
    if free < size:
        raise InputError(
            f"{path} must have {size / 1e6:,.1f} MB of room on its disk, which has "
            f"{free / 1e6:,.1f} MB; nothing was written, and the same command writes it when there "
            "is room."
        )


def write_checked(path: Path | str, contents: bytes) -> None:
    """Write a file, whole or not at all, and beside it the hidden file of its checksum.

    The checksum is ``.NAME.sha256``, in the words of ``sha256sum``: ``sha256sum --check
    .*.sha256`` verifies a folder. It cannot stand in the file itself, since whoever reads a table
    would have to skip it.

    Args:
        contents: Its bytes.
    """
    path = Path(path)
    with written_whole(path) as beside:
        beside.write_bytes(contents)
        # First, so that no table ever stands there with a checksum that is still to come. Writers
        # of the same bytes, whatever their order, always leave a pair that fits.
        with written_whole(_checksum_file(path)) as checksum:
            checksum.write_text(f"{sha256(contents).hexdigest()}  {path.name}\n")


def read_checked(path: Path | str) -> bytes:
    """Read a file, and verify it if its checksum is beside it.

    Args:
        path: A file of ``write_checked``, or of anyone else.

    Returns:
        Its bytes.

    Raises:
        InputError: If they are not those that were written.
    """
    path = Path(path)
    contents = path.read_bytes()
    checksum = _checksum_file(path)
    with suppress(FileNotFoundError):
        written = checksum.read_bytes().split(maxsplit=1)
        if written[:1] != [sha256(contents).hexdigest().encode()]:
            raise InputError(
                f"{path} must have the contents of which {checksum.name} beside it is the "
                "checksum, but is damaged or was changed; without it the same command makes it "
                "again."
            )
    return contents


def read_kept(path: Path | str) -> dict[str, Any]:
    """Read the JSON object of ``write_kept``, which saves making it again.

    Returns:
        It; an empty one if there is none, or what there is was damaged.
    """
    try:
        kept = json.loads(read_checked(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def write_kept(path: Path | str, kept: Mapping[str, Any]) -> None:
    """Write what can be made again as a JSON object, with its checksum."""
    write_checked(path, json.dumps(kept, indent=1).encode())


def _checksum_file(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha256")


def _umask() -> int:
    """Return the umask of this process, which can only be read by setting it."""
    umask = os.umask(0o022)
    os.umask(umask)
    return umask


def _flush(path: Path) -> None:
    """Flush the contents of a file, or the entries of a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_full(error: Exception) -> bool:
    """Tell a full disk by its number, or by its words where a library lost the number."""
    return getattr(error, "errno", None) in {28, 122} or "No space left" in str(error)

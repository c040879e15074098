"""Atomic writing of files, safe against crashes and concurrent writers."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp

from generalization.errors import InputError


@contextmanager
def written_whole(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path that replaces the target if the block succeeds.

    The temporary file belongs to this writer only. Contents are flushed to disk before renaming,
    and the folder before returning, so that neither a crash nor another writer leaves a partial
    file. Permissions follow the umask.

    Args:
        path: Path of the file; missing folders are created.

    Yields:
        Path to write to, in the same folder, so that renaming is atomic.

    Raises:
        InputError: If the disk is full.
        OSError: If writing fails for another reason.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    os.close(descriptor)
    beside = Path(name)
    try:
        yield beside
        beside.chmod(0o666 & ~_umask())
        _flush(beside)
        beside.replace(path)
        _flush(path.parent)
    except OSError as error:
        if _is_full(error):
            raise InputError(
                f"{path} must have room on its disk, which is full ({error}); nothing was written "
                "under its name, and the same command writes it when there is room."
            ) from error
        raise
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


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


def _is_full(error: OSError) -> bool:
    """Detect a full disk by the error number, or by the message if a library lost the number."""
    return error.errno in {28, 122} or "No space left" in str(error)

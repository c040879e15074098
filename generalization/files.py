"""Files that appear whole or not at all, whoever else writes them at the same time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp

from generalization.errors import InputError


@contextmanager
def written_whole(path: Path | str) -> Iterator[Path]:
    """Yield a path beside the wanted one, which takes its place when the block ends well.

    The path beside is of this writer alone. Its contents are on the disk before they get their
    name, and the name is before this returns, so that neither a crash of the machine nor another
    writer leaves half a file. The file may be read by whom the umask allows.

    Args:
        path: Where the file is to be; missing folders are made.

    Yields:
        The path to write to, in the same folder, so that the last move is atomic.

    Raises:
        InputError: If the disk is full.
        OSError: If it fails in another way.
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
    """Wait until the contents of a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_full(error: OSError) -> bool:
    """Tell a full disk by its number, or by its words where a library lost the number."""
    return error.errno in {28, 122} or "No space left" in str(error)

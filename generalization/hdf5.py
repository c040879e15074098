"""HDF5 files that appear whole or not at all, in the format that has checksums of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import h5py

from generalization.files import written_whole

# HDF5 from 1.10 on reads it. It is the first format with checksums of all but the numbers.
FORMAT = ("v110", "v110")


@contextmanager
def hdf5_written_whole(
    path: Path | str, size: int = 0, groups: Sequence[str] = ()
) -> Iterator[h5py.File]:
    """Yield an HDF5 file, which takes its place when the block ends well.

    The same contents make the same bytes, if all groups are named here: HDF5 would note the time at
    which it made others.

    Args:
        size: Bytes of the file at least.
        groups: Groups of the file, outer ones before inner ones.

    Yields:
        The file, open for writing.
    """
    with written_whole(path, size) as beside, _Disk(beside, "w+b") as disk:
        with h5py.File(disk, "w", libver=FORMAT) as file:
            timeless = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
            timeless.set_obj_track_times(False)
            for group in groups:
                h5py.h5g.create(file.id, group.encode(), gcpl=timeless)
            yield file
        disk.raise_error()


class _Disk(FileIO):
    """A file whose first error is kept for later, after which nothing more is written.

    HDF5 does not survive an error while it closes a file: on a full disk the process would end by
    a segmentation fault, before anybody could say why.
    """

    error: OSError | None = None

    def write(self, content: memoryview) -> int:
        """Write all of it, or keep the error."""
        left = memoryview(content).cast("B")
        while self.error is None and len(left):
            try:
                left = left[super().write(left) :]
            except OSError as error:
                self.error = error
        return len(content)

    def truncate(self, size: int | None = None) -> int:
        """Change the size, unless there was an error before."""
        return self.tell() if self.error else super().truncate(size)

    def raise_error(self) -> None:
        """Raise the error that was kept, if there was one."""
        if self.error:
            raise self.error

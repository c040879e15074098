"""The IDX format of MNIST and similar datasets."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from generalization.datasets.raw_dataset import RawDataset, verify_sha256
from generalization.datasets.torchvision_source import cache_folder, download
from generalization.errors import InputError

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def idx_dataset(
    data_root: Path | None,
    *,
    name: str,
    torchvision_class: str,
    sha256: Mapping[str, str],
    other_folders: Sequence[Path] = (),
    advice: str = "",
) -> RawDataset:
    """Read four IDX files from the first folder that holds all of them, see ``readable_path``.

    A folder whose files are not the published ones is passed over if another's are: files of MNIST
    and of Fashion-MNIST have the same names. The folders are ``data_root``, its subfolders
    ``<torchvision_class>/raw`` (used by torchvision) and ``<name>``, the other folders, and the
    cache of earlier downloads; finally the files are downloaded.

    Args:
        data_root: Folder of the user.
        torchvision_class: Class in ``torchvision.datasets`` that downloads the files.
        sha256: Hash of each unpacked file; gzip headers vary.
        other_folders: System folders that may hold the files.
        advice: Alternatives to setting ``data_root``, for the error message.
    """
    raw = Path(torchvision_class) / "raw"
    root = data_root and data_root.expanduser()
    folders = [root, root / raw, root / name] if root else []
    folders = [*folders, *other_folders, cache_folder() / raw]
    whole = [folder for folder in folders if all(readable_path(folder, file) for file in FILES)]
    if not whole:
        raise_if_incomplete(name, folders[:-1])  # An incomplete download is replaced.
        advice = f"{advice}set data_root to a folder that holds {', '.join(FILES)}"
        download(torchvision_class, torchvision_class, name=name, tried=folders, advice=advice)
        whole = folders[-1:]
    arrays = _first_published(whole, sha256)
    return RawDataset(
        train_images=arrays[0][:, None],
        train_labels=arrays[1],
        test_images=arrays[2][:, None],
        test_labels=arrays[3],
        classes=10,
        source=f"{torchvision_class}; sha256 of the four published files verified",
    )


def _first_published(
    folders: Sequence[Path], sha256: Mapping[str, str]
) -> list[UInt8[np.ndarray, "rows *pixels"]]:
    """Return the contents of the first folder whose files are the published ones.

    Raises:
        InputError: What is wrong with the first folder, if none is.
    """  # noqa: DOC502
    refusals = []
    for folder in folders:
        try:
            return [read_idx(readable_path(folder, file), sha256[file]) for file in FILES]
        except InputError as error:
            refusals.append(error)
    raise refusals[0]


def raise_if_incomplete(name: str, folders: Sequence[Path]) -> None:
    """Refuse to download a dataset of which a folder already holds some files.

    Raises:
        InputError: If there is such a folder: its files, and those it lacks.
    """
    for folder in folders:
        found = {file: path for file in FILES if (path := readable_path(folder, file))}
        if found:
            missing = [file for file in FILES if file not in found]
            raise InputError(
                f"{folder} must hold the four files of {name}, gzipped or not, but holds only "
                f"{', '.join(path.name for path in found.values())} and lacks {', '.join(missing)}."
            )


def readable_path(folder: Path, file: str) -> Path | None:
    """Return the path of a file; None if it does not exist.

    ``train-images-idx3-ubyte`` may also be ``train-images.idx3-ubyte``, as LeCun's archive names
    it, and either may be gzipped.
    """
    names = (file, file.replace("-idx", ".idx"))
    paths = [folder / f"{name}{suffix}" for name in names for suffix in ("", ".gz")]
    return next((path for path in paths if path.is_file()), None)


def read_idx(path: Path, sha256: str) -> UInt8[np.ndarray, "rows *pixels"]:
    """Read an IDX file of unsigned bytes.

    The format: two zero bytes, 8 for unsigned bytes, the number of dimensions; every dimension as a
    big-endian 32-bit integer; the values, last dimension fastest.

    Args:
        path: Path of the file, gzipped if it ends in ``.gz``.
        sha256: Hash of the unpacked file.

    Raises:
        InputError: If the file cannot be unpacked or differs from the published one.
    """
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{path} must be a whole gzip file ({error}).") from None
    verify_sha256(content, sha256, f"{path}, unpacked,")
    dimensions = content[3]
    shape = np.frombuffer(content, ">i4", dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)

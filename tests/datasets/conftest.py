"""Datasets in the formats of their publishers, made here, and a world without network."""

import gzip
import pickle
import struct
from hashlib import sha256
from urllib.error import URLError

import numpy as np
import pytest

from generalization.catalog import Shape
from generalization.datasets.idx import FILES


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The cache of downloads, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "generalization"


@pytest.fixture
def no_network(monkeypatch):
    """No class of torchvision can download anything."""

    def fail(self):
        raise URLError("no network")

    for name in ("MNIST", "CIFAR10"):  # the others inherit
        monkeypatch.setattr(f"torchvision.datasets.{name}.download", fail)


@pytest.fixture
def shape_of():
    """A function from a raw dataset to what the workflow plans with."""

    def shape(raw):
        assert raw.train_images.shape[1:] == raw.test_images.shape[1:]
        sizes = (len(raw.train_images), len(raw.test_images), *raw.train_images.shape[1:])
        return Shape(*sizes, raw.classes)

    return shape


@pytest.fixture
def idx_arrays():
    """Three training and two test images of 4×5 pixels."""
    generator = np.random.default_rng(0)
    shapes = ((3, 4, 5), (3,), (2, 4, 5), (2,))
    return [generator.integers(10, size=shape, dtype=np.uint8) for shape in shapes]


@pytest.fixture
def idx_bytes(idx_arrays):
    """Name → content of the four files, as the format's definition says."""
    return {
        file: struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()
        for file, array in zip(FILES, idx_arrays, strict=True)
    }


@pytest.fixture
def idx_sha256(idx_bytes):
    return {file: sha256(content).hexdigest() for file, content in idx_bytes.items()}


@pytest.fixture
def write_idx(idx_bytes):
    """A function that writes the four files to a folder."""

    def write(folder, *, gzipped=False):
        folder.mkdir(parents=True)
        for file, content in idx_bytes.items():
            if gzipped:
                (folder / f"{file}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / file).write_bytes(content)

    return write


@pytest.fixture
def write_cifar():
    """A function that writes batches of two images each, and returns them all in their order."""

    def write(cifar, folder, label_key):
        generator = np.random.default_rng(0)
        folder.mkdir(parents=True)
        rows, labels = [], []
        for file, _ in cifar.train_list + cifar.test_list:
            rows.append(generator.integers(256, size=(2, 3 * 32 * 32), dtype=np.uint8))
            labels.append(generator.integers(10, size=2).tolist())
            (folder / file).write_bytes(pickle.dumps({"data": rows[-1], label_key: labels[-1]}))
        (folder / cifar.meta["filename"]).write_bytes(pickle.dumps({cifar.meta["key"]: []}))
        return np.concatenate(rows), np.concatenate(labels)

    return write


@pytest.fixture
def without_md5(monkeypatch):
    """A function that lets a class of torchvision read files whose MD5 is not the published one."""

    def replace(cifar):
        monkeypatch.setattr(cifar, "train_list", [[file, None] for file, _ in cifar.train_list])
        monkeypatch.setattr(cifar, "test_list", [[file, None] for file, _ in cifar.test_list])
        monkeypatch.setattr(cifar, "meta", {**cifar.meta, "md5": None})

    return replace

import re

import h5py
import numpy as np
import pytest
import torch

from generalization.datasets.dataset import read_dataset
from generalization.datasets.dataset_file import ARRAYS, content_sha256, write_dataset
from generalization.errors import InputError

WORDS = {"name": "toy", "classes": 3, "normalization": "none", "source": "made here"}


@pytest.fixture
def arrays():
    generator = np.random.default_rng(0)
    return {
        "train/inputs": generator.random((5, 2, 4, 3)),
        "train/labels": generator.integers(3, size=5, dtype=np.uint8),
        "test/inputs": generator.random((4, 2, 4, 3)),
        "test/labels": generator.integers(3, size=4, dtype=np.uint8),
        "train/pixel_means": generator.random(5),
        "train/pixel_deviations": generator.random(5),
        "test/pixel_means": generator.random(4),
        "test/pixel_deviations": generator.random(4),
    }


@pytest.fixture
def path(tmp_path, arrays):
    path = tmp_path / "new" / "toy.h5"
    write_dataset(path, arrays, **WORDS)
    return path


def refused(sentence):
    return pytest.raises(InputError, match=f"^{sentence}$")


def test_what_was_written_is_read(path, arrays):
    dataset = read_dataset(path)
    assert (dataset.name, dataset.classes) == ("toy", 3)
    assert dataset.sha256 == content_sha256({
        key: array.astype(ARRAYS[key]) for key, array in arrays.items()
    })
    for key, array in arrays.items():
        tensor = getattr(dataset, key.replace("/", "_"))
        kinds = {"inputs": torch.float32, "labels": torch.int64}
        assert tensor.dtype == kinds.get(key.split("/")[1], torch.float64)
        np.testing.assert_array_equal(tensor, array.astype(tensor.numpy().dtype))


def test_dataset_on_another_device(path):
    dataset = read_dataset(path).to("meta")
    assert dataset.name == "toy"
    assert {tensor.device.type for tensor in vars(dataset).values() if torch.is_tensor(tensor)} == {
        "meta"
    }


def test_file_is_as_promised_to_other_programs(path):
    with h5py.File(path) as file:
        assert file["train/inputs"].shape == (5, 2, 4, 3)
        assert {key: file[key].dtype.str for key in ("test/inputs", "test/labels")} == {
            "test/inputs": "<f4",
            "test/labels": "<i8",
        }
        attributes = dict(file.attrs)
    assert len(attributes.pop("sha256")) == 64
    assert attributes == WORDS


def test_file_appears_whole_or_not_at_all(path, arrays):
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_dataset(path, arrays, **{**WORDS, "source": object()})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_same_content_gives_the_same_bytes(path, arrays, tmp_path):
    write_dataset(tmp_path / "again.h5", arrays, **WORDS)
    assert (tmp_path / "again.h5").read_bytes() == path.read_bytes()


def test_missing_file(tmp_path):
    sentence = rf"^The dataset {tmp_path}/toy\.h5 must exist; prepare_dataset makes it\.$"
    with pytest.raises(InputError, match=sentence):
        read_dataset(tmp_path / "toy.h5")


def test_file_of_another_format(path):
    path.write_text("digits")
    with refused(rf"The dataset {path} must be a readable HDF5 file \(.*signature not found\)\)\."):
        read_dataset(path)


def test_truncated_file(path):
    path.write_bytes(path.read_bytes()[:-100])
    with refused(rf"The dataset {path} must be a readable HDF5 file \(.*truncated file.*\)\."):
        read_dataset(path)


def test_file_of_something_else(path):
    with h5py.File(path, "a") as file:
        del file["train/labels"], file["test/inputs"], file.attrs["classes"]
        file.create_group("test/inputs")
    with refused(rf"The dataset {path} must hold train/labels, test/inputs, classes\."):
        read_dataset(path)


def test_file_without_units_of_pixels(path):
    with h5py.File(path, "a") as file:
        del file["train/pixel_means"], file["test/pixel_deviations"]
    with refused(rf"The dataset {path} must hold train/pixel_means, test/pixel_deviations\."):
        read_dataset(path)


@pytest.mark.parametrize("key", ["test/labels", "train/pixel_deviations"])
def test_changed_content(path, key):
    with h5py.File(path, "a") as file:
        file[key][0] += 1
    sentence = f"The dataset {path} must have the content that its sha256 was taken of."
    with refused(re.escape(sentence)):
        read_dataset(path)


def test_sha256_is_of_the_bytes_in_the_order_of_the_file():
    names = ("inputs", "labels", "pixel_means", "pixel_deviations")
    of_train, of_test = ([f"{part}/{name}" for name in names] for part in ("train", "test"))
    order = [*of_train[:2], *of_test[:2], *of_train[2:], *of_test[2:]]
    bytes_of = dict(zip(order, b"abcdefgh", strict=True))
    arrays = {key: np.array([bytes_of[key]], np.uint8) for key in reversed(order)}
    assert content_sha256(arrays) == (
        "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab"  # of abcdefgh
    )

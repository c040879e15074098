import re

import h5py
import numpy as np
import pytest
import torch

from generalization.datasets.dataset import read_dataset
from generalization.datasets.dataset_file import content_sha256, write_dataset
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
    for key, array in arrays.items():
        tensor = getattr(dataset, key.replace("/", "_"))
        assert tensor.dtype == (torch.int64 if key.endswith("labels") else torch.float32)
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


def test_changed_content(path):
    with h5py.File(path, "a") as file:
        file["test/labels"][0] += 1
    sentence = f"The dataset {path} must have the content that its sha256 was taken of."
    with refused(re.escape(sentence)):
        read_dataset(path)


def test_sha256_is_of_the_bytes_in_the_order_of_the_file():
    arrays = {
        "test/labels": np.frombuffer(b"d", np.uint8),
        "test/inputs": np.frombuffer(b"c", np.uint8),
        "train/labels": np.frombuffer(b"b", np.uint8),
        "train/inputs": np.frombuffer(b"a", np.uint8),
    }
    assert content_sha256(arrays) == (
        "88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589"  # of abcd
    )

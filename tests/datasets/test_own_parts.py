"""Test data have the classes and features of the training data, or a sentence says otherwise."""

import numpy as np
import pytest
import torch
from PIL import Image

from generalization.datasets.own_parts import own_parts
from generalization.errors import InputError


def tables(folder, train, test):
    for name, text in (("train", train), ("test", test)):
        (folder / f"{name}.csv").write_text(text)
    return {name: str(folder / f"{name}.csv") for name in ("train", "test")}


def test_names_are_numbered_as_in_the_training_set(tmp_path):
    sources = tables(tmp_path, "a,label\n1,cat\n2,dog\n3,owl\n", "a,label\n4,owl\n5,dog\n")
    (inputs, labels), (test_inputs, test_labels) = own_parts(sources).values()
    assert labels.tolist() == [0, 1, 2] and test_labels.tolist() == [2, 1]
    assert inputs.dtype == test_inputs.dtype == torch.float32
    assert test_inputs.tolist() == [[4], [5]]


@pytest.mark.parametrize(
    ("train", "test", "sentence"),
    [
        (
            "a,b,y\n1,2,0\n",
            "b,a,y\n2,1,0\n",
            "must have the columns of train, a, b, y, not b, a, y.",
        ),
        ("a,y\n1,cat\n2,dog\n", "a,y\n1,owl\n", "must have classes of train, cat, dog, not 'owl'."),
        ("a,y\n1,0\n2,1\n", "a,y\n1,\n", "must have a label in every row, not '' in row 1"),
        ("a,y\n1,0\n2,1\n", "a,y\n,1\n", "must have finite inputs, but input 0 is not."),
        ("a,y\n1,0\n2,1\n", "a,y\n1,-1\n", "must have labels from 0, not -1."),
    ],
    ids=["columns", "classes", "labels", "finite", "negative"],
)
def test_test_data_that_mean_something_else(tmp_path, train, test, sentence):
    sources = tables(tmp_path, train, test)
    with pytest.raises(InputError) as error:
        own_parts(sources)
    assert str(error.value).startswith(f"data.test ({sources['test']}) {sentence}")


def test_folders_that_differ(tmp_path):
    for place in ("train/cat", "train/dog", "test/dog"):
        (tmp_path / place).mkdir(parents=True)
        Image.new("L", (3, 3)).save(tmp_path / place / "0.png")
    sources = {part: str(tmp_path / part) for part in ("train", "test")}
    with pytest.raises(InputError, match=r"must have the folders of train, cat, dog, not dog\.$"):
        own_parts(sources)


def test_shapes_that_differ_and_arrays_that_run_backwards(tmp_path):
    inputs, labels = np.arange(12.0).reshape(2, 6)[:, ::-1], np.array([0, 1])
    np.savez(tmp_path / "train.npz", x=inputs, y=labels)
    np.savez(tmp_path / "test.npz", x=inputs[:, :5], y=labels)
    sources = {part: str(tmp_path / f"{part}.npz") for part in ("train", "test")}
    with pytest.raises(InputError, match=r"of the shape of those of train, \(6,\), not \(5,\)\.$"):
        own_parts(sources)
    found, _ = own_parts(sources | {"test": sources["train"]})["train"]
    assert found.numpy().tolist() == inputs.tolist()

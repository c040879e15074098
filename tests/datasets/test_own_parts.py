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
        ("a,y\n1,0\n2,1\n", "a,y\n1,\n", "must have a label in every row, not '' in row 1."),
        ("a,y\n1,0\n2,1\n", "a,y\n,1\n", "must have finite numbers in column a, not '' in row 1."),
        ("a,y\n1,0\n2,1\n", "a,y\n1,-1\n", "must have labels from 0, not -1."),
    ],
    ids=["columns", "classes", "labels", "finite", "negative"],
)
def test_test_data_that_mean_something_else(tmp_path, train, test, sentence):
    sources = tables(tmp_path, train, test)
    with pytest.raises(InputError) as error:
        own_parts(sources)
    assert str(error.value).startswith(f"data.test ({sources['test']}) {sentence}")


def test_images_on_two_scales(tmp_path):
    images, sources = np.random.default_rng(0).random((4, 1, 3, 3)).round(3), {}
    for part, scale in (("train", 1 / images.max()), ("test", 255 / images.max())):
        sources[part] = str(tmp_path / f"{part}.npz")
        np.savez(sources[part], inputs=scale * images, labels=[0, 1, 0, 1])
    with pytest.raises(InputError) as error:
        own_parts(sources)
    assert str(error.value) == (
        f"data.test ({sources['test']}) must have pixels on the scale of those of train, whose "
        "largest is 1, not 255."
    )


def test_folders_that_differ(tmp_path):
    for place in ("train/cat", "train/dog", "test/dog"):
        (tmp_path / place).mkdir(parents=True)
        Image.new("L", (3, 3)).save(tmp_path / place / "0.png")
    sources = {part: str(tmp_path / part) for part in ("train", "test")}
    with pytest.raises(InputError, match=r"must have the folders of train, cat, dog, not dog\.$"):
        own_parts(sources)


def test_folders_that_programs_leave_behind_shift_no_class(tmp_path):
    for place in ("train/cat", "train/dog", "test/cat", "test/dog", "test/.ipynb_checkpoints"):
        (tmp_path / place).mkdir(parents=True)
        Image.new("L", (3, 3)).save(tmp_path / place / "0.png")
    parts = own_parts({part: str(tmp_path / part) for part in ("train", "test")})
    assert [labels.tolist() for _, labels in parts.values()] == [[0, 1], [0, 1]]


def test_classes_of_folders_and_of_a_table_are_matched_by_name(tmp_path):
    for name in ("2", "10"):
        (tmp_path / "train" / name).mkdir(parents=True)
        Image.new("L", (2, 2)).save(tmp_path / "train" / name / "0.png")
    images = np.zeros((2, 1, 2, 2))
    sources = {part: str(tmp_path / part) for part in ("train", "test.npz")}
    sources["test"] = sources.pop("test.npz")
    np.savez(sources["test"], x=images, y=["2", "10"])
    assert own_parts(sources)["test"][1].tolist() == [1, 0]
    np.savez(sources["test"], x=images, y=[1, 0])
    with pytest.raises(InputError, match=r"must have classes of train, 10, 2, not '0'\.$"):
        own_parts(sources)


@pytest.mark.parametrize(
    ("inputs", "labels", "sentence"),
    [
        (
            np.zeros(2),
            [0, 1],
            "must have inputs of shape (n, features) or (n, channels, height, width), at least "
            "one, not of shape (2,).",
        ),
        (
            np.zeros((0, 3)),
            np.zeros(0, int),
            "must have inputs of shape (n, features) or (n, channels, height, width), at least "
            "one, not of shape (0, 3).",
        ),
        (
            np.zeros((2, 3)),
            [0.0, 1.0],
            "must have one integer label per input, not labels of float64 and shape (2,) for 2 "
            "inputs.",
        ),
        (
            np.zeros((2, 3)),
            [[0, 1], [1, 0]],
            "must have one integer label per input, not labels of int64 and shape (2, 2) for 2 "
            "inputs.",
        ),
        (
            np.zeros((2, 3)),
            [0, 1, 1],
            "must have one integer label per input, not labels of int64 and shape (3,) for 2 "
            "inputs.",
        ),
        (
            np.array([[1, 2], [3, np.inf]]),
            [0, 1],
            "must have finite inputs, but input 1 is not.",
        ),
        (
            np.array([[1, 2], [3, 1e39]]),
            [0, 1],
            "must have finite inputs, but input 1 is not.",
        ),
        (
            np.array([["a"], ["b"]]),
            [0, 1],
            "must have inputs that are real numbers of one shape, not <U1.",
        ),
    ],
    ids=["vector", "empty", "floats", "one_hot", "more", "infinite", "too_large", "words"],
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
def test_arrays_that_are_not_data(tmp_path, inputs, labels, sentence):
    path = tmp_path / "train.npz"
    np.savez(path, x=inputs, y=labels)
    with pytest.raises(InputError) as raised:
        own_parts({"train": str(path), "test": str(path)})
    assert str(raised.value) == f"data.train ({path}) {sentence}"


@pytest.mark.parametrize("kind", [">f4", "<u2", "float128", "bool", "int8"])
def test_numbers_of_any_kind_are_read(tmp_path, kind):
    path = str(tmp_path / "train.npz")
    np.savez(path, x=np.array([[0, 1], [1, 0]], kind), y=np.array([1, 0], np.uint8))
    inputs, labels = own_parts({"train": path, "test": path})["train"]
    assert inputs.dtype == torch.float32 and inputs.tolist() == [[0, 1], [1, 0]]
    assert labels.dtype == torch.int64 and labels.tolist() == [1, 0]


def test_shapes_that_differ_and_arrays_that_run_backwards(tmp_path):
    inputs, labels = np.arange(12.0).reshape(2, 6)[:, ::-1], np.array([0, 1])
    np.savez(tmp_path / "train.npz", x=inputs, y=labels)
    np.savez(tmp_path / "test.npz", x=inputs[:, :5], y=labels)
    sources = {part: str(tmp_path / f"{part}.npz") for part in ("train", "test")}
    with pytest.raises(InputError, match=r"of the shape of those of train, \(6,\), not \(5,\)\.$"):
        own_parts(sources)
    found, _ = own_parts(sources | {"test": sources["train"]})["train"]
    assert found.numpy().tolist() == inputs.tolist()

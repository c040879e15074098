import re

import numpy as np
import pytest
from PIL import Image

from generalization.datasets.dataset import read_dataset
from generalization.datasets.experiment_data import experiment_data
from generalization.datasets.own_dataset import own_dataset, prepare_own_dataset
from generalization.errors import InputError
from generalization.hyperparameters import Hyperparameters


@pytest.fixture
def write(tmp_path):
    def sources(**parts):
        about = {}
        for part, (inputs, labels) in parts.items():
            about[part] = str(tmp_path / f"{part}.npz")
            np.savez(about[part], inputs=inputs, labels=labels)
        return about

    return sources


@pytest.fixture
def tables(tmp_path):
    """Two tables with named classes, features of very different scale, and a constant one."""
    generator = np.random.default_rng(0)
    about = {}
    for part, rows in (("train", 30), ("test", 20)):
        features = generator.normal(5, [1, 1000, 0.001, 0], (rows, 4))
        names = np.array(["cat", "dog", "eel"])[np.arange(rows) % 3]
        lines = [
            f"{','.join(map(repr, row.tolist()))},{name}"
            for row, name in zip(features, names, strict=True)
        ]
        about[part] = str(tmp_path / f"{part}.csv")
        (tmp_path / f"{part}.csv").write_text("\n".join(["a,b,c,d,label", *lines]))
    return about


def test_features_of_tables_are_standardized_and_classes_named(tables, tmp_path):
    prepare_own_dataset("pets", tables, tmp_path / "pets.h5")
    data = experiment_data(
        read_dataset(tmp_path / "pets.h5"),
        Hyperparameters(dataset="pets", input_normalization="none"),
    )
    assert data.classes == 3 and data.train_inputs.shape == (30, 1, 1, 4)
    features = data.train_inputs.flatten(1).double()
    assert features.mean(0).tolist() == pytest.approx([0] * 4, abs=1e-6)
    assert features.std(0, correction=0).tolist() == pytest.approx([1, 1, 1, 0], abs=1e-6)
    assert data.test_labels.bincount().tolist() == [7, 7, 6]


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5)])
def test_images_are_normalized_and_can_be_had_back(write, tmp_path, shape):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (9, *shape), np.uint8)
    images[4] = 51
    about = write(train=(images, np.arange(9) % 3), test=(images[:6], np.arange(6) % 3))
    prepare_own_dataset("mine", about | {"white": 255}, tmp_path / "mine.h5")
    read = read_dataset(tmp_path / "mine.h5")
    normalized = read.train_inputs.flatten(1).double()
    variances = normalized.var(1, correction=0).sort().values
    assert variances.tolist() == pytest.approx([0] + [1] * 8, abs=1e-5)
    pixels = experiment_data(read, Hyperparameters(dataset="mine", input_normalization="none"))
    found = sorted(pixels.train_inputs.flatten(1).tolist())
    assert found == [
        pytest.approx(row, abs=1e-6) for row in sorted((images / 255).reshape(9, -1).tolist())
    ]
    assert own_dataset("mine", about | {"white": 1}).constant == "train input 4"


def test_description_is_what_the_file_holds(tables, tmp_path):
    described = own_dataset("pets", tables).description
    prepare_own_dataset("pets", tables, tmp_path / "pets.h5")
    assert described["shape"] == [30, 20, 1, 1, 4, 3] and described["constant"] == ""
    assert described["sha256"] == read_dataset(tmp_path / "pets.h5").sha256


X = np.random.default_rng(0).random((4, 2, 2))
Y = np.array([0, 1, 0, 1])
FAULTS = {
    "shape": (
        (X, Y),
        (X[:, :1], Y),
        r"must have inputs of the shape of those of train, \(1, 2, 2\), not \(1, 1, 2\)\.",
    ),
    "vector": (
        (Y, Y),
        (Y, Y),
        r"must have numbers of shape \(n, features\), \(n, height, width\) or "
        r"\(n, channels, height, width\), not int64 of shape \(4,\)\.",
    ),
    "nan": ((X * np.nan, Y), (X, Y), "must have finite inputs, but input 0 is not."),
    "float labels": (
        (X, Y / 2),
        (X, Y),
        r"must have one integer label per input, not labels of float64 and shape \(4,\) for "
        r"4 inputs\.",
    ),
    "one-hot": (
        (X, np.eye(2, dtype=int)[Y]),
        (X, Y),
        r"must have one integer label per input, not labels of int64 and shape \(4, 2\) for "
        r"4 inputs\.",
    ),
    "whole floats": (
        (X, Y * 1.0),
        (X, Y),
        r"must have one integer label per input, not labels of float64 and shape \(4,\) for "
        r"4 inputs\.",
    ),
    "truth values": (
        (X, Y > 0),
        (X, Y),
        r"must have one integer label per input, not labels of bool and shape \(4,\) for "
        r"4 inputs\.",
    ),
    "fewer labels": (
        (X, Y),
        (X, Y[:3]),
        r"must have one integer label per input, not labels of int64 and shape \(3,\) for "
        r"4 inputs\.",
    ),
    "negative": ((X, Y - 1), (X, Y), r"must have labels from 0, not -1\."),
    "negative test": (
        (X, Y),
        (X, Y - 1),
        r"must have labels from 0 to 1, the largest of train, not -1\.",
    ),
    "from 1": (
        (X, Y + 1),
        (X, Y + 1),
        r"must have inputs of every class from 0 to 2, but none of label 0\.",
    ),
    "gap": (
        (X, Y * 10**12),
        (X, Y),
        r"must have inputs of every class from 0 to 1000000000000, but none of label 1\.",
    ),
    "words and numbers": (
        (X, np.array(list("abab"))),
        (X, Y),
        "must have classes of train, a, b, not '0'\\.",
    ),
    "numbers and words": (
        (X, Y),
        (X, np.array(list("abab"))),
        r"must have one integer label per input, not labels of <U1 and shape \(4,\) for "
        r"4 inputs\.",
    ),
    "infinite": (
        (X, Y),
        (np.where(X[2, 1, 1] == X, np.inf, X), Y),
        r"must have finite inputs, but input 2 is not\.",
    ),
    "channels last": (
        (np.zeros((4, 5, 6, 3)), Y),
        (np.zeros((4, 5, 6, 3)), Y),
        r"must have images of shape \(n, channels, height, width\), not \(4, 5, 6, 3\), whose last "
        r"axis looks like channels: transpose\(0, 3, 1, 2\) moves it\.",
    ),
    "more classes": (
        (X, Y),
        (X, Y * 3),
        r"must have labels from 0 to 1, the largest of train, not 3\.",
    ),
    "one class": ((X, Y * 0), (X, Y * 0), "must have at least 2 classes, not 1."),
    "new name": (
        (X, np.array(list("abab"))),
        (X, np.array(list("abac"))),
        "must have classes of train, a, b, not 'c'.",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_trained_on(write, fault):
    train, test, sentence = FAULTS[fault]
    place = r"^own_datasets\.mine\.(train|test) \(.*\.npz\) "
    with pytest.raises(InputError, match=f"{place}{sentence}$"):
        own_dataset("mine", write(train=train, test=test))


@pytest.mark.parametrize(
    ("pixels", "largest"),
    [(np.uint8([0, 255]), "255"), (np.float64([0, 255]), "255"), (np.float32([0, 1.5]), "1.5")],
)
def test_pixels_that_are_not_from_0_to_1_must_have_a_white(write, pixels, largest):
    images = pixels[np.arange(16).reshape(4, 2, 2) % 3 % 2]
    about = write(train=(images, Y), test=(images, Y))
    with pytest.raises(InputError) as error:
        own_dataset("mine", about)
    assert str(error.value) == (
        "own_datasets.mine.white must be given where pixels are not from 0 to 1, 255 for bytes: "
        f"the largest of own_datasets.mine.train ({about['train']}) is {largest}."
    )
    for more in ({"white": 255}, {"white": 1}, {"standardize": True}):
        assert own_dataset("mine", about | more).classes == 2


def test_pixels_of_the_test_set_must_have_a_white_too(write):
    images = np.arange(16).reshape(4, 2, 2) % 3 / 2
    about = write(train=(images, Y), test=(20 * images, Y))
    with pytest.raises(InputError) as error:
        own_dataset("mine", about)
    assert str(error.value) == (
        "own_datasets.mine.white must be given where pixels are not from 0 to 1, 255 for bytes: "
        f"the largest of own_datasets.mine.test ({about['test']}) is 20."
    )


@pytest.mark.parametrize("more", [{}, {"white": 255}, {"white": 1}, {"standardize": True}])
@pytest.mark.parametrize(
    ("scales", "sentence"),
    [
        ((1, 255), "whose largest is 1, not 255."),
        ((255, 1), "whose largest is 255, not 1."),
        ((-2.5, 255), "whose largest is 2.5, not 255."),
    ],
)
def test_parts_on_two_scales(write, scales, sentence, more):
    images = np.arange(16).reshape(4, 2, 2) % 3 / 2
    about = write(**{p: (s * images, Y) for p, s in zip(("train", "test"), scales, strict=True)})
    with pytest.raises(InputError) as error:
        own_dataset("mine", about | more)
    assert str(error.value) == (
        f"own_datasets.mine.test ({about['test']}) must have pixels on the scale of those of "
        f"train, {sentence}"
    )


def test_features_of_tables_and_dark_images_have_no_scale_of_their_own(write):
    table = np.random.default_rng(0).random((4, 5))
    assert own_dataset("mine", write(train=(table, Y), test=(1000 * table, Y))).classes == 2
    images = table[:, None, None]
    for darker in (images / 49, 0 * images):
        assert own_dataset("mine", write(train=(images, Y), test=(darker, Y))).classes == 2


@pytest.mark.parametrize(
    ("shape", "image"),
    [
        ((4, 3, 5, 6), [3, 5, 6]),
        ((4, 1, 5, 3), [1, 5, 3]),
        ((4, 4, 5, 3), [4, 5, 3]),
        ((4, 1, 1, 4), [1, 1, 4]),
        ((4, 5, 3), [1, 5, 3]),
        ((4, 5), [1, 1, 5]),
    ],
)
def test_channels_that_are_first_are_taken_for_channels(write, shape, image):
    images = np.random.default_rng(0).random(shape)
    about = write(train=(images, Y), test=(images, Y))
    assert own_dataset("mine", about).description["shape"] == [4, 4, *image, 2]


def test_pixels_on_a_scale_of_their_own_are_taken_as_they_are(write):
    images = np.random.default_rng(0).normal(0, 2, (4, 3, 5, 6))
    about = write(train=(images, Y), test=(images, Y))
    assert own_dataset("mine", about).classes == 2


def test_the_order_of_inputs_in_memory_makes_no_difference(write, tmp_path):
    """Color images of files have their channels last, arrays may be in the order of Fortran."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (6, 4, 5, 3), np.uint8)
    for part in ("train", "test"):
        for index, image in enumerate(images):
            folder = tmp_path / part / "ab"[index // 3]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{index}.png")
    arrays = np.asfortranarray(images.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    labels = np.arange(6) // 3
    folders = own_dataset("mine", {part: str(tmp_path / part) for part in ("train", "test")})
    found = own_dataset("mine", write(train=(arrays, labels), test=(arrays, labels)))
    assert found.description == folders.description
    assert folders.description["shape"] == [6, 6, 3, 4, 5, 2]


def test_a_class_may_be_named_as_what_is_missing(tmp_path):
    for part in ("train", "test"):
        (tmp_path / f"{part}.csv").write_text("a,b,label\n1,2,yes\n3,5,NA\n4,1,null\n")
    about = {part: str(tmp_path / f"{part}.csv") for part in ("train", "test")}
    assert own_dataset("mine", about).classes == 3


def test_folders_must_have_the_same_classes(tmp_path):
    for place in ("train/cat", "train/dog", "test/dog", "test/cow"):
        (tmp_path / place).mkdir(parents=True)
        Image.new("L", (3, 2), 7).save(tmp_path / place / "0.png")
    about = {part: str(tmp_path / part) for part in ("train", "test")}
    sentence = (
        f"own_datasets.pets.test ({about['test']}) must have the folders of train, cat, dog, "
        "not cow, dog."
    )
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        own_dataset("pets", about)


def test_a_source_that_changes_whenever_it_is_read(tables, tmp_path):
    found = own_dataset("pets", tables).description["sha256"]
    sentence = (
        f"own_datasets.pets must be the same whenever it is read, with sha256 0, not {found}; "
        "the same command reads it again."
    )
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        prepare_own_dataset("pets", tables, tmp_path / "pets.h5", sha256="0")
    assert not (tmp_path / "pets.h5").exists()

"""Sources that cannot be read, or would be read as something else, get one sentence."""

import re
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from generalization.datasets.own_dataset import own_dataset
from generalization.datasets.own_sources import checked_arrays
from generalization.errors import InputError

FUNCTIONS = """
import numpy as np
from PIL import Image

def of_arrays():
    return Pairs(np.zeros(2), 0)

def of_images():
    return Pairs(Image.new("L", (2, 2)), 0)

def of_an_argument(root):
    return root

def wrong_within():
    return [].missing

class Pairs:
    def __init__(self, *pair):
        self.pair = pair

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return self.pair
"""


@pytest.fixture
def functions(tmp_path, monkeypatch):
    (tmp_path / "their_sources.py").write_text(FUNCTIONS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "their_sources", raising=False)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("of_arrays", r"expected Tensor as element 0 in argument 0, but got numpy\.ndarray"),
        ("of_images", r"expected Tensor as element 0 in argument 0, but got Image"),
        ("of_an_argument", r"of_an_argument\(\) missing 1 required positional argument: 'root'"),
    ],
)
def test_functions_that_do_not_return_data(functions, name, reason):
    need = (
        "must be a function without arguments that returns inputs and labels, or a Dataset of "
        "pairs of a tensor and an integer"
    )
    source = f"their_sources:{name}"
    with pytest.raises(InputError, match=rf"^data\.train \({source}\) {need}, but: {reason}\.$"):
        checked_arrays(source, "data.train")


def test_an_error_within_a_function_keeps_its_traceback(functions):
    with pytest.raises(AttributeError, match="missing"):
        checked_arrays("their_sources:wrong_within", "data.train")


def test_arrays_that_are_empty_or_cut_off(tmp_path):
    path = tmp_path / "train.npz"
    np.savez(path, inputs=np.zeros((9, 4)), labels=np.arange(9))
    for content in (b"", path.read_bytes()[:-50]):
        path.write_bytes(content)
        start = f"data.train ({path}) must be a .npz file that is whole, but: "
        with pytest.raises(InputError, match=rf"^{re.escape(start)}.+\w\.$"):
            checked_arrays(str(path), "data.train")


MISSING = "must have a label in every row, not {!r} in row 2, which counts as missing."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,label\n", "must have at least one row, not none."),
        ("label\n0\n1\n", "must have a column of features beside label, not none."),
        ("a,label\n1,cat\n2,\n", MISSING.format("")),
        ("a,label\n1,cat\n2,  \n", MISSING.format("  ")),
        ("a,label\n1,cat\n2,NA\n3,null\n", MISSING.format("NA")),
        ("a,label\n1,0\n2,None\n", MISSING.format("None")),
    ],
)
def test_tables_without_rows_features_or_labels(tmp_path, text, sentence):
    path = tmp_path / "train.csv"
    path.write_text(text)
    with pytest.raises(InputError) as raised:
        checked_arrays(str(path), "data.train")
    assert str(raised.value) == f"data.train ({path}) {sentence}"


def test_an_empty_table_is_told_by_what_reads_it(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("")
    with pytest.raises(InputError, match=r"must be a table of comma-separated values: "):
        checked_arrays(str(path), "data.train")


@pytest.mark.parametrize(
    ("kind", "name", "mode"),
    [(np.uint16, "0.png", "I;16"), (np.int32, "0.tif", "I"), (np.float32, "0.tif", "F")],
)
def test_images_that_would_lose_their_pixels(tmp_path, kind, name, mode):
    (tmp_path / "cat").mkdir()
    file = tmp_path / "cat" / name
    Image.fromarray(np.array([[0, 4000], [9000, 60000]], kind)).save(file)
    with pytest.raises(InputError) as raised:
        checked_arrays(str(tmp_path), "data.train")
    assert str(raised.value) == (
        f"data.train ({tmp_path}) must have images of 8 bits per channel, but {file} has pixels of "
        f"mode {mode}: a .npz file keeps them."
    )


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_images_of_8_bits_are_read(tmp_path, mode):
    (tmp_path / "cat").mkdir()
    Image.new(mode, (2, 2)).save(tmp_path / "cat/0.png")
    inputs, labels = checked_arrays(str(tmp_path), "data.train")
    assert len(inputs) == len(labels) == 1


def test_datasets_to_train_on_are_checked_too(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("a,label\n1,cat\n2,NA\n")
    with pytest.raises(InputError, match=r"^own_datasets\.pets\.train .* not 'NA' in row 2"):
        own_dataset("pets", {"train": str(path), "test": str(path)})


def test_tensors_of_a_function_are_passed_on(tmp_path, monkeypatch):
    (tmp_path / "their_tensors.py").write_text(
        "import torch\n\n\ndef data():\n    return torch.ones(3, 2), torch.arange(3)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    inputs, labels = checked_arrays("their_tensors:data", "data.train")
    assert torch.equal(inputs, torch.ones(3, 2)) and labels.tolist() == [0, 1, 2]


def test_arrays_that_do_not_fit_into_memory_are_not_called_damaged(tmp_path, monkeypatch):
    def failing(*_, **__):
        raise MemoryError

    path = tmp_path / "train.npz"
    np.savez(path, inputs=np.zeros((9, 4)), labels=np.arange(9))
    monkeypatch.setattr(np, "load", failing)
    with pytest.raises(MemoryError):
        checked_arrays(str(path), "data.train")

"""Sources that cannot be read, or would be read as something else, get one sentence."""

import io
import pickle
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
import torch
from PIL import Image

a_list = [1, 2]

def of_arrays():
    return Pairs([(np.zeros(2), 0), (np.ones(2), np.int64(1))])

def of_tensors():
    return Pairs([(torch.zeros(2).requires_grad_(), torch.tensor(0)), (torch.ones(2), 1, "more")])

def of_bits():
    return torch.ones(2, 3, dtype=torch.bfloat16).requires_grad_(), torch.arange(2)

def of_objects():
    return np.zeros((3, 2)), np.array([0, 2, 10], object)

def of_names():
    return [[1, 2], [3, 4]], np.array(["cat", "NA"], object)

def of_images():
    return Pairs([(Image.new("L", (2, 2)), 0)])

def of_dictionaries():
    return Pairs([{"x": torch.zeros(2), "y": 0}])

def of_none():
    return Pairs([(torch.zeros(2), 0), None])

def of_fractions():
    return Pairs([(torch.zeros(2), 0.7)])

def of_words():
    return Pairs([(torch.zeros(2), "cat")])

def of_sizes():
    return Pairs([(torch.zeros(2), 0), (torch.zeros(3), 1)])

def of_an_argument(root):
    return root

def of_nothing():
    return None

def of_ragged_inputs():
    return [[1, 2], [3]], [0, 1]

def of_ragged_labels():
    return [[1, 2], [3, 4]], [[0], [0, 1]]

def of_complex_numbers():
    return torch.zeros(2, 3, dtype=torch.complex64), [0, 1]

def of_missing_names():
    return np.zeros((2, 3)), np.array(["cat", None], object)

def of_blank_names():
    return np.zeros((2, 3)), ["cat", " "]

def of_masked_inputs():
    return np.ma.masked_equal(np.eye(2), 0), [0, 1]

def of_masked_items():
    return Pairs([(np.zeros(2), 0), (np.ma.zeros(2), 1)])

def of_masked_labels():
    return np.zeros((2, 3)), np.ma.masked_equal([0, 1], 1)

def wrong_within():
    return [].missing

class Pairs:
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]
"""


@pytest.fixture
def functions(tmp_path, monkeypatch):
    (tmp_path / "their_sources.py").write_text(FUNCTIONS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "their_sources", raising=False)


@pytest.mark.parametrize(
    ("name", "inputs", "labels"),
    [
        ("of_arrays", [[0, 0], [1, 1]], [0, 1]),
        ("of_tensors", [[0, 0], [1, 1]], [0, 1]),
        ("of_bits", [[1, 1, 1], [1, 1, 1]], [0, 1]),
        ("of_objects", [[0, 0], [0, 0], [0, 0]], [0, 2, 10]),
        ("of_names", [[1, 2], [3, 4]], ["cat", "NA"]),
    ],
)
def test_functions_that_return_data(functions, name, inputs, labels):
    found, classes = checked_arrays(f"their_sources:{name}", "data.train")
    assert found.tolist() == inputs and classes.tolist() == labels
    assert classes.dtype.kind in "iU"


NEED = (
    "must be a function without arguments that returns inputs and labels, or a Dataset of pairs of "
    "a tensor and an integer, but"
)
MASKED = (
    "must have {} in a plain array, not in a masked one, whose mask would be ignored: filled() "
    "gives a plain one."
)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("of_images", f"{NEED} item 0 is (Image, int)."),
        ("of_dictionaries", f"{NEED} item 0 is dict."),
        ("of_none", f"{NEED} item 1 is NoneType."),
        ("of_fractions", f"{NEED} item 0 is (Tensor, float)."),
        ("of_words", f"{NEED} item 0 is (Tensor, str)."),
        ("of_sizes", "must give inputs of one shape, not (2,) of item 0 and (3,) of item 1."),
        ("of_an_argument", f"{NEED}: missing a required argument: 'root'."),
        ("a_list", f"{NEED}: [1, 2] is not a callable object."),
        ("of_nothing", f"{NEED} returns NoneType."),
        (
            "of_ragged_inputs",
            "must have inputs that are real numbers of one shape, not different shapes.",
        ),
        ("of_ragged_labels", "must have one label per input, not lists of them."),
        (
            "of_complex_numbers",
            "must have inputs that are real numbers of one shape, not torch.complex64.",
        ),
        (
            "of_missing_names",
            "must have labels that are all integers or all names, not None for input 1.",
        ),
        ("of_blank_names", "must have a label for every input, not '' for input 1."),
        ("of_masked_inputs", MASKED.format("inputs")),
        ("of_masked_items", MASKED.format("inputs")),
        ("of_masked_labels", MASKED.format("labels")),
    ],
)
def test_functions_that_do_not_return_data(functions, name, sentence):
    source = f"their_sources:{name}"
    with pytest.raises(InputError) as raised:
        checked_arrays(source, "data.train")
    assert str(raised.value) == f"data.train ({source}) {sentence}"


def test_an_error_within_a_function_keeps_its_traceback(functions):
    with pytest.raises(AttributeError, match="missing"):
        checked_arrays("their_sources:wrong_within", "data.train")


def test_arrays_that_are_empty_or_cut_off(tmp_path):
    path = tmp_path / "train.npz"
    np.savez(path, inputs=np.zeros((9, 4)), labels=np.arange(9))
    for content in (b"", path.read_bytes()[:-50]):
        path.write_bytes(content)
        sentence = (
            f"data.train ({path}) must be a .npz file that is whole, not bytes of another kind."
        )
        with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
            checked_arrays(str(path), "data.train")


def test_arrays_that_are_damaged(tmp_path):
    path = tmp_path / "train.npz"
    np.savez(path, inputs=np.zeros((9, 4)), labels=np.arange(9))
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        checked_arrays(str(path), "data.train")
    assert str(raised.value) == (
        f"data.train ({path}) must be a .npz file that is whole, but: Bad CRC-32 for file "
        "'inputs.npy'."
    )


class Malicious:
    def __reduce__(self):
        return pytest.fail, ("was unpickled",)


def array_of_objects():
    array = np.empty(2, object)
    array[:] = [Malicious(), Malicious()]
    return array


def saved_array():
    file = io.BytesIO()
    np.save(file, np.ones(2))
    return file.getvalue()


@pytest.mark.parametrize("names", [("inputs", "labels"), ("x", "y"), ("images", "label")])
def test_arrays_are_found_by_their_names(tmp_path, names):
    given = np.arange(8.0, dtype=np.float32).reshape(2, 1, 2, 2), np.array([1, 0])
    np.savez(tmp_path / "train.npz", more=[0], **dict(zip(names, given, strict=True)))
    found = checked_arrays(str(tmp_path / "train.npz"), "data.train")
    assert all(map(np.array_equal, found, given))


PLAIN = "must be a .npz file of plain arrays, but: {}."
REAL = "must have inputs that are real numbers of one shape, not {}."


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            {"x": np.zeros((2, 3)), "y": array_of_objects()},
            PLAIN.format("Object arrays cannot be loaded when allow_pickle=False"),
        ),
        (
            {"x": np.zeros((2, 3)), "y": [0, 1], "label": [1, 0]},
            "must have one of the arrays labels, y, label, not y and label.",
        ),
        (
            {"x": np.zeros((2, 3)), "inputs": np.ones((2, 3)), "y": [0, 1]},
            "must have one of the arrays inputs, images, x, not inputs and x.",
        ),
        (
            {"x_train": np.zeros((2, 3)), "y_train": [0, 1]},
            "must have an array inputs or images or x; its arrays are x_train, y_train.",
        ),
        ({"x": np.array([["a"], ["b"]]), "y": [0, 1]}, REAL.format("<U1")),
        ({"x": np.zeros((2, 3), complex), "y": [0, 1]}, REAL.format("complex128")),
        ({"x": np.zeros(2, [("a", int)]), "y": [0, 1]}, REAL.format("[('a', '<i8')]")),
    ],
    ids=["objects", "labels", "inputs", "parts", "words", "complex", "records"],
)
def test_arrays_that_are_not_data(tmp_path, content, sentence):
    path = tmp_path / "train.npz"
    np.savez(path, **content)
    with pytest.raises(InputError) as raised:
        checked_arrays(str(path), "data.train")
    assert str(raised.value) == f"data.train ({path}) {sentence}"


@pytest.mark.parametrize(
    "content", [saved_array(), pickle.dumps([Malicious()])], ids=["array", "pickle"]
)
def test_other_files_that_are_called_arrays(tmp_path, content):
    path = tmp_path / "train.npz"
    path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        checked_arrays(str(path), "data.train")
    assert str(raised.value) == (
        f"data.train ({path}) must be a .npz file that is whole, not bytes of another kind."
    )


@pytest.mark.parametrize(
    "name", ["data.json", "data.xlsx", "data.parquet", "data.pt", "data.npy", "data.mat", "data"]
)
def test_files_of_other_kinds_are_told_what_is_read(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"anything")
    with pytest.raises(InputError) as raised:
        checked_arrays(str(path), "own_datasets.mine.test")
    assert str(raised.value) == (
        "own_datasets.mine.test must be a .npz file, a .csv file, a folder with one folder of "
        f"images per class, or package.module:function, not '{path}'."
    )


def test_images_and_tables_are_read_by_their_names(tmp_path):
    (tmp_path / "cat").mkdir()
    Image.new("L", (2, 2), 255).save(tmp_path / "cat/0.png")
    (tmp_path / "train.csv").write_text("a,label\n1,cat\n")
    for source in (tmp_path, tmp_path / "train.csv"):
        inputs, labels = checked_arrays(str(source), "data.train")
        assert inputs.ravel()[0] == 1 and labels.tolist() == ["cat"]


def test_datasets_to_train_on_are_checked_too(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("a,label\n1,0\n2,NA\n")
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

"""A manifest is read as it stands, and what its networks share is tried before planning."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from own_study import read_own_networks

from generalization.errors import InputError

MODULES = {
    "their_models": "from torch import nn\n\n\ndef make(width):\n    return nn.Linear(4, width)\n",
    "their_broken": "{}['no key']\n",
    "their_data": "def read():\n    return [[1, 2], [3, 4], [5, 6]], [0, 1, 'owl']\n",
}
CONFIG = {
    "networks": {"manifest": "theirs/runs.csv"},
    "data": {"train": "train.npz", "test": "test.npz"},
}
ROW = {
    "group": "A",
    "seed": "1",
    "factory": "their_models:make",
    "arguments": '{"width": 2}',
    "weights": "w.pt",
}


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Function from rows of a manifest to the networks, in a folder with what they name."""
    folder = tmp_path / "theirs"
    (folder / "folder").mkdir(parents=True)
    (folder / "w.pt").write_bytes(b"weights, which are not read here")
    (folder / "empty.pt").touch()
    (folder / "data.json").write_text("{}")
    for name, text in MODULES.items():
        (folder / f"{name}.py").write_text(text)
    for part in ("train", "test"):
        np.savez(folder / f"{part}.npz", x=np.zeros((3, 4)), y=[0, 1, 0])
    monkeypatch.chdir(tmp_path)

    def of(*rows, **data):
        pd.DataFrame(rows).to_csv(folder / "runs.csv", index=False)
        return read_own_networks(CONFIG | {"data": CONFIG["data"] | data})

    return of


def test_groups_are_names_and_files_are_found(read):
    rows = [ROW | {"group": group, "kind": index} for index, group in enumerate(["0.10", "NA"])]
    own = read(*rows, ROW | {"group": "0.1", "arguments": "", "kind": 5})
    assert [one.ensemble for one in own.networks.values()] == ["0.10", "NA", "0.1"]
    assert [one.arguments for one in own.networks.values()] == [{"width": 2}, {"width": 2}, {}]
    assert list(own.hyperparameters) == ["0.10", "NA", "0.1"]
    assert {one.weights for one in own.networks.values()} == {("theirs/w.pt",)}
    assert own.file == "theirs/runs.csv"


UNNAMED = (
    "theirs/runs.csv must have a name for every column, not {!r} for column 1: "
    "to_csv(index=False) of pandas leaves out the index."
)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            [{"weights": "folder"}],
            "weights of group A, seed 1 must be a file of weights, not 'folder', a folder.",
        ),
        (
            [{"initial_weights": "empty.pt"}],
            "initial_weights of group A, seed 1 must be a file of weights, not 'empty.pt', an "
            "empty file.",
        ),
        (
            [{"initial_weights": "7"}],
            "initial_weights of group A, seed 1 must be a file, not '7': there is none in theirs.",
        ),
        (
            [{"weights": "their_models:make"}],
            "weights of group A, seed 1 must be a file, not 'their_models:make': there is none in "
            "theirs.",
        ),
        ([{}, {"weights": "  "}], "weights of theirs/runs.csv must be given in line 3."),
        (
            [{}, {"seed": "1.5"}],
            "seed of theirs/runs.csv must be an integer, not '1.5' in line 3.",
        ),
        (
            [{}, {"seed": "x"}],
            "seed of theirs/runs.csv must be an integer, not 'x' in line 3.",
        ),
        (
            [{"seed": "1"}, {"seed": "01"}],
            "theirs/runs.csv must have one row per network, but group A, seed 01 occurs twice.",
        ),
        ([{"arguments": "5"}], "arguments of group A, seed 1 must be a JSON object, not '5'."),
        ([{"arguments": "[5]"}], "arguments of group A, seed 1 must be a JSON object, not '[5]'."),
        (
            [{}, {"seed": "2", "factory": "none:make"}],
            "theirs/runs.csv, group A, seed 2: factory must be importable, but 'none:make' is not: "
            "No module named 'none'.",
        ),
        (
            [{"factory": "their_models:MLP"}],
            "theirs/runs.csv, group A, seed 1: factory must be importable, but 'their_models:MLP' "
            "is not: module 'their_models' has no attribute 'MLP'.",
        ),
        (
            [{"factory": "their_models:nn"}],
            "theirs/runs.csv, group A, seed 1: factory must be a function or a class, but "
            "'their_models:nn' is a module.",
        ),
        (
            [{"factory": "their_broken:make"}],
            "theirs/runs.csv, group A, seed 1: factory must be importable, but "
            "'their_broken:make' raises KeyError ('no key') in line 1 of theirs/their_broken.py.",
        ),
    ],
)
def test_rows_that_cannot_be_networks(read, tmp_path, rows, sentence):
    with pytest.raises(InputError) as raised:
        read(*(ROW | row for row in rows))
    assert str(raised.value).replace(f"{tmp_path}/", "") == sentence


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_an_index_in_the_manifest_is_no_hyperparameter(read, name):
    with pytest.raises(InputError, match=f"^{re.escape(UNNAMED.format(name))}$"):
        read({name: 0} | ROW, {name: 1} | ROW | {"group": "B"})


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (
            {"train": "data.json"},
            "data.train must be a .npz file, a .csv file, a folder with one folder of images per "
            "class, or package.module:function, not 'theirs/data.json'.",
        ),
        (
            {"test": "their_data:read"},
            "data.test (their_data:read) must have one integer label per input, not labels of "
            "<U21 and shape (3,) for 3 inputs.",
        ),
        (
            {"test": "their_data:write"},
            "data.test must be importable, but 'their_data:write' is not: module 'their_data' has "
            "no attribute 'write'.",
        ),
    ],
)
def test_data_are_read_before_anything_is_computed(read, data, sentence):
    with pytest.raises(InputError) as raised:
        read(ROW, **data)
    assert str(raised.value) == sentence


def test_what_is_unchanged_is_not_tried_again(read, tmp_path, monkeypatch):
    read(ROW)
    kept = next((tmp_path / "results/manifests").glob("*.json"))
    assert json.loads(kept.read_text())["answer"] == {"train": [3, 4], "test": [3, 4]}

    def failing(*_):
        raise InputError("it is tried again")

    monkeypatch.setattr("own_code.answer_of", failing)
    read(ROW, ROW | {"seed": "2", "arguments": '{"width": 7}'})
    np.savez(tmp_path / "theirs/test.npz", x=np.ones((5, 4)), y=[0, 1, 0, 1, 0])
    with pytest.raises(InputError, match="it is tried again"):
        read(ROW)

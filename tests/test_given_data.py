"""What a data set gives is stacked, or a sentence says what it must give."""

import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset
from torchvision.datasets import ImageFolder
from torchvision.transforms import ToTensor

import generalization
from generalization.errors import InputError
from generalization.given_data import collected

STACKED = (
    "inputs must give tensors of one shape, or pairs of them with integers as labels, but its "
    "items cannot be stacked: "
)
BATCHES = "inputs must give batches of inputs, or pairs of inputs and labels, not "


class Items(Dataset):
    """A data set of given items."""

    def __init__(self, *items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


class Stream(IterableDataset):
    """A data set without a length."""

    def __iter__(self):
        yield from [(torch.ones(3), 1), (torch.zeros(3), 0)]


class Failing(Dataset):
    """A data set with an error in its own code."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return [].missing


def test_arrays_that_are_masked():
    masked = np.ma.masked_equal(np.eye(2, dtype=np.float32), 0)
    with pytest.raises(InputError) as raised:
        generalization.measure(nn.Linear(2, 2), masked, measures="weight_norm")
    assert str(raised.value) == (
        "inputs must be a plain array, not a masked one, whose mask would be ignored: filled() "
        "gives a plain one."
    )


@pytest.mark.parametrize(
    "data",
    [
        Items((torch.ones(3), 1), (torch.zeros(3), torch.tensor(0))),
        Items((torch.ones(3).numpy(), 1, "more"), (torch.zeros(3).numpy(), 0, "more")),
        Stream(),
        DataLoader(Items((torch.ones(3), 1), (torch.zeros(3), 0)), batch_size=1),
        (torch.tensor([[1.0] * 3, [0.0] * 3]), torch.tensor([1, 0])),
    ],
    ids=["pairs", "arrays", "stream", "loader", "pair"],
)
def test_data_that_are_stacked(data):
    inputs, labels = collected("inputs", data, None, None)
    assert inputs.tolist() == [[1] * 3, [0] * 3] and labels.tolist() == [1, 0]


PICTURE = Image.new("L", (2, 2))
FOUND = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found "


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (Items((PICTURE, 0)), STACKED + FOUND + "<class 'PIL.Image.Image'>."),
        (Items((torch.ones(3), None)), STACKED + FOUND + "<class 'NoneType'>."),
        (Items(None), STACKED + FOUND + "<class 'NoneType'>."),
        (
            Items((torch.ones(3), 0), (torch.ones(4), 1)),
            STACKED
            + "stack expects each tensor to be equal size, but got [3] at entry 0 and [4] at "
            "entry 1.",
        ),
        (
            DataLoader(Items((torch.ones(3), 0), (torch.ones(4), 1)), batch_size=1),
            "inputs must have one shape, not (3,) and (4,).",
        ),
        (
            DataLoader(Items(PICTURE, PICTURE), num_workers=1),
            STACKED + FOUND + "<class 'PIL.Image.Image'>.",
        ),
        (Items({"image": torch.ones(3), "label": 0}), BATCHES + "a dict."),
        (Items("cat"), BATCHES + "a str."),
        (DataLoader(Items(torch.tensor(1.0)), batch_size=None), BATCHES + "a Tensor."),
        (DataLoader(Items(()), batch_size=None), BATCHES + "a list."),
        (
            Items((torch.ones(3), "cat"), (torch.ones(3), "dog")),
            "labels of inputs must be a tensor of integers in every batch, not ('cat', 'dog').",
        ),
        (
            DataLoader(Items((torch.ones(3), 1)), batch_size=None),
            "labels of inputs must be a tensor of integers in every batch, not 1.",
        ),
        (
            [torch.ones(3)],
            "inputs must be a tensor, an array, a pair of inputs and labels, a Dataset or a "
            "DataLoader, not a list.",
        ),
    ],
)
def test_data_that_cannot_be_stacked(data, sentence):
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        collected("inputs", data, None, None)


def test_an_error_in_the_code_of_a_data_set_keeps_its_traceback():
    with pytest.raises(AttributeError, match="missing"):
        collected("inputs", Failing(), None, None)


def test_folders_of_images_need_a_transform(tmp_path):
    (tmp_path / "cat").mkdir()
    Image.new("RGB", (2, 2)).save(tmp_path / "cat/0.png")
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    images = ImageFolder(tmp_path)
    for call in (
        generalization.measure,
        lambda one, *data: generalization.compare(one, one, *data),
    ):
        with pytest.raises(InputError, match=r"^inputs must give tensors of one shape, or pairs"):
            call(network, images)
    images.transform = ToTensor()
    table = generalization.measure(network, images, measures="jacobian_norm")
    assert table["status"].item() == "ok" and table["inputs"].item() == 1

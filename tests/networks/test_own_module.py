"""What keeps a network from being built, or from having its weights, is one sentence."""

import sys

import pytest
import torch
from torch import nn

from generalization.errors import InputError
from generalization.networks.own_module import imported_factory, own_module
from generalization.own_population import evaluated, named_network

FACTORIES = """\
import torch
from torch import nn


def made(width, bias=True):
    return nn.Linear(4, width, bias)

def failing(width):
    raise KeyError(width)

def refusing(width):
    return nn.Linear(4, -width)

def of_a_list(width):
    return [width]

class Stubborn(nn.Linear):
    def __init__(self, width):
        super().__init__(4, width)

    def load_state_dict(self, state):
        raise AssertionError("no weights for me")

number = 3
"""


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """Module with factories, and a file of weights of one of them."""
    (tmp_path / "their_factories.py").write_text(FACTORIES)
    (tmp_path / "their_typo.py").write_text("def made(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "their_factories", raising=False)
    torch.save(nn.Linear(4, 3).state_dict(), tmp_path / "w.pt")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        (
            "made",
            {},
            "arguments of their_factories:made must be its own, not {}: missing a required "
            "argument: 'width'.",
        ),
        (
            "made",
            {"width": 3, "depth": 2},
            "arguments of their_factories:made must be its own, not {'width': 3, 'depth': 2}: got "
            "an unexpected keyword argument 'depth'.",
        ),
        (
            "made",
            {"width": "3"},
            "their_factories:made must build a network of the arguments {'width': '3'}, but raises "
            "TypeError (",
        ),
        (
            "failing",
            {"width": 3},
            "their_factories:failing must build a network of the arguments {'width': 3}, but "
            "raises KeyError (3) in line 9 of their_factories.py.",
        ),
        (
            "refusing",
            {"width": 3},
            "their_factories:refusing must build a network of the arguments {'width': 3}, but "
            "raises RuntimeError (Trying to create tensor with negative dimension -3: [-3, 4]) in "
            "line 12 of their_factories.py.",
        ),
        (
            "of_a_list",
            {"width": 3},
            "their_factories:of_a_list must return a torch.nn.Module, not a list.",
        ),
        (
            "made",
            {"width": 5},
            "w.pt must hold the weights of their_factories:made, but: Error(s) in loading "
            "state_dict for Linear: size mismatch for weight: ",
        ),
        (
            "made",
            {"width": 3, "bias": False},
            "w.pt must hold the weights of their_factories:made, but: Error(s) in loading "
            'state_dict for Linear: Unexpected key(s) in state_dict: "bias".',
        ),
        (
            "Stubborn",
            {"width": 3},
            "w.pt must hold the weights of their_factories:Stubborn, but: no weights for me.",
        ),
    ],
)
def test_networks_that_cannot_be_had(theirs, name, arguments, sentence):
    with pytest.raises(InputError) as raised:
        own_module(f"their_factories:{name}", arguments, theirs / "w.pt")
    assert str(raised.value).replace(f"{theirs}/", "").startswith(sentence)
    assert str(raised.value).endswith(".")


def test_a_long_list_of_weights_is_cut(theirs):
    torch.save({f"layer{index}.weight": torch.ones(1) for index in range(500)}, theirs / "w.pt")
    with pytest.raises(InputError) as raised:
        own_module("their_factories:made", {"width": 3}, theirs / "w.pt")
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize(
    ("factory", "sentence"),
    [
        (
            "their_factories:number",
            "factory must be a function or a class, but 'their_factories:number' is an int.",
        ),
        (
            "their_typo:made",
            "factory must be importable, but 'their_typo:made' raises SyntaxError (invalid syntax "
            "(their_typo.py, line 1)).",
        ),
    ],
)
def test_factories_that_are_none(theirs, factory, sentence):
    with pytest.raises(InputError) as raised:
        imported_factory(factory)
    assert str(raised.value) == sentence


def test_classes_are_factories(theirs):
    module = own_module("torch.nn:Linear", {"in_features": 4, "out_features": 3}, theirs / "w.pt")
    assert torch.equal(module.weight, torch.load(theirs / "w.pt", weights_only=True)["weight"])


class Asking(nn.Linear):
    """A module that fails in its own code."""

    def forward(self, inputs):
        raise LookupError(f"no {inputs.shape[1]} features")


def test_the_row_of_a_network_that_fails_is_named():
    data = torch.zeros(2, 4), torch.tensor([0, 1])
    with pytest.raises(InputError) as raised, named_network("A", 3, "runs.csv"):
        evaluated(Asking(4, 2), "A", 3, data, data)
    assert str(raised.value) == (
        "runs.csv, group A, seed 3: evaluation on train needs networks that map a batch of inputs "
        "to logits, not an Asking, which fails at inputs of shape (1, 4) (no 4 features)."
    )
    with pytest.raises(KeyError), named_network("A", 3, "runs.csv"):
        raise KeyError

"""Layers of any module, as similarities are given them."""

import re

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

import generalization
from generalization.errors import InputError
from generalization.module_layers import layer_activations, layer_names, samples_by_units


@pytest.fixture
def inputs():
    return torch.randn(20, 5, 4, generator=torch.Generator().manual_seed(0))


class Reading(nn.Module):
    """Applies a function, then layers."""

    def __init__(self, function, *layers):
        super().__init__()
        self.function, self.body = function, nn.Sequential(*layers)

    def forward(self, x):
        return self.body(self.function(x))


def activations(module, inputs):
    return layer_activations(module, layer_names(module, None), inputs, batch_size=7)


def test_weights_that_are_made_of_others_are_no_layers():
    layer = weight_norm(nn.Linear(4, 3))
    assert layer_names(nn.Sequential(layer, nn.ReLU()), None) == ["0", "1"]
    assert layer_names(layer, None) == [""]


def test_units_of_tokens_are_on_the_last_axis(inputs):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.LayerNorm(6))
    found = activations(module, inputs)
    assert {name: tuple(one.shape) for name, one in found.items()} == dict.fromkeys(
        "012", (20, 6, 5)
    )
    table = generalization.compare(
        module, module, inputs, layers=["1"], other_layers=["0"], similarities="linear_cka"
    )
    linear = module[0](inputs).detach().flatten(0, 1)
    expected = generalization.linear_cka(nn.functional.gelu(linear), linear).value
    assert table["value"].item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("layers", "shapes"),
    [
        ((nn.Conv1d(5, 7, 3), nn.ReLU()), [(20, 7, 2), (20, 7, 2)]),
        ((nn.Identity(), nn.Tanh()), [None, None]),  # Until a layer tells.
        ((nn.BatchNorm1d(5), nn.ReLU()), [(20, 5, 4), (20, 5, 4)]),
        (
            (nn.Unflatten(1, (5, 1)), nn.Linear(4, 3), nn.GELU()),
            [None, *[(20, 3, 5, 1)] * 2],
        ),
        (
            (nn.Unflatten(1, (5, 1)), nn.Conv2d(5, 2, 1), nn.ReLU()),
            [None, *[(20, 2, 1, 4)] * 2],
        ),
    ],
)
def test_other_layers_have_their_units_where_the_last_that_tells_has_them(inputs, layers, shapes):
    found = activations(nn.Sequential(*layers), inputs)
    assert [one if one is None else tuple(one.shape) for one in found.values()] == shapes


def test_layers_without_activations_of_every_input_are_left_out(inputs):
    relu = nn.ReLU()
    module = nn.Sequential(nn.Flatten(), nn.Linear(20, 4), relu, relu, nn.Flatten(0))
    assert list(activations(module, inputs)) == ["0", "1"]


def test_positions_that_only_one_has_are_averaged():
    maps = torch.randn(6, 3, 2, 2)
    a, b = samples_by_units(maps, torch.randn(6, 5))
    assert a.shape == (6, 3) and b.shape == (6, 5)
    assert torch.allclose(a, maps.mean((2, 3)))
    assert samples_by_units(maps, maps)[0].shape == (24, 3)


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (
            Reading(lambda x: x - x.mean(0), nn.Linear(4, 3)),
            "networks must have layers whose activations are those of single inputs in eval mode, "
            "not 'body.0' of Reading, whose activations change with the other inputs.",
        ),
        (
            nn.LSTM(4, 3, batch_first=True),
            "networks must have layers that are used once and return a tensor, not an LSTM "
            "without.",
        ),
        (
            nn.Sequential(nn.Linear(3, 3)),
            "networks must map a batch of inputs to logits, not fail as a Sequential does at "
            "inputs of shape (1, 5, 4) (mat1 and mat2 shapes cannot be multiplied (5x4 and 3x3)).",
        ),
    ],
)
def test_modules_without_layers_of_single_inputs_are_refused(inputs, module, sentence):
    for names, chosen in (("svcca", "svcca"), ("mean_cca, linear_cka", ["mean_cca", "linear_cka"])):
        with pytest.raises(InputError, match=f"^{re.escape(f'{names}: {sentence}')}$"):
            generalization.compare(module, module, inputs, similarities=chosen)


def test_layers_of_a_wrapped_module_are_those_of_what_is_wrapped(inputs):
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU())
    found, expected = (
        generalization.compare(one, one, inputs, similarities="linear_cka")
        for one in (nn.DataParallel(module), module)
    )
    assert found.equals(expected)


def test_layers_in_a_script_have_no_hooks(inputs):
    script = torch.jit.script(nn.Sequential(nn.Linear(4, 6), nn.ReLU()))
    module = nn.Sequential(script, nn.Linear(6, 3))
    assert layer_names(module, None) == ["1"]
    assert list(activations(module, inputs)) == ["1"]
    with pytest.raises(InputError) as raised:
        layer_names(module, ["0.1"])
    assert str(raised.value) == (
        "layers must be written in Python for hooks, not in TorchScript as '0.1' is."
    )


def test_layers_below_a_function_that_vmap_maps_are_not_mistaken(inputs):
    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(4, 6), nn.ReLU())
    module = Reading(lambda x: torch.func.vmap(body)(x), nn.ReLU(), nn.Linear(6, 3))
    found = activations(module, inputs)
    assert found.pop("body.1").shape == (20, 3, 5)
    assert found == {"body.0": None}


def test_a_compared_module_is_left_as_it_was(inputs):
    module = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(5)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    generalization.compare(module, module, inputs)
    assert module[1].training and not module[0]._forward_hooks
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())

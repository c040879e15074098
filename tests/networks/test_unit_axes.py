"""Units are found where the layer that makes them has them, wherever they are moved after it."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.models import convnext, shufflenetv2, swin_transformer, vision_transformer
from torchvision.ops import Permute

import generalization
from generalization.module_layers import layer_activations
from generalization.networks.activation_functions import MODULES
from generalization.networks.unit_axes import unit_axes

IMAGES, TOKENS = (6, 3, 4, 4), (6, 4, 4)  # As many tokens as units: sizes tell nothing.


def points(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


class Applying(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


def axis_after(layer, function, inputs):
    """Axis of the units of what a function makes of a layer, counted from the first."""
    torch.manual_seed(0)
    module = nn.Sequential(layer, Applying(function)).eval()
    found = unit_axes(module, ["1"], inputs[:1])
    return found["1"] % module(inputs[:1]).dim() if found else None


def convolution():
    return nn.Conv2d(3, 4, 3, padding=1)


ACTIVATIONS = [entry.kind for entry in MODULES] + [nn.Dropout, nn.Identity, nn.Hardswish]


@pytest.mark.parametrize("kind", ACTIVATIONS, ids=lambda kind: kind.__name__)
def test_activation_functions_leave_units_where_they_are(kind):
    made = kind(0.1, 0.2) if kind is nn.Threshold else kind()
    assert axis_after(convolution(), made, points(*IMAGES)) == 1
    assert axis_after(nn.Linear(4, 4), made, points(*TOKENS)) == 2


@pytest.mark.parametrize(
    ("function", "axis"),
    [
        (lambda h: h.permute(0, 2, 3, 1), 3),
        (lambda h: h.movedim(1, 2), 2),
        (lambda h: h.transpose(1, 3), 3),
        (lambda h: h.flatten(2), 1),
        (lambda h: h.flatten(2).mT, 2),
        (lambda h: h.reshape(-1, 4, 2, 8), 1),
        (lambda h: torch.cat([h, 2 * h], 1), 1),
        (lambda h: torch.cat([h.new_zeros(len(h), 1, 4), h.flatten(2).mT], 1), 2),
        (lambda h: h.chunk(2, 1)[1], 1),
        (lambda h: h[:, :, ::2], 1),
        (lambda h: h + h.mean((2, 3), keepdim=True), 1),
        (lambda h: h * torch.sigmoid(h.mean((2, 3)))[:, :, None, None], 1),
        (lambda h: h * (h > 0), 1),
        (lambda h: h.clone().mul_(2).relu_(), 1),
        (lambda h: h.softmax(1), 1),
        (lambda h: functional.normalize(h, dim=1), 1),
        (lambda h: functional.layer_norm(h, h.shape[1:]), 1),
        (lambda h: functional.layer_norm(h.permute(0, 2, 3, 1), [4]).permute(0, 3, 1, 2), 1),
        (lambda h: functional.linear(h, torch.eye(4)), 3),
        (lambda h: h.flatten(2).mT @ torch.eye(4), 2),
        (lambda h: torch.eye(16) @ h.flatten(2).mT, 2),
        (lambda h: functional.max_pool2d(h, 2), 1),
        (lambda h: functional.interpolate(h, scale_factor=2), 1),
        (lambda h: functional.pixel_shuffle(h, 2), 1),
        (lambda h: h[:, :1].sigmoid(), None),  # One of four: positions might be units as well.
        (lambda h: h.reshape(-1, 2, 2, 16), None),  # Split over two axes.
        (lambda h: h.flatten(2) @ h.flatten(2).mT, None),
        (lambda h: h.flatten(2).mT @ h.flatten(2), None),
        (lambda h: h.flatten(2) @ torch.eye(16), None),
        (lambda h: torch.einsum("nchw,cd->ndhw", h, torch.eye(4)), None),
        (lambda h: h.transpose(0, 1), None),
        (lambda h: torch.from_numpy(h.numpy()), None),
    ],
)
def test_units_are_followed_or_not_known(function, axis):
    assert axis_after(convolution(), function, points(*IMAGES)) == axis


LAYERS = [
    (nn.Conv1d(4, 4, 1), TOKENS, 1),
    (nn.ConvTranspose1d(4, 4, 1), TOKENS, 1),
    (nn.BatchNorm1d(4), TOKENS, 1),
    (nn.InstanceNorm1d(4), TOKENS, 1),
    (nn.GroupNorm(2, 4), TOKENS, 1),
    (nn.MaxPool1d(2), TOKENS, 1),
    (nn.AdaptiveAvgPool1d(2), TOKENS, 1),
    (nn.Linear(4, 4), TOKENS, 2),
    (nn.LayerNorm(4), TOKENS, 2),
    (nn.RMSNorm(4), TOKENS, 2),
    (nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), TOKENS, 2),
    (convnext.LayerNorm2d(3), IMAGES, 1),
    (nn.Sequential(nn.Conv2d(3, 4, 1), convnext.LayerNorm2d(4)), IMAGES, 1),
    (nn.ReLU(), IMAGES, None),  # Units of inputs are not known, unless there are no positions.
    (nn.Linear(4, 4), (6, 4), 1),
    (nn.Tanh(), (6, 4), 1),
]


@pytest.mark.parametrize(("layer", "shape", "axis"), LAYERS)
def test_layers_tell_where_their_units_are(layer, shape, axis):
    module = nn.Sequential(layer).eval()
    inputs = points(*shape)[:1]
    found = unit_axes(module, ["0"], inputs)
    assert (found["0"] % module(inputs).dim() if found else None) == axis


def test_one_unit_has_the_axis_that_the_layer_told():
    assert axis_after(nn.Conv2d(3, 1, 1), torch.sigmoid, points(*IMAGES)) == 1


NETWORKS = {
    "convnext": lambda: convnext.ConvNeXt([convnext.CNBlockConfig(8, None, 2)], num_classes=3),
    "swin": lambda: swin_transformer.SwinTransformer([4, 4], 8, [2], [2], [2, 2], num_classes=3),
    "vision transformer": lambda: vision_transformer.VisionTransformer(16, 4, 1, 2, 8, 16),
    "shufflenet": lambda: shufflenetv2.ShuffleNetV2([1, 1, 1], [8, 8, 8, 8, 8], num_classes=3),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_of_known_networks_have_as_many_units_as_they_were_made_with(name):
    torch.manual_seed(0)
    module, inputs = NETWORKS[name]().eval(), points(2, 3, 16, 16)
    sizes = {nn.Conv2d: "out_channels", nn.Linear: "out_features", nn.BatchNorm2d: "num_features"}
    parts = {key: sizes.get(type(one)) for key, one in module.named_modules()}
    found = layer_activations(module, [key for key, size in parts.items() if size], inputs, 2)
    assert len(found) > 3
    for key, layer in found.items():
        assert layer.shape[1] == getattr(module.get_submodule(key), parts[key])


MOVES = {
    "permute": (Permute([0, 2, 3, 1]), lambda h: h.permute(0, 3, 1, 2)),
    "layer norm": (convnext.LayerNorm2d(4), lambda h: h),
    "flatten": (nn.Flatten(2), lambda h: h),
}


@pytest.mark.parametrize("name", MOVES)
def test_similarities_are_those_of_units_that_are_moved_by_hand(name):
    layer, moved_back = MOVES[name]
    torch.manual_seed(0)
    module, inputs = nn.Sequential(convolution(), layer).eval(), points(40, 3, 4, 4)
    table = generalization.compare(
        module, module, inputs, layers=["0"], other_layers=["1"], similarities="linear_cka"
    )
    with torch.no_grad():
        a, b = module[0](inputs), moved_back(module(inputs))
    if a.shape == b.shape:  # Every position is a sample.
        a, b = (one.flatten(2).mT.flatten(0, 1) for one in (a, b))
    else:
        a, b = (one.flatten(2).mean(2) for one in (a, b))
    expected = generalization.linear_cka(a, b).value
    assert table["value"].item() == pytest.approx(expected, rel=1e-5)
    assert table["samples"].item() == len(a)
    if name != "layer norm":
        assert expected == pytest.approx(1)


def test_a_permutation_in_a_convnext_changes_no_similarity():
    torch.manual_seed(0)
    module, inputs = NETWORKS["convnext"]().eval(), points(60, 3, 16, 16)
    block = "features.1.0.block"
    table = generalization.compare(
        *(module, module, inputs),
        layers=[f"{block}.5"],
        other_layers=[f"{block}.6"],
        similarities="linear_cka",
    )
    assert table["value"].item() == pytest.approx(1)
    assert table["samples"].item() == 960


def test_a_layer_whose_units_are_not_known_is_a_row_that_says_so():
    module = nn.Sequential(nn.ReLU(), nn.Conv2d(3, 4, 3))
    table = generalization.compare(module, module, points(*IMAGES), similarities="linear_cka")
    refused = table[(table["layer"] == "0") | (table["other_layer"] == "0")]
    assert len(refused) == 3 and refused["value"].isna().all()
    assert set(refused["status"]) == {"layers must have units on an axis that is known, unlike '0'"}
    assert table.iloc[-1]["value"] == pytest.approx(1)


def test_what_a_function_writes_to_is_as_if_it_were_applied_once():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = convolution()
            self.register_buffer("total", torch.zeros(4))

        def forward(self, x):
            h = self.layer(x)
            self.total.add_(h.mean((0, 2, 3)))
            return h

    module = Counting().eval()
    unit_axes(module, ["layer"], points(*IMAGES)[:1])
    with torch.no_grad():
        expected = module.layer(points(*IMAGES)[:1]).mean((0, 2, 3))
    assert torch.allclose(module.total, expected)
    assert not any(hasattr(one, "_unit_axis") for one in module.parameters())

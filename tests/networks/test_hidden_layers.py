import pytest
import torch
from oracles.made_up import kept
from oracles.softmax_jacobian import random_networks
from torch import nn
from torch.testing import assert_close

from generalization.errors import InputError
from generalization.measures.features import davies_bouldin_index, davies_bouldin_mixup
from generalization.networks.batch_normalization import BatchNormalization
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.hidden_layers import (
    first_hidden_layer,
    hidden_activations,
    layer_maps,
    network_modules,
    unit_activations,
)
from generalization.networks.sequences import sequence_of


def points(count, features):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, features, generator=generator, dtype=torch.float64)


def inputs(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("activation", ["relu", "relu6", "tanh", "hardtanh"])
def test_stack_and_its_modules_have_the_same(activation):
    networks = random_networks((9, 7, 8, 4), activation, count=2, biases=True)
    inputs = points(5, 9)
    layers = hidden_activations(networks, inputs)
    assert [layer.shape for layer in layers] == [(2, 5, 7), (2, 5, 8)]
    for member, network in enumerate(networks):
        for layer, of_module in zip(
            layers, hidden_activations(sequence_of(network), inputs), strict=True
        ):
            assert_close(layer[member], of_module[0])


def test_definition():
    networks, inputs = random_networks((9, 7, 8, 4)), points(5, 9)
    first = (inputs @ networks.weights[0][0].T).relu()
    second = (first @ networks.weights[1][0].T).relu()
    assert_close(hidden_activations(networks, inputs), [first[None], second[None]])


def test_normalizations_take_part():
    networks, inputs = random_networks((9, 7, 4)), points(5, 9)
    parts = (torch.full((1, 7), value).double() for value in (2.0, 1.0, 0.5, 4.0))
    normalized = FullyConnectedNetworks(
        networks.weights, "relu", normalizations=(BatchNormalization(*parts),)
    )
    plain, layer = (hidden_activations(one, inputs)[0] for one in (normalized.folded(), normalized))
    assert_close(layer, plain)


def test_convolutions_keep_positions_in_eval_mode_and_left_as_they_were():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Dropout(), nn.MaxPool2d(2)),
        nn.Flatten(),
        nn.Linear(12, 5),
        nn.Tanh(),
        nn.Linear(5, 4),
    )
    layers = hidden_activations(module, torch.randn(2, 1, 6, 6))
    assert [layer.shape for layer in layers] == [(1, 2, 3, 4, 4), (1, 2, 5)]
    assert module.training
    assert all(not layer.requires_grad for layer in layers)


def test_a_module_is_one_network():
    module = nn.Linear(2, 2)
    assert list(network_modules(module)) == [module]


@pytest.mark.parametrize("activation", ["relu", "tanh", "relu6"])
def test_activations_of_a_stack_are_those_of_its_sequences(activation):
    networks = random_networks((9, 7, 8, 4), activation, count=2, biases=True)
    found = unit_activations(networks, inputs(20, 9))
    alone = [unit_activations(sequence_of(network), inputs(20, 9)) for network in networks]
    for layer, of_networks in zip(found, zip(*alone, strict=True), strict=True):
        assert_close(layer, torch.cat(of_networks))


def test_activations_are_after_normalization():
    networks = kept(normalization="batch").networks[0].to(torch.float64)
    found = unit_activations(networks, inputs(20, 6))
    for layer, expected in zip(found, networks.preactivations(inputs(20, 6)), strict=False):
        assert_close(layer, networks.phi.function(expected))


def test_feature_maps_are_averaged_over_positions():
    network = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(48, 5), nn.ReLU()
    ).double()
    images = inputs(1500, 1, 6, 6)
    maps, hidden = unit_activations(network, images)
    with torch.no_grad():
        assert_close(maps[0], network[:2](images).mean((2, 3)))
        assert_close(hidden[0], network(images))


def test_pieces_are_the_network_in_order():
    network = nn.Sequential(
        nn.Sequential(nn.Linear(4, 5), nn.ReLU()), nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 2)
    ).double()
    pieces = layer_maps(network)
    assert [len(piece) for piece in pieces] == [2, 2, 1]
    assert_close(nn.Sequential(*pieces)(inputs(3, 4)), network(inputs(3, 4)))


class Beginning(nn.Module):
    """Begins with any function of feature maps, before a hidden layer of its own."""

    def __init__(self, function):
        super().__init__()
        self.one, self.other = (nn.Conv2d(1, 4, 3, padding=1) for _ in range(2))
        self.gate, self.hidden, self.head = nn.Linear(4, 4), nn.Linear(4, 5), nn.Linear(5, 3)
        self.function = function

    def forward(self, x):
        features = self.function(self, x).mean((2, 3))
        return self.head(self.hidden(features).relu())


def stem(net, x):
    return net.one(x).relu()


def squeezed(net, x):
    """Multiplies channels by a gate that is computed from them."""
    features = stem(net, x)
    return features * net.gate(features.mean((2, 3))).sigmoid()[:, :, None, None]


def gate_first(net, x):
    """Computes the gate from other features before."""
    gate = net.gate(net.other(x).mean((2, 3))).sigmoid()[:, :, None, None]
    return net.one(x).relu() * gate


def before_its_shortcut(net, x):
    """Applies the activation function within the branch of a residual block."""
    features = net.one(x)
    return features + features.tanh()


WITH_A_FIRST = {
    "stem": stem,
    "residual block": lambda net, x: (h := stem(net, x)) + net.other(h[:, :1]).relu(),
    "gate of channels": squeezed,
    "branches after": lambda net, x: torch.cat([(h := stem(net, x))[:, :2], h[:, 2:].tanh()], 1),
}
WITHOUT_A_FIRST = {
    "gate": gate_first,
    "branches": lambda net, x: net.one(x).relu() + net.other(x).tanh(),
    "branches side by side": lambda net, x: torch.cat(
        [net.one(x)[:, :2].relu(), net.other(x)[:, :2].tanh()], 1
    ),
    "shortcut": lambda net, x: net.one(x).relu() + x,
    "residual block that begins with it": before_its_shortcut,
}


def beginning(function):
    torch.manual_seed(0)
    return Beginning(function).double().eval()


@pytest.mark.parametrize("kind", WITH_A_FIRST)
def test_the_first_hidden_layer_is_what_all_else_is_computed_from(kind):
    module, images = beginning(WITH_A_FIRST[kind]), inputs(20, 1, 4, 4)
    expected = module.one(images).relu().mean((2, 3))
    assert_close(first_hidden_layer(module, images)[0], expected.detach())


@pytest.mark.parametrize("measure", [davies_bouldin_index, davies_bouldin_mixup])
@pytest.mark.parametrize("kind", WITHOUT_A_FIRST)
def test_what_has_no_first_hidden_layer_is_refused(kind, measure):
    module, images = beginning(WITHOUT_A_FIRST[kind]), inputs(20, 1, 4, 4)
    with pytest.raises(InputError) as raised:
        measure(module, images, torch.arange(20) % 3)
    assert str(raised.value) == (
        f"{measure.__name__}: networks must compute their logits from what their first activation "
        "function returns alone, not past it as a Beginning does, whose first hidden layer is not "
        "known."
    )

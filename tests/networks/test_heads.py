"""The last hidden layer is what enters the head, whatever has made it."""

import math
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch import Generator, nn
from torch.func import jacrev
from torch.nn import functional
from torch.testing import assert_close

from generalization.errors import InputError
from generalization.measures.features import davies_bouldin_index, effective_rank, neural_collapse
from generalization.measures.noise_cloud_slope import noise_cloud_slope
from generalization.measures.noise_to_signal_slope import noise_to_signal_slope
from generalization.networks.heads import entering_head
from generalization.networks.hidden_layers import hidden_activations, last_hidden_layer
from generalization.networks.sequences import sequence_of
from generalization.seen_in_networks import SEEN


class Network(nn.Module):
    """Two feature maps of 4 × 4 pixels, features that a function makes of them, and a head."""

    def __init__(self, features, units, head=lambda net, h: net.head(h)):
        super().__init__()
        self.maps, self.mix = nn.Conv2d(1, 2, 3, padding=1), nn.Linear(32, units)
        self.gate, self.squeeze = nn.Linear(32, units), nn.Conv2d(2, 2, 1)
        self.batch_norm, self.layer_norm = nn.BatchNorm1d(units), nn.LayerNorm(units)
        self.head, self.one_by_one = nn.Linear(units, 3), nn.Conv2d(2, 3, 1)
        self.lstm, self.whole = nn.LSTM(4, units, batch_first=True), nn.Conv2d(2, 3, 4)
        self.features, self.last = features, head

    def forward(self, x):
        return self.last(self, self.features(self, x))


def hidden(net, x):
    return torch.relu(net.maps(x))


def mixed(net, x):
    return torch.relu(net.mix(hidden(net, x).flatten(1)))


def squeezed(net, x):
    maps = hidden(net, x)
    return maps * torch.sigmoid(net.squeeze(maps.mean((2, 3), keepdim=True)))


def gated(net, x):
    flat = hidden(net, x).flatten(1)
    return net.mix(flat) * functional.silu(net.gate(flat))


def with_shortcut(net, x):
    flat = hidden(net, x).flatten(1)
    return net.mix(flat) + torch.relu(net.gate(flat))


def by_numpy(net, x):
    return torch.from_numpy(np.tanh(net.mix(hidden(net, x).flatten(1)).detach().numpy()))


FEATURES = {
    "relu": (5, mixed),
    "squeeze and excitation": (2, lambda net, x: squeezed(net, x).mean((2, 3))),
    "gated linear unit": (5, gated),
    "shortcut": (5, with_shortcut),
    "maximum pooling": (8, lambda net, x: functional.max_pool2d(hidden(net, x), 2).flatten(1)),
    "flat maps": (32, lambda net, x: hidden(net, x).flatten(1)),
    "pooled maps": (2, lambda net, x: functional.adaptive_avg_pool2d(hidden(net, x), 1).flatten(1)),
    "dropout": (5, lambda net, x: functional.dropout(mixed(net, x), 0.5, net.training)),
    "batch normalization": (5, lambda net, x: net.batch_norm(mixed(net, x))),
    "layer normalization": (5, lambda net, x: net.layer_norm(mixed(net, x))),
    "recurrent": (5, lambda net, x: net.lstm(x[:, 0])[0][:, -1]),
    "linear": (5, lambda net, x: net.mix(net.maps(x).flatten(1))),
    "numpy": (5, by_numpy),
}
HEADS = {
    "layer": lambda net, h: net.head(h),
    "function": lambda net, h: functional.linear(weight=net.head.weight, input=h),
    "product": lambda net, h: h @ net.head.weight.T + net.head.bias,
    "sum of products": lambda net, h: torch.addmm(net.head.bias, h, net.head.weight.T),
    "logarithms": lambda net, h: functional.log_softmax(net.head(h), 1),
    "temperature": lambda net, h: net.head(h) / 2 - torch.ones(3),
    "centered": lambda net, h: (out := net.head(h)) - out.mean(1, keepdim=True),
    "capped": lambda net, h: 5 * torch.tanh(net.head(h) / 5),
    "in place": lambda net, h: net.head(h).mul_(3),
    "in pieces": lambda net, h: torch.cat([net.head(h)[:, :1], net.head(h)[:, 1:]], 1),
}
# Maps and tokens that a head is applied to at all positions, and the mean or all of them.
OF_POSITIONS = {
    "tokens": (
        lambda net, x: hidden(net, x).flatten(2).mT,
        lambda net, h: functional.linear(h, net.head.weight).mean(1),
        lambda h: h.mean(1),
    ),
    "maps": (
        hidden,
        lambda net, h: functional.adaptive_avg_pool2d(net.one_by_one(h), 1).flatten(1),
        lambda h: h.mean((2, 3)),
    ),
    "whole maps": (hidden, lambda net, h: net.whole(h).flatten(1), lambda h: h.flatten(1)),
}


def images(count=30):
    return torch.randn(count, 1, 4, 4, generator=Generator().manual_seed(0))


def network(*parts):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        module = Network(*parts)
        module.batch_norm.running_mean.normal_()
        module.batch_norm.weight.data.normal_()
        return module.eval()


def features(module, inputs):
    with torch.no_grad():
        return module.features(module, inputs)


@pytest.mark.parametrize("kind", FEATURES)
def test_what_enters_the_head_is_the_last_hidden_layer(kind):
    units, make = FEATURES[kind]
    module, inputs = network(make, units), images()
    expected = features(module, inputs)
    assert_close(last_hidden_layer(module, inputs), expected[None])
    shares = torch.linalg.svdvals(expected.double())
    shares /= shares.sum()
    entropy = -(shares * shares.log()).sum().item()
    assert effective_rank(module, inputs).item() == pytest.approx(math.exp(entropy), rel=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_the_head_is_found_however_it_is_written(head):
    module, inputs = network(gated, 5, HEADS[head]), images()
    assert_close(last_hidden_layer(module, inputs)[0], features(module, inputs))


@pytest.mark.parametrize("kind", OF_POSITIONS)
def test_positions_are_averaged_where_logits_are(kind):
    make, head, pooled = OF_POSITIONS[kind]
    module, inputs = network(make, 2, head), images()
    assert_close(last_hidden_layer(module, inputs)[0], pooled(features(module, inputs)))


def test_measures_are_of_what_enters_the_head_and_not_of_a_gate():
    module, inputs = network(*FEATURES["squeeze and excitation"][::-1]).double(), images().double()
    expected, labels = features(module, inputs), torch.arange(len(inputs)) % 3
    means = torch.stack([expected[labels == k].mean(0) for k in range(3)])
    within = (expected - means[labels]).T @ (expected - means[labels]) / len(labels)
    between = (means - means.mean(0)).T @ (means - means.mean(0)) / 3
    collapse = (within @ torch.linalg.pinv(between, rtol=1e-10)).trace() / 3
    found = neural_collapse(module, inputs, labels)
    assert found.item() == pytest.approx(collapse.item(), rel=1e-6)
    few = inputs[:3]
    ratios = []
    for image, h in zip(few, expected, strict=False):
        jacobian = jacrev(lambda x: module.features(module, x[None])[0])(image).flatten(1)
        across = jacobian - torch.outer(h, h @ jacobian) / h.square().sum()
        ratios.append(across.square().sum() / h.square().sum())
    at_input = 15 / few.flatten(1).square().sum(1)
    slopes = (torch.stack(ratios).detach() / at_input).log() / 2
    assert_close(noise_to_signal_slope(module, few)[0], slopes)
    drawn = {"noise_std": 1e-5, "copies": 20_000}
    clouds = noise_cloud_slope(module, few, Generator().manual_seed(0), **drawn)
    assert_close(clouds[0], slopes, rtol=0, atol=0.02)


def test_the_last_layer_is_known_where_the_first_is_not():
    module, inputs = network(gated, 5), images()
    labels = torch.arange(len(inputs)) % 3
    assert neural_collapse(module, inputs, labels).isfinite()
    with pytest.raises(InputError, match=r"^davies_bouldin_index: networks must have activation"):
        davies_bouldin_index(module, inputs, labels)


NOT_ONE_HEAD = {
    "two branches": lambda net, h: net.head(h) + net.whole(h.view(-1, 2, 4, 4)).flatten(1),
    "shortcut": lambda net, h: net.head(h) + h[:, :3],
    "gate": lambda net, h: net.head(h) * torch.sigmoid(h[:, :3]),
    "written": lambda net, h: write(net.head(h), h),
    "distances": lambda net, h: -torch.cdist(h, net.head.weight),
    "units": lambda net, h: h[:, :3],
}


def write(logits, h):
    logits[:, 0] = h[:, 0]
    return logits


@pytest.mark.parametrize("kind", NOT_ONE_HEAD)
def test_logits_of_more_than_one_linear_layer_are_refused(kind):
    module = network(lambda net, x: hidden(net, x).flatten(1), 32, NOT_ONE_HEAD[kind])
    sentence = (
        "networks must compute their logits by one linear layer from a hidden layer, not as a "
        "Network does."
    )
    with pytest.raises(InputError, match=f"^effective_rank: {sentence}$"):
        effective_rank(module, images())


@pytest.mark.parametrize("prepare", [lambda x: x, lambda x: (x - 0.1) / 0.3])
def test_inputs_are_no_hidden_layer(prepare):
    module = network(lambda net, x: prepare(x).flatten(1), 16)
    with pytest.raises(InputError, match="by one linear layer from a hidden layer, not as a Net"):
        effective_rank(module, images())
    deep = nn.Sequential(nn.Flatten(), nn.Linear(16, 4), nn.Linear(4, 3))
    assert_close(last_hidden_layer(deep, images())[0], deep[1](images().flatten(1)).detach())


def test_logits_that_are_chosen_among_positions_are_refused():
    def first(net, h):
        return net.head(h)[:, 0]

    module = network(lambda net, x: hidden(net, x).flatten(2).mT, 2, first)
    with pytest.raises(InputError, match=r"^effective_rank: networks must average the logits of"):
        effective_rank(module, images())


def test_stacks_have_the_layer_of_their_modules():
    networks = random_networks((16, 7, 5, 3), "tanh", count=2, biases=True)
    inputs = images().flatten(1).double()
    found = last_hidden_layer(networks, inputs)
    assert_close(found, hidden_activations(networks, inputs)[-1])
    for member, network in enumerate(networks):
        assert_close(last_hidden_layer(sequence_of(network), inputs)[0], found[member])
    data = SimpleNamespace(test_inputs=inputs)
    assert_close(SEEN["features"](networks, data, 9), found[:, :9])


class Deep(nn.Module):
    """Many layers, of which weak references tell which inputs are alive when the last is called."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(16, 16) for _ in range(6)])
        self.entered, self.alive = [], 0

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
            self.entered.append(weakref.ref(x))
        self.alive = sum(one() is not None for one in self.entered)
        return x


def test_no_layer_keeps_those_below_it():
    module = Deep()
    with torch.no_grad():
        entering_head(module, torch.randn(2, 16))
    assert module.alive <= 2
    assert not any(map(vars, module.parameters()))

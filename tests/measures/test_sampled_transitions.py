from itertools import pairwise

import pytest
import torch
from oracles.transitions import dense_transitions
from torch import Generator, nn

from generalization.devices import BUDGETS, Budget
from generalization.measures.sampled_transitions import (
    sampled_transitions,
    sampled_transitions_per_layer,
)
from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS
from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)

DOUBLE = torch.float64


def random_networks(widths, activation, count=1):
    """Float64 networks with random biases."""
    generators = [Generator().manual_seed(number) for number in range(count)]
    networks = initialize_fully_connected(widths, activation, generators, init_scale=3)
    biases = tuple(torch.randn(count, units, generator=generators[0]) for units in widths[1:])
    return FullyConnectedNetworks(networks.weights, activation, biases).to(DOUBLE)


def random_images(count, *shape):
    return torch.randn(count, *shape, generator=Generator().manual_seed(0)).double()


def as_module(network, activation):
    """A stack of one as ``torch.nn`` would write it."""
    parts = [nn.Flatten()]
    for weight, bias in zip(network.weights, network.biases, strict=True):
        linear = nn.Linear(weight.shape[2], weight.shape[1], dtype=DOUBLE)
        linear.weight.data, linear.bias.data = weight[0], bias[0]
        parts += [linear, activation]
    return nn.Sequential(*parts[:-1])


@pytest.mark.parametrize("points", [2, 3, 64, 1000])
@pytest.mark.parametrize("activation", ACTIVATION_FUNCTIONS)
def test_counts_are_those_of_the_definition(activation, points):
    networks = random_networks((24, 9, 8, 2), activation, count=2)
    images = random_images(3, 2, 3, 4)
    counts = sampled_transitions_per_layer(networks, images, grid_points=points, dtype=DOUBLE)
    for network, of_network in zip(networks, counts, strict=True):
        weights, biases = ([p[0].numpy() for p in ps] for ps in (network.weights, network.biases))
        for image, count in zip(images, of_network, strict=True):
            expected = dense_transitions(weights, biases, activation, image.numpy(), points)
            assert count.tolist() == expected
    assert torch.equal(
        sampled_transitions(networks, images, grid_points=points, dtype=DOUBLE), counts.sum(dim=2)
    )


@pytest.mark.parametrize("numbers", [1, 100, 10_000])
def test_counts_do_not_depend_on_the_blocks(monkeypatch, numbers):
    networks = random_networks((24, 9, 8, 2), "hardtanh")
    images = random_images(5, 2, 3, 4)
    whole = sampled_transitions(networks, images, grid_points=50, dtype=DOUBLE)
    monkeypatch.setitem(BUDGETS, "activations", Budget(4 * numbers, 4 * numbers))
    assert torch.equal(sampled_transitions(networks, images, grid_points=50, dtype=DOUBLE), whole)


@pytest.mark.parametrize("activation", ACTIVATION_FUNCTIONS)
def test_count_never_falls_when_points_double(activation):
    networks = random_networks((25, 20, 20, 2), activation)
    images = random_images(5, 1, 5, 5)
    counts = [
        sampled_transitions(networks, images, grid_points=2**power, dtype=DOUBLE)
        for power in range(1, 10)
    ]
    for coarse, fine in pairwise(counts):
        assert (coarse <= fine).all()
    assert (counts[0] < counts[-1]).all()


@pytest.mark.parametrize(
    ("activation", "part"),
    [
        ("relu", nn.ReLU(inplace=True)),
        ("relu6", nn.ReLU6()),
        ("tanh", nn.Tanh()),
        ("hardtanh", nn.Hardtanh(inplace=True)),
    ],
)
def test_module_counts_as_the_network_that_it_is(activation, part):
    network = random_networks((24, 9, 8, 2), activation)
    images = random_images(3, 2, 3, 4)
    module = as_module(network, part)
    counts = sampled_transitions_per_layer(module, images, grid_points=64, dtype=DOUBLE)
    expected = sampled_transitions_per_layer(network, images, grid_points=64, dtype=DOUBLE)
    assert torch.equal(counts, expected)
    assert (counts > 0).all()


def test_convolution_counts_sign_changes_of_its_feature_maps():
    # The kernel is the identity, and a loop moves every pixel through all pixels of its row.
    module = nn.Sequential(
        nn.Conv2d(1, 2, 1, bias=False), nn.LeakyReLU(), nn.Flatten(), nn.Linear(40, 2)
    )
    module[0].weight.data.fill_(1)
    images = random_images(3, 1, 4, 5)
    changes = (images.sign() != images.roll(1, dims=-1).sign()).sum(dim=(1, 2, 3))
    assert torch.equal(sampled_transitions(module, images, grid_points=500)[0], 10.0 * changes)


def test_module_is_evaluated_in_eval_mode_and_left_unchanged():
    layers = nn.Dropout(0.9), nn.Linear(16, 8), nn.Hardsigmoid(), nn.Linear(8, 2)
    module = nn.Sequential(nn.Flatten(), *layers)
    images = random_images(3, 1, 4, 4)
    counts = sampled_transitions(module, images, grid_points=64)
    assert torch.equal(sampled_transitions(module.eval(), images, grid_points=64), counts)
    assert module.train()[1].training
    assert module[2].weight.dtype == torch.float32
    assert not module[3]._forward_pre_hooks


def test_network_without_hidden_layers_has_no_transitions():
    networks = random_networks((16, 2), "relu")
    assert sampled_transitions(networks, random_images(3, 1, 4, 4)).tolist() == [[0, 0, 0]]


def test_diverged_module_has_no_count():
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))
    module[1].weight.data.fill_(torch.nan)
    sentence = (
        "sampled_transitions needs networks with finite logits, not a Sequential, whose logits are "
        "not finite at 2 of 2 inputs."
    )
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        sampled_transitions(module, random_images(2, 1, 4, 4), grid_points=8)


def test_one_point_is_refused():
    with pytest.raises(ValueError, match=r"^grid_points must be at least 2, not 1\.$"):
        sampled_transitions(
            random_networks((4, 2, 2), "relu"), random_images(1, 1, 2, 2), grid_points=1
        )


def test_activation_without_thresholds_is_refused():
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3), nn.GELU())
    sentence = (
        r"^sampled_transitions: networks must have activation modules of known thresholds \(ReLU, "
        r"LeakyReLU, PReLU, Tanh, ReLU6, Hardtanh, Hardsigmoid, RReLU, Softshrink\), not GELU at "
        r"'4'\.$"
    )
    with pytest.raises(ValueError, match=sentence):
        sampled_transitions(module, random_images(1, 1, 2, 2))


def test_module_whose_activations_cannot_be_seen_is_refused():
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    sentence = (
        r"^sampled_transitions: networks must have activation modules \(ReLU, LeakyReLU, PReLU, "
        r"Tanh, ReLU6, Hardtanh, Hardsigmoid, RReLU, Softshrink\), not none\.$"
    )
    with pytest.raises(ValueError, match=sentence):
        sampled_transitions(module, random_images(1, 1, 2, 2))


def test_flat_inputs_are_refused():
    sentence = (
        r"^inputs must be images of shape \(samples, channels, height, width\), not \(3, 16\)\.$"
    )
    with pytest.raises(ValueError, match=sentence):
        sampled_transitions(random_networks((16, 4, 2), "relu"), torch.zeros(3, 16))

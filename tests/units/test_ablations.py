from itertools import permutations
from math import comb

import pytest
import torch
from oracles.ablations import slow_accuracies
from oracles.convolutions import CLASSES, IMAGE, KINDS, convolutional_stack, hyperparameters_of
from oracles.made_up import kept
from oracles.softmax_jacobian import random_networks
from torch import nn
from torch.testing import assert_close

from generalization.devices import BUDGETS, Budget
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.hidden_layers import unit_activations
from generalization.networks.modules import logits_of
from generalization.networks.sequences import sequence_of
from generalization.units.ablations import ablated_accuracies
from generalization.units.unit_orders import UnitOrder, random_orders

MODES = ["zero", "mean", "class_mean"]
WIDTHS = (9, 7, 8, 6, 4)


def points(count=30, features=9, classes=4):
    generator = torch.Generator().manual_seed(1)
    inputs = 2 * torch.randn(count, features, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(classes, (count,), generator=generator)


def drawn(widths, layers, counts, orders=3):
    return random_orders(widths, layers, counts, orders, torch.Generator().manual_seed(2))


def read_out(detectors, weights):
    """Units that detect numbers of one-hot inputs, and a linear map of them to logits."""
    return FullyConnectedNetworks((detectors[None].double(), weights[None].double()), "relu")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layers", [(0, 1, 2), (0,), (1,), (2,), (0, 2)])
@pytest.mark.parametrize(
    ("activation", "biases"), [("relu", False), ("relu", True), ("hardsigmoid", True)]
)
def test_equals_a_forward_pass_from_the_inputs_for_every_ablation(activation, biases, layers, mode):
    networks = random_networks(WIDTHS, activation, count=2, biases=biases)
    units = sum(WIDTHS[1 + layer] for layer in layers)
    orders = drawn(WIDTHS[1:-1], layers, range(units + 1))
    found = ablated_accuracies(networks, *points(), orders, mode=mode)
    assert_close(found, slow_accuracies(networks, *points(), orders, mode))


@pytest.mark.parametrize("mode", MODES)
def test_normalized_networks_are_ablated_after_normalization(mode):
    networks = kept(normalization="batch").networks[0].to(torch.float64)
    orders = drawn((5, 5), (0, 1), range(11))
    data = points(features=6)
    found = ablated_accuracies(networks, *data, orders, mode=mode)
    assert_close(found, slow_accuracies(networks, *data, orders, mode))


def test_classes_without_samples_change_nothing():
    networks = random_networks(WIDTHS, biases=True)
    inputs, labels = points()
    labels[labels == 1] = 3
    orders = drawn(WIDTHS[1:-1], (0, 1, 2), range(22))
    expected = slow_accuracies(networks, inputs, labels, orders, "class_mean")
    for one in (networks, sequence_of(networks)):
        assert_close(ablated_accuracies(one, inputs, labels, orders, mode="class_mean"), expected)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layers", [(0, 1, 2), (1,), (0, 2)])
def test_module_is_ablated_as_a_stack_of_one(layers, mode):
    networks = random_networks(WIDTHS, biases=True)
    orders = drawn(WIDTHS[1:-1], layers, (0, 2, 6))
    found = ablated_accuracies(sequence_of(networks), *points(), orders, mode=mode)
    assert_close(found, ablated_accuracies(networks, *points(), orders, mode=mode))


def test_working_in_pieces_changes_nothing(monkeypatch):
    networks = random_networks(WIDTHS, count=2, biases=True)
    orders = drawn(WIDTHS[1:-1], (0, 1, 2), (0, 3, 10, 21))
    expected = ablated_accuracies(networks, *points(), orders, mode="class_mean")
    monkeypatch.setitem(BUDGETS, "operation", Budget(50, 50))
    assert_close(ablated_accuracies(networks, *points(), orders, mode="class_mean"), expected)


def test_no_ablation_and_all():
    networks = random_networks(WIDTHS, count=2, biases=True)
    inputs, labels = points()
    found = ablated_accuracies(networks, inputs, labels, drawn(WIDTHS[1:-1], (0, 1, 2), (0, 21)))
    plain = (logits_of(networks, inputs).argmax(-1) == labels).double().mean(-1)
    constant = networks.biases[-1].argmax(-1)
    always = (constant.unsqueeze(1) == labels).double().mean(-1)
    assert_close(found, torch.stack([plain, always], -1).unsqueeze(1).expand(-1, 3, -1))
    found = ablated_accuracies(networks, inputs, labels, drawn(WIDTHS[1:-1], (1,), (0,)))
    assert_close(found, plain.view(2, 1, 1).expand(-1, 3, -1))


def test_identity_detectors_lose_their_own_class():
    networks, classes = read_out(torch.eye(10), torch.eye(10)), torch.arange(10)
    rolled = [UnitOrder(classes.roll(unit), tuple(range(11)), (10,), (0,)) for unit in range(10)]
    found = ablated_accuracies(networks, torch.eye(10).double(), classes, rolled)
    fractions = torch.linspace(0, 1, 11, dtype=torch.float64)
    assert_close(found[0].mean(0), 1 - fractions + fractions / 10)


def test_redundant_copies_of_detectors():
    classes, copies = 3, 2
    units = classes * copies
    detectors = torch.eye(classes).repeat_interleave(copies, dim=0)
    orders = [
        UnitOrder(torch.tensor(order), tuple(range(units + 1)), (units,), (0,))
        for order in permutations(range(units))
    ]
    found = ablated_accuracies(
        read_out(detectors, detectors.T), torch.eye(classes).double(), torch.arange(classes), orders
    )
    lost = [
        comb(units - copies, count - copies) / comb(units, count) if count >= copies else 0
        for count in range(units + 1)
    ]
    # Without units all logits are 0, and the first class is predicted.
    expected = [1 - share + share / classes for share in lost]
    assert found[0].mean(0).tolist() == pytest.approx(expected)


def first_alone(unit, width):
    return [UnitOrder(torch.arange(width).roll(-unit), (1,), (width,), (0,))]


@pytest.mark.parametrize("mode", MODES)
def test_dead_unit_is_not_missed(mode):
    networks = random_networks((9, 7, 4))
    networks.weights[0][:, 3] = 0
    inputs, labels = points()
    plain = (logits_of(networks, inputs).argmax(-1) == labels).double().mean()
    found = ablated_accuracies(networks, inputs, labels, first_alone(3, 7), mode=mode)
    assert found.item() == plain.item()


def test_constant_unit_is_a_bias():
    networks = random_networks((9, 7, 4), biases=True)
    networks.weights[0][:, 3], networks.biases[0][:, 3] = 0, 5
    inputs, labels = points()
    shifted = networks.map(torch.clone)
    shifted.biases[0][:, 3] = 0
    accuracies = [
        (logits_of(one, inputs).argmax(-1) == labels).double().mean().item()
        for one in (networks, shifted)
    ]
    found = [
        ablated_accuracies(networks, inputs, labels, first_alone(3, 7), mode=mode).item()
        for mode in ("mean", "zero")
    ]
    assert found == accuracies
    assert accuracies[0] != accuracies[1]


def test_names_of_units_do_not_matter():
    networks = random_networks((9, 7, 4), count=2)
    renamed = torch.randperm(7, generator=torch.Generator().manual_seed(3))
    others = FullyConnectedNetworks(
        (networks.weights[0][:, renamed], networks.weights[1][..., renamed]), "relu"
    )
    orders = drawn((7,), (0,), range(8))
    same = [UnitOrder(renamed.argsort()[order.units], order.counts, (7,), (0,)) for order in orders]
    assert_close(
        ablated_accuracies(others, *points(), same), ablated_accuracies(networks, *points(), orders)
    )


class Replaced(nn.Module):
    """A feature map set to a number at all positions."""

    def __init__(self, channel, value):
        super().__init__()
        self.channel, self.value = channel, value

    def forward(self, images):
        images = images.clone()
        images[:, self.channel] = self.value
        return images


@pytest.mark.parametrize("mode", ["zero", "mean"])
def test_feature_maps_are_replaced_at_all_positions(mode):
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(2, 5, 3),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(5, 6, 2),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(24, 4),
    ]
    convolutions = nn.Sequential(*layers).double()
    inputs = torch.randn(40, 2, 8, 8, dtype=torch.float64)
    convolutions(inputs)  # Running statistics that are not those of the beginning.
    convolutions.eval()
    labels = torch.randint(4, (40,))
    orders = drawn((5, 6), (0, 1), (0, 1, 4, 11), orders=2)
    found = ablated_accuracies(convolutions, inputs, labels, orders, mode=mode)[0]
    for order, accuracies in zip(orders, found, strict=True):
        for count, accuracy in zip(order.counts, accuracies, strict=True):
            replaced = [[], []]
            for unit in order.units[:count].tolist():
                layer, channel = divmod(unit, 5) if unit < 5 else (1, unit - 5)
                maps = nn.Sequential(*layers[: 6 if layer else 2])(inputs)[:, channel]
                value = maps.mean() if mode == "mean" else 0.0
                replaced[layer].append(Replaced(channel, value))
            ablated = nn.Sequential(*layers[:2], *replaced[0], *layers[2:6], *replaced[1])
            logits = nn.Sequential(ablated, *layers[6:])(inputs)
            assert accuracy.item() == (logits.argmax(-1) == labels).double().mean().item()


@pytest.mark.parametrize("kind", KINDS)
def test_stacks_of_convolutional_networks_are_ablated_as_their_modules(kind):
    networks = convolutional_stack(hyperparameters_of(kind))
    inputs = torch.randn(20, *IMAGE, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(20) % CLASSES
    widths = [layer.shape[-1] for layer in unit_activations(networks, inputs[:1])]
    orders = drawn(widths, range(len(widths)), (0, 1, 3, sum(widths)))
    found = ablated_accuracies(networks, inputs, labels, orders)
    for network, accuracies in zip(networks, found, strict=True):
        alone = ablated_accuracies(sequence_of(network), inputs, labels, orders)
        assert_close(alone[0], accuracies)


def test_module_keeps_its_mode():
    network = nn.Sequential(nn.Linear(9, 7), nn.ReLU(), nn.Dropout(0.5), nn.Linear(7, 4)).double()
    found = ablated_accuracies(network, *points(), drawn((7,), (0,), (0,)))
    assert network.training
    expected = logits_of(network, points()[0]).argmax(-1) == points()[1]
    assert_close(found[0, :, 0], expected.double().mean().expand(3))


def test_unknown_mode_is_refused():
    message = r"^mode must be among zero, mean, class_mean, not 'median'\.$"
    with pytest.raises(ValueError, match=message):
        ablated_accuracies(random_networks((9, 7, 4)), *points(), [], mode="median")


def test_module_without_hidden_layers_is_refused():
    message = (
        r"^networks must be sequences of layers with activation functions among them, "
        r"not Linear without\.$"
    )
    with pytest.raises(ValueError, match=message):
        ablated_accuracies(nn.Linear(9, 4).double(), *points(), drawn((7,), (0,), (0,)))

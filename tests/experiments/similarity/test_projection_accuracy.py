import pandas as pd
import pytest
import torch
from oracles.convolutions import convolutional_stack, hyperparameters_of
from oracles.softmax_jacobian import random_networks
from torch import Generator, nn
from torch.testing import assert_close

from generalization.experiments.similarity.projection_accuracy import (
    COLUMNS,
    partners,
    projection_accuracy,
    ranks,
)
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.hidden_layers import layer_maps
from generalization.networks.layer_activations import layer_activations
from generalization.networks.sequences import sequence_of
from generalization.units.projections import projected_logits, projected_map_logits

KINDS = ["svcca", "svcca_weights", "principal", "largest_units", "random_units"]


def points(count, features=9, seed=1):
    generator = Generator().manual_seed(seed)
    return torch.randn(count, features, generator=generator, dtype=torch.float64)


def members_of(seeds, steps=None, final=True):
    steps = [10] * len(seeds) if steps is None else steps
    return pd.DataFrame({"seed": seeds, "step": steps, "final": final})


def table_of(networks, inputs, labels, **settings):
    generator, members = Generator().manual_seed(0), members_of(range(len(networks)))
    return projection_accuracy(
        networks, inputs, labels, points(40, seed=2), members, generator, **settings
    )


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_logits_are_those_of_the_projected_layer(layer):
    network = random_networks((9, 7, 8, 4), count=1, biases=True)
    z = network.preactivations(points(6))
    activations = (z[layer] if layer == 2 else z[layer].relu())[0]
    units = activations.shape[1]
    basis, mean = torch.linalg.qr(points(units, units, seed=3)).Q, points(units, 1, seed=4)[:, 0]
    found = projected_logits(network, layer, activations, mean, basis, [0, 1, 3, units])
    for k, logits in zip([0, 1, 3, units], found, strict=True):
        a = mean + (activations - mean) @ basis[:, :k] @ basis[:, :k].mT
        for above in range(layer + 1, 3):
            a = a @ network.weights[above][0].mT + network.biases[above][0]
            a = a.relu() if above < 2 else a
        assert logits == pytest.approx(a, abs=1e-9)


def test_all_directions_give_the_accuracy_of_the_network():
    networks, inputs = random_networks((9, 7, 8, 4), count=2, biases=True), points(50)
    labels = torch.arange(50) % 4
    table = table_of(networks, inputs, labels)
    assert list(table) == COLUMNS
    right = (networks.logits(inputs).argmax(-1) == labels).double().mean(1).tolist()
    whole = table[table["k"] == table["units"]]
    assert len(whole) == 2 * 3 * len(KINDS)
    for network, accuracy in enumerate(right):
        assert (whole.loc[whole["network"] == network, "accuracy"] == accuracy).all()


def test_without_directions_the_network_says_the_same_of_every_input():
    networks, inputs = random_networks((9, 7, 8, 4), count=2), points(40)
    table = table_of(networks, inputs, torch.arange(40) % 4)
    assert (table.loc[table["k"] == 0, "accuracy"] == 0.25).all()


def test_layer_of_low_rank_needs_as_many_principal_directions():
    # Linear units (hardtanh of small numbers): the second layer has rank 2.
    networks = random_networks((9, 8, 8, 4), count=2, activation="hardtanh")
    low = networks.weights[0].clone()
    low[:, :, 2:] = 0
    small = FullyConnectedNetworks((low * 1e-3, *networks.weights[1:]), "hardtanh")
    inputs = points(60)
    labels = small.logits(inputs)[0].argmax(-1)
    table = table_of(small[[0, 0]], inputs, labels)
    hidden = table[(table["layer"] < 2) & table["directions"].isin(KINDS[:3])]
    assert (hidden.loc[hidden["k"] >= 2, "accuracy"] == 1).all()
    assert (hidden.loc[hidden["k"] == 0, "accuracy"] < 1).all()


def test_unit_that_alone_matters_is_enough():
    # Unit 3 of five decides; it is the largest, too.
    first = torch.zeros(1, 5, 2, dtype=torch.float64)
    first[0, :, 1] = 0.1
    first[0, 3] = torch.tensor([1.0, 0.0])
    last = torch.zeros(1, 2, 5, dtype=torch.float64)
    last[0, 0, 3], last[0, 1, 3] = 1, -1
    biases = (torch.full((1, 5), 5.0), torch.tensor([[-5.0, 5.0]]))
    network = FullyConnectedNetworks((first, last), "relu", tuple(bias.double() for bias in biases))
    inputs = points(64, 2)
    labels = (inputs[:, 0] < 0).long()
    table = projection_accuracy(
        network, inputs, labels, points(64, 2, seed=2), members_of([1]), Generator().manual_seed(0)
    )
    assert set(table["directions"]) == set(KINDS[2:])
    hidden = table[(table["layer"] == 0) & (table["k"] == 1)].set_index("directions")["accuracy"]
    assert hidden["principal"] > 0.9
    assert (table.loc[table["k"] == 5, "accuracy"] == 1).all()


def test_random_units_are_the_mean_over_orders():
    networks, inputs = random_networks((9, 7, 4), count=2), points(50)
    labels = torch.arange(50) % 4
    several = table_of(networks[:1], inputs, labels, orders=3)
    generator, singles = Generator().manual_seed(0), []
    orders = [torch.randperm(7, generator=generator) for _ in range(3)]
    trained = networks.preactivations(points(40, seed=2))[0][0].relu()
    tested = networks.preactivations(inputs)[0][0].relu()
    for order in orders:
        basis = torch.eye(7, dtype=torch.float64)[:, order]
        logits = projected_logits(networks[:1], 0, tested, trained.mean(0), basis, ranks(7))
        singles.append((logits.argmax(-1) == labels).double().mean(1))
    found = several[(several["layer"] == 0) & (several["directions"] == "random_units")]
    assert found["accuracy"].to_numpy() == pytest.approx(torch.stack(singles).mean(0).numpy())


def test_partner_is_of_the_next_seed_and_as_far_trained():
    seeds, steps = [1, 2, 3, 1, 2, 3, 1], [0, 0, 0, 4, 4, 2, 8]
    final = [False] * 4 + [True] * 3
    assert partners(members_of(seeds, steps, final)) == {0: 1, 1: 2, 2: 0, 3: 4, 4: 5, 5: 6, 6: 4}
    assert partners(members_of([1, 1], [0, 5], [False, True])) == {}


def test_order_of_units_does_not_matter():
    network = random_networks((9, 7, 4), count=1)
    order = torch.tensor([3, 1, 0, 6, 5, 2, 4])
    permuted = FullyConnectedNetworks(
        (network.weights[0][:, order], network.weights[1][:, :, order]), network.activation
    )
    both = FullyConnectedNetworks(
        tuple(torch.cat(pair) for pair in zip(network.weights, permuted.weights, strict=True)),
        network.activation,
    )
    inputs = points(80)
    # Where all hidden units are silent all logits are 0, and rounding decides which is largest.
    inputs = inputs[network.logits(inputs)[0].abs().amax(-1) > 0]
    table = table_of(both, inputs, network.logits(inputs)[0].argmax(-1))
    # Every correlation of the two is 1, so that SVCCA has no first direction.
    kept = table[table["directions"].isin(["principal", "largest_units"])]
    first, second = (kept[kept["network"] == one]["accuracy"].to_numpy() for one in (0, 1))
    assert first == pytest.approx(second)


def projection(mean, directions):
    def projected(part, entered, left):
        shape = [1, -1] + [1] * (left.dim() - 2)
        centered = left - mean.view(shape)
        return mean.view(shape) + torch.einsum("nu...,uk,vk->nv...", centered, *2 * [directions])

    return projected


@pytest.mark.parametrize("kind", ["convolutional, pooled", "vgg, pooled", "all_convolutional"])
def test_channels_of_convolutions_are_projected_at_every_position(kind):
    network = convolutional_stack(hyperparameters_of(kind, biases=True), seeds=(1,))
    network = network.to(torch.float64)
    inputs = points(5, 2 * 9 * 8).view(5, 2, 9, 8)
    module = sequence_of(network)
    places = [i for i, part in enumerate(module) if isinstance(part, nn.ReLU)]
    layers = layer_activations(network, inputs)
    for layer, place in enumerate(places):
        activations = layers[layer][0]
        units = activations.shape[1]
        basis, mean = (
            torch.linalg.qr(points(units, units, seed=3)).Q,
            points(units, 1, seed=4)[:, 0],
        )
        found = projected_map_logits(
            layer_maps(module)[layer + 1 :], activations, mean, basis, [0, 2, units]
        )

        for rank, logits in zip([0, 2, units], found, strict=True):
            hook = module[place].register_forward_hook(projection(mean, basis[:, :rank]))
            assert_close(module(inputs), logits)
            hook.remove()


def test_convolutional_networks_have_their_accuracy_with_all_directions():
    networks = convolutional_stack(hyperparameters_of("convolutional, pooled"))
    inputs = points(30, 2 * 9 * 8).view(30, 2, 9, 8).float()
    labels = torch.arange(30) % 3
    table = projection_accuracy(
        networks, inputs, labels, inputs.flip(3), members_of([1, 2]), Generator().manual_seed(0)
    )
    right = (networks.logits(inputs).argmax(-1) == labels).double().mean(1).tolist()
    whole = table[table["k"] == table["units"]]
    assert len(whole) == 2 * 4 * len(KINDS)
    for network, accuracy in enumerate(right):
        assert (whole.loc[whole["network"] == network, "accuracy"] == accuracy).all()
    assert table.loc[table["layer"] == 0, "units"].unique().tolist() == [3]


def test_ranks_are_powers_of_two_and_all_units():
    assert ranks(1) == [0, 1]
    assert ranks(8) == [0, 1, 2, 4, 8]
    assert ranks(10) == [0, 1, 2, 4, 8, 10]

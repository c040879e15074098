import pytest
import torch
from oracles.ablations import slow_accuracies
from oracles.made_up import kept
from oracles.softmax_jacobian import random_networks
from torch.testing import assert_close

from generalization.networks.modules import logits_of
from generalization.networks.sequences import sequence_of
from generalization.units.single_ablations import accuracies_without
from generalization.units.unit_orders import each_alone

HIDDEN = [7, 8, 6]


def points(features=9):
    generator = torch.Generator().manual_seed(1)
    inputs = 2 * torch.randn(30, features, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(4, (30,), generator=generator)


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("activation", ["relu", "tanh", "hardsigmoid"])
def test_equals_a_forward_pass_from_the_inputs_for_every_unit(activation, layer):
    networks = random_networks((9, *HIDDEN, 4), activation, count=2, biases=True)
    found = accuracies_without(networks, *points(), widths=HIDDEN, layer=layer)
    slow = slow_accuracies(networks, *points(), each_alone(HIDDEN, layer), "zero")
    assert_close(found, slow.squeeze(-1))


def test_normalized_networks():
    networks = kept(normalization="batch").networks[0].to(torch.float64)
    found = accuracies_without(networks, *points(6), widths=[5, 5], layer=0)
    slow = slow_accuracies(networks, *points(6), each_alone([5, 5], 0), "zero")
    assert_close(found, slow.squeeze(-1))


def test_module_is_a_stack_of_one():
    networks = random_networks((9, *HIDDEN, 4), biases=True)
    found = accuracies_without(sequence_of(networks), *points(), widths=HIDDEN, layer=1)
    assert_close(found, accuracies_without(networks, *points(), widths=HIDDEN, layer=1))


def test_unit_that_is_never_active_is_not_missed():
    networks = random_networks((9, *HIDDEN, 4))
    networks.weights[0][:, 3] = 0
    inputs, labels = points()
    plain = (logits_of(networks, inputs).argmax(-1) == labels).double().mean()
    found = accuracies_without(networks, inputs, labels, widths=HIDDEN, layer=0)
    assert found[0, 3] == plain

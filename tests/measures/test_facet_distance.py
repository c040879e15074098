import pytest
import torch
from oracles.softmax_jacobian import random_networks
from torch import nn
from torch.func import jacrev
from torch.testing import assert_close

from generalization.errors import InputError
from generalization.experiments.tangent_sensitivity.activation_regions import activation_regions
from generalization.measures.facet_distance import facet_distance
from generalization.networks.fully_connected import FullyConnectedNetworks

PIECEWISE_LINEAR = ["relu", "relu6", "hardtanh", "hardsigmoid"]


def points(count=12, features=5):
    generator = torch.Generator().manual_seed(4)
    return torch.randn(count, features, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
def test_distance_is_the_smallest_of_all_units_by_autograd(activation):
    networks, inputs = random_networks((5, 6, 4, 3), activation, count=2, biases=True), points()
    expected = []
    for member in range(2):
        network = networks[[member]]

        def hidden(x, network=network):
            layers = network.preactivations(x.unsqueeze(0))[:-1]
            return torch.cat([layer[0, 0] for layer in layers])

        for x in inputs:
            norms = jacrev(hidden)(x).norm(dim=1)
            gaps = torch.stack([(hidden(x) - t).abs() for t in network.phi.thresholds]).amin(0)
            expected.append((gaps[norms > 0] / norms[norms > 0]).min())
    values = facet_distance(networks, inputs)
    assert_close(values, torch.stack(expected).view(2, -1), rtol=1e-12, atol=0)


def test_distance_is_the_inradius_of_the_table_of_regions():
    networks, inputs = random_networks((5, 6, 4, 3), count=2, biases=True), points()
    table = activation_regions(networks, inputs)["inradius"].to_numpy().reshape(2, -1)
    assert_close(facet_distance(networks, inputs), torch.from_numpy(table), rtol=1e-15, atol=0)


def test_networks_are_affine_within_the_distance_and_not_beyond():
    networks, inputs = random_networks((5, 6, 4, 3), count=1, biases=True), points()
    generator = torch.Generator().manual_seed(5)
    directions = torch.randn(1000, 5, generator=generator, dtype=torch.float64)
    directions /= directions.norm(dim=1, keepdim=True)
    changed = []
    for x, distance in zip(inputs, facet_distance(networks, inputs)[0], strict=True):
        for share in (0.999, 3):
            there = networks.preactivations(x + share * distance * directions)[:-1]
            here = networks.preactivations(x.unsqueeze(0))[:-1]
            moved = [((a > 0) != (b > 0)).any() for a, b in zip(there, here, strict=True)]
            changed.append(bool(sum(moved)))
    assert changed == [False, True] * len(inputs)


def test_one_unit_in_closed_form():
    weights = (torch.tensor([[[3.0, 4.0]]]), torch.ones(1, 2, 1))
    networks = FullyConnectedNetworks(weights, "relu", (torch.tensor([[5.0]]), torch.zeros(1, 2)))
    values = facet_distance(networks, torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
    assert values.tolist() == [[1.0, 2.4]]


@pytest.mark.parametrize(("widths", "activation"), [((5, 6, 3), "tanh"), ((5, 3), "relu")])
def test_networks_without_regions_have_no_value_and_say_why(widths, activation):
    networks = random_networks(widths, activation, count=2)
    reason = "^needs piecewise linear activations and a hidden layer$"
    with pytest.warns(match=reason):
        assert facet_distance(networks, points()).isnan().all()


def test_units_that_depend_on_no_input_are_infinitely_far():
    networks = random_networks((5, 6, 3), count=1).map(torch.zeros_like)
    assert facet_distance(networks, points()).isinf().all()


def test_modules_are_refused():
    sentence = (
        r"^facet_distance needs a stack of networks, which it reads layer by layer, not a Linear\.$"
    )
    with pytest.raises(InputError, match=sentence):
        facet_distance(nn.Linear(5, 3), points())

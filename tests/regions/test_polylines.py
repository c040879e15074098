from math import pi

import pytest
import torch

from generalization.devices import BUDGETS, Budget
from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)
from generalization.regions.polylines import crossings_per_layer


def network_of(*weights, activation="relu"):
    return FullyConnectedNetworks(
        tuple(torch.tensor([weight], dtype=torch.float64) for weight in weights), activation
    )


def curve_of(*vertices):
    return torch.tensor([vertices], dtype=torch.float64)


@pytest.mark.parametrize(
    ("activation", "crossings"), [("relu", 1), ("relu6", 2), ("hardtanh", 2), ("hardsigmoid", 2)]
)
def test_unit_crosses_each_of_its_thresholds_on_the_way_up(activation, crossings):
    network = network_of([[1.0]], [[1.0]], activation=activation)
    assert crossings_per_layer(network, curve_of([-7.0], [7.0])).tolist() == [[crossings]]


def test_second_layer_sees_the_kink_of_the_first():
    # |x| - 1 = 0 at -1 and 1, which the ends of the edge alone would not show.
    network = network_of([[1.0], [-1.0], [0.0]], [[1.0, 1.0, -1.0]], [[1.0]])
    network = FullyConnectedNetworks(
        network.weights,
        "relu",
        tuple(torch.tensor([b], dtype=torch.float64) for b in ([0.0, 0.0, 1.0], [0.0], [0.0])),
    )
    assert crossings_per_layer(network, curve_of([-3.0], [2.0])).tolist() == [[2, 2]]


def test_preactivation_that_only_touches_its_threshold_crosses_nothing():
    network = network_of([[1.0]], [[1.0]])
    assert crossings_per_layer(network, curve_of([-1.0], [0.0], [-2.0])).tolist() == [[0]]


def test_curves_are_not_joined():
    network = network_of([[1.0]], [[1.0]], [[1.0]])
    curves = torch.tensor([[[-2.0], [-1.0]], [[1.0], [2.0]], [[-1.0], [1.0]]]).double()
    assert crossings_per_layer(network, curves).tolist() == [[0, 0], [0, 0], [1, 1]]


def test_unit_above_a_dead_layer_rests_at_zero():
    # The first layer is dead between 1 and 2, so the second goes from above 0 to 0 to above 0.
    weights = (torch.tensor([[[-0.7], [0.3]]]), torch.tensor([[[0.1, 0.1]]]), torch.ones(1, 1, 1))
    biases = (torch.tensor([[0.7, -0.6]]), torch.zeros(1, 1), torch.zeros(1, 1))
    network = FullyConnectedNetworks(weights, "relu", biases).to(torch.float64)
    for begin, end in [(0.1, 2.9), (-0.2, 3.3), (0.5, 7.7)]:
        assert crossings_per_layer(network, curve_of([begin], [end])).tolist() == [[2, 2]]


def test_centred_convex_loop_crosses_every_first_layer_unit_twice():
    generator = torch.Generator().manual_seed(0)
    network = initialize_fully_connected((12, 40, 2), "relu", [generator])
    axes = torch.randn(2, 12, generator=generator)
    angles = torch.linspace(0, 2 * pi, 65)[:-1]
    ellipse = angles.cos()[:, None] * axes[0] + angles.sin()[:, None] * axes[1]
    ellipse = torch.cat((ellipse, ellipse[:1]))
    assert crossings_per_layer(network, ellipse.unsqueeze(0)).tolist() == [[80]]


@pytest.mark.parametrize("numbers", [1, 64, 1000])
def test_counts_do_not_depend_on_the_pieces(monkeypatch, numbers):
    generator = torch.Generator().manual_seed(0)
    network = initialize_fully_connected((9, 16, 16, 16, 2), "hardtanh", [generator], init_scale=2)
    curves = torch.randn(3, 5, 9, generator=generator).double()
    whole = crossings_per_layer(network.to(torch.float64), curves)
    monkeypatch.setitem(BUDGETS, "operation", Budget(numbers, numbers))
    assert torch.equal(crossings_per_layer(network.to(torch.float64), curves), whole)
    assert (whole > 0).all()


def test_network_without_hidden_layers_has_no_crossings():
    assert crossings_per_layer(network_of([[1.0]]), curve_of([-1.0], [1.0])).shape == (1, 0)


def test_infinite_preactivations_do_not_end_the_count():
    network = network_of([[1e300]], [[1e300]], [[1.0]], [[1.0]])
    assert crossings_per_layer(network, curve_of([-1.0], [1e300])).shape == (1, 3)

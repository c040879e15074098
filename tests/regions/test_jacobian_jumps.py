import pytest
import torch
from torch import Generator
from torch.func import jacrev, vmap

from generalization.devices import BUDGETS, Budget
from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)
from generalization.regions.crossings import crossings
from generalization.regions.jacobian_jumps import jacobian_variation

PIECEWISE_LINEAR = ["relu", "relu6", "hardtanh", "hardsigmoid"]
DOUBLE = torch.float64


def network_of(*weights, activation="relu"):
    return FullyConnectedNetworks(
        tuple(torch.tensor([weight], dtype=DOUBLE) for weight in weights), activation
    )


def curve_of(*vertices):
    return torch.tensor([vertices], dtype=DOUBLE)


def random_network(widths, activation, biases=False, seed=0):
    """In float64, with random biases if any; its units reach all of their regions."""
    generator = Generator().manual_seed(seed)
    scale = 6 if activation == "relu6" else 2
    network = initialize_fully_connected(widths, activation, [generator], init_scale=scale)
    drawn = tuple(torch.randn(1, units, generator=generator) for units in widths[1:] if biases)
    return FullyConnectedNetworks(network.weights, activation, drawn).to(DOUBLE)


def closed_curves(count, features, seed=0):
    curves = torch.randn(count, 4, features, generator=Generator().manual_seed(seed)).double()
    return torch.cat((curves, curves[:, :1]), dim=1)


def variation_from_region_to_region(network, curve):
    """Σ ‖f'_{i+1} − f'_i‖_F, with f' by automatic differentiation in the middle of every region."""
    inner = crossings(network, curve.unsqueeze(0)).position
    ends = torch.tensor([0.0, len(curve) - 1]).double()
    borders = torch.cat((inner, ends)).unique()
    middle = (borders[1:] + borders[:-1]) / 2
    edge = middle.long()
    points = curve[edge].lerp(curve[edge + 1], (middle - edge).unsqueeze(1))

    def logits(point):
        activations = point
        for layer, weight in enumerate(network.weights):
            preactivations = weight[0] @ activations
            if network.biases:
                preactivations = preactivations + network.biases[layer][0]
            activations = network.phi.function(preactivations)
        return preactivations

    jacobians = vmap(jacrev(logits))(points)
    return jacobians.diff(dim=0).flatten(1).norm(dim=1).sum()


# Layers of 3 units die as a whole now and then, layers of 9 do not.
@pytest.mark.parametrize("widths", [(5, 3, 3, 3, 2), (20, 9, 9, 3)])
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", PIECEWISE_LINEAR)
def test_variation_is_that_from_region_to_region(activation, biases, widths):
    total = 0
    for seed in range(4):
        network = random_network(widths, activation, biases, seed)
        curves = closed_curves(2, widths[0], seed)
        slow = [variation_from_region_to_region(network, curve).item() for curve in curves]
        assert jacobian_variation(network, curves).tolist() == pytest.approx(slow, rel=1e-11)
        total += sum(slow)
    assert total > 0


def test_slope_of_a_relu_goes_up_and_down_again():
    network = network_of([[1.0]], [[1.0]])
    assert jacobian_variation(network, curve_of([-1.0], [1.0], [-1.0])).tolist() == [2]


@pytest.mark.parametrize("activation", ["relu6", "hardtanh", "hardsigmoid"])
def test_slope_goes_up_and_down_on_the_way_through_a_linear_region(activation):
    # 2 · 3 is the derivative inside, 0 the one on both sides.
    network = network_of([[2.0]], [[3.0]], activation=activation)
    assert jacobian_variation(network, curve_of([-7.0], [7.0])).tolist() == [12]


def test_layer_that_dies_with_all_above_is_one_jump():
    # f = 3 · 5 · relu(-x) and, above a dead layer, 0: every layer has a crossing at 0.
    network = network_of([[-1.0]], [[5.0], [-2.0]], [[3.0, 1.0]])
    assert len(crossings(network, curve_of([-1.0], [1.0])).unit) == 2
    assert jacobian_variation(network, curve_of([-1.0], [1.0])).tolist() == [15]
    assert jacobian_variation(network, curve_of([1.0], [-1.0])).tolist() == [15]


def test_first_weights_may_be_read_in_any_orthonormal_basis():
    network, curves = random_network((7, 12, 12, 3), "hardtanh", True), closed_curves(3, 7)
    rotation = torch.linalg.qr(torch.randn(7, 7, generator=Generator().manual_seed(2)).double()).Q
    first, *others = network.weights
    rotated = FullyConnectedNetworks((first @ rotation, *others), "hardtanh", network.biases)
    there = jacobian_variation(rotated, curves @ rotation).tolist()
    assert there == pytest.approx(jacobian_variation(network, curves).tolist(), rel=1e-11)


@pytest.mark.parametrize("numbers", [1, 40, 300])
def test_variation_does_not_depend_on_the_pieces(monkeypatch, numbers):
    network, curves = random_network((9, 8, 8, 8, 2), "relu6"), closed_curves(3, 9)
    whole = jacobian_variation(network, curves).tolist()
    monkeypatch.setitem(BUDGETS, "operation", Budget(numbers, numbers))
    assert jacobian_variation(network, curves).tolist() == pytest.approx(whole, rel=1e-12)


def test_linear_network_has_no_jumps():
    assert jacobian_variation(network_of([[1.0]]), curve_of([-1.0], [1.0])).tolist() == [0]
    never_bent = network_of([[1.0]], [[1.0]])
    assert jacobian_variation(never_bent, curve_of([1.0], [3.0])).tolist() == [0]

import pytest
import torch

from generalization.devices import BUDGETS, Budget
from generalization.networks.fully_connected import (
    FullyConnectedNetworks,
    initialize_fully_connected,
)
from generalization.regions.crossings import crossings
from generalization.regions.polylines import crossings_per_layer


def network_of(*weights, activation="relu"):
    return FullyConnectedNetworks(
        tuple(torch.tensor([weight], dtype=torch.float64) for weight in weights), activation
    )


def curve_of(*vertices):
    return torch.tensor([vertices], dtype=torch.float64)


def random_network(activation, biases=False):
    """In float64, with random biases if any; its units reach all of their regions."""
    generator, widths = torch.Generator().manual_seed(0), (9, 16, 16, 16, 2)
    scale = 6 if activation == "relu6" else 2
    network = initialize_fully_connected(widths, activation, [generator], init_scale=scale)
    drawn = tuple(torch.randn(1, units, generator=generator) for units in widths[1:] if biases)
    return FullyConnectedNetworks(network.weights, activation, drawn).to(torch.float64)


def random_curves():
    return torch.randn(3, 5, 9, generator=torch.Generator().manual_seed(1)).double()


def test_crossing_knows_where_it_is_and_which_way_it_goes():
    network = network_of([[1.0], [-2.0]], [[1.0, 1.0]], activation="hardtanh")
    found = crossings(network, curve_of([-4.0], [0.0], [0.75]))
    # The units are x and -2 x, with thresholds at -1 and 1.
    assert found.position.tolist() == pytest.approx([0.75, 0.875, 1 + 0.5 / 0.75])
    assert found.unit.tolist() == [0, 1, 1]
    assert found.threshold.tolist() == [0, 1, 0]
    assert found.rising.tolist() == [True, False, False]
    assert found.layer.tolist() == found.curve.tolist() == [0, 0, 0]


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", ["relu", "relu6", "hardtanh", "hardsigmoid"])
def test_preactivation_is_on_its_threshold_where_it_crosses(activation, biases):
    network, curves = random_network(activation, biases), random_curves()
    found = crossings(network, curves)
    edge = found.position.long()
    fraction = (found.position - edge).unsqueeze(1)
    points = curves[found.curve, edge].lerp(curves[found.curve, edge + 1], fraction)
    layers = torch.cat(network.preactivations(points)[:-1])
    there = layers[found.layer, torch.arange(len(edge)), found.unit]
    thresholds = torch.tensor(network.phi.thresholds).double()[found.threshold]
    assert there.numpy() == pytest.approx(thresholds.numpy(), abs=1e-11)
    assert found.threshold.unique().tolist() == list(range(len(network.phi.thresholds)))


@pytest.mark.parametrize("numbers", [1, 2**18])
@pytest.mark.parametrize("activation", ["relu", "hardtanh"])
def test_as_many_crossings_are_found_as_counted(monkeypatch, activation, numbers):
    monkeypatch.setitem(BUDGETS, "operation", Budget(numbers, numbers))
    network, curves = random_network(activation), random_curves()
    found = crossings(network, curves)
    counts = torch.zeros(3, 3, dtype=torch.int32)
    counts.index_put_((found.curve, found.layer), torch.tensor(1, dtype=torch.int32), True)
    assert torch.equal(counts, crossings_per_layer(network, curves))


def test_crossings_are_in_order():
    found = crossings(random_network("relu6"), random_curves())
    assert (found.curve.diff() >= 0).all()
    for curve in range(3):
        position = found.position[found.curve == curve]
        assert (position.diff() >= 0).all()
        assert position[0] > 0
        assert position[-1] < 4


def test_unit_crosses_a_threshold_up_and_down_in_turns():
    found = crossings(random_network("hardsigmoid", biases=True), random_curves())
    names = torch.stack((found.curve, found.layer, found.unit, found.threshold), dim=1)
    for name in names.unique(dim=0):
        rising = found.rising[(names == name).all(dim=1)]
        assert (rising[1:] != rising[:-1]).all()


def test_units_that_come_to_rest_do_so_where_the_last_unit_below_them_dies():
    network = network_of([[-1.0]], [[1.0], [2.0]], [[1.0, 1.0]])
    found = crossings(network, curve_of([-1.0], [2.0]))
    assert found.position.tolist() == [1 / 3] * 3
    assert found.layer.tolist() == [0, 1, 1]
    assert not found.rising.any()


def test_network_that_nothing_crosses_has_no_crossings():
    for network in (network_of([[1.0]]), network_of([[1.0]], [[1.0]])):
        found = crossings(network, curve_of([1.0], [2.0]))
        assert found.position.shape == (0,)
        assert found.position.dtype == torch.float64

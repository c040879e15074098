import math

import pytest
import torch
from oracles.softmax_jacobian import random_networks

from generalization.derivatives import path_bounds
from generalization.errors import InputError
from generalization.experiments.tangent_sensitivity.tangent_bounds import COLUMNS, tangent_bounds
from generalization.measures.tangent_sensitivity import tangent_sensitivity
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.regions.active_units import active_units

BOUNDS = [
    "theorem_3_1",
    "layerwise",
    "layerwise_active",
    "theorem_3_2",
    "theorem_3_2_author",
    "active_paths",
]
ALWAYS = ["layerwise", "layerwise_active", "active_paths"]


def points(count, *features, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, *features, generator=generator, dtype=dtype)


def log_bounds(table, bound):
    return table.loc[table["bound"] == bound, "log_bound"].tolist()


def log_of_mean(logarithms):
    return logarithms.exp().mean(-1).log().tolist()


@pytest.mark.parametrize("reduction", ["sum", "full", 1])
def test_one_row_per_network_and_bound(reduction):
    networks, inputs = random_networks((9, 7, 8, 4), count=3, biases=True), points(11, 9)
    table = tangent_bounds(networks, inputs, reduction=reduction)
    assert list(table) == COLUMNS
    assert table["network"].tolist() == [0] * 6 + [1] * 6 + [2] * 6
    assert table["bound"].tolist() == BOUNDS * 3
    exact = tangent_sensitivity(networks, inputs, reduction=reduction).mean(1).log()
    assert table["log_exact"].tolist() == exact.repeat_interleave(6).tolist()
    difference = table["log_exact"] - table["log_bound"]
    assert table["log_tightness"].tolist() == pytest.approx(difference.tolist())


@pytest.mark.parametrize("reduction", ["sum", "full", 1])
def test_bounds_are_of_the_mean_over_points(reduction):
    networks, inputs = random_networks((9, 7, 8, 4), count=2, biases=True), points(11, 9)
    table = tangent_bounds(networks, inputs, reduction=reduction)
    widths, units = networks.widths, active_units(networks, inputs).double()
    maxima = torch.stack([weight.abs().amax((1, 2)) for weight in networks.weights], -1).log()
    every = torch.tensor([7.0, 8.0], dtype=torch.float64)
    both = {"reduction": reduction}
    at_points = maxima.unsqueeze(1)
    expected = {
        "theorem_3_1": path_bounds.theorem_3_1(widths, maxima, **both).tolist(),
        "layerwise": path_bounds.layerwise(widths, every, maxima, **both).tolist(),
        "layerwise_active": log_of_mean(path_bounds.layerwise(widths, units, at_points, **both)),
        "theorem_3_2": path_bounds.theorem_3_2(widths, units, maxima, **both).tolist(),
        "theorem_3_2_author": path_bounds.theorem_3_2_author(widths, units, maxima).tolist(),
        "active_paths": log_of_mean(path_bounds.active_paths(widths, units, at_points, **both)),
    }
    for bound, values in expected.items():
        assert log_bounds(table, bound) == pytest.approx(values, rel=1e-12)


@pytest.mark.parametrize("reduction", ["sum", "full", 1])
@pytest.mark.parametrize("activation", ["relu", "relu6", "hardtanh", "hardsigmoid"])
def test_what_always_holds_holds_in_single_precision(activation, reduction):
    networks = random_networks((9, 7, 8, 6, 4), activation, count=5, dtype=torch.float32)
    images = points(20, 1, 3, 3, dtype=torch.float32)
    table = tangent_bounds(networks, images, reduction=reduction)
    assert table["log_tightness"].dtype == "float64"
    assert (table.loc[table["bound"].isin(ALWAYS), "log_tightness"] < 0).all()


def test_equal_positive_weights_attain_the_bound():
    weights = tuple(torch.full((2, *shape), 0.05) for shape in [(5, 6), (7, 5), (4, 7), (3, 4)])
    table = tangent_bounds(FullyConnectedNetworks(weights, "relu"), torch.ones(3, 6))
    tightness = table.groupby("bound")["log_tightness"].max()
    assert tightness[["layerwise", "layerwise_active"]].tolist() == pytest.approx([0, 0], abs=1e-6)
    assert tightness["active_paths"] < -1
    assert tightness["theorem_3_1"] > 0  # It is none, for weights below 1.


def test_network_without_active_paths():
    networks = random_networks((6, 5, 5, 4), biases=True)
    biases = (networks.biases[0] - 100, *networks.biases[1:])
    dead = FullyConnectedNetworks(networks.weights, "relu", biases)
    table = tangent_bounds(dead, points(3, 6)).set_index("bound")
    assert (table["log_exact"] == -math.inf).all()
    assert table.loc["active_paths", "log_bound"] == -math.inf
    assert table.loc["layerwise_active", "log_bound"] == -math.inf
    assert math.isnan(table.loc["active_paths", "log_tightness"])
    assert table.loc["layerwise", "log_tightness"] == -math.inf


@pytest.mark.parametrize(("widths", "activation"), [((9, 7, 4), "tanh"), ((9, 4), "relu")])
def test_networks_without_linear_regions_or_hidden_layers_have_no_rows(widths, activation):
    table = tangent_bounds(random_networks(widths, activation, count=2), points(3, 9))
    assert table.empty
    assert list(table) == COLUMNS


def test_unknown_reduction():
    message = r"^reduction must be 'sum', 'full' or a logit from 0 to 3, not 'mean'\.$"
    with pytest.raises(InputError, match=message):
        tangent_bounds(random_networks((6, 5, 4)), points(3, 6), reduction="mean")

import pytest
import torch
from torch import Generator
from torch.testing import assert_close

from generalization.experiments.tangent_sensitivity.tangent_bounds import tangent_bounds
from generalization.measures.layerwise_norm import (
    layerwise_active_bound,
    layerwise_bound,
    layerwise_norm,
    theorem_3_1_bound,
    theorem_3_2_bound,
)
from generalization.measures.tangent_sensitivity import tangent_sensitivity
from generalization.networks.fully_connected import initialize_fully_connected

BOUNDS = {
    "theorem_3_1": theorem_3_1_bound,
    "layerwise": layerwise_bound,
    "layerwise_active": layerwise_active_bound,
    "theorem_3_2": theorem_3_2_bound,
}


def networks_of(widths=(6, 5, 4, 3), activation="relu", count=3):
    generators = [Generator().manual_seed(seed) for seed in range(count)]
    return initialize_fully_connected(widths, activation, generators, init_scale=1.0)


def points(count=20):
    return torch.randn(count, 6, generator=Generator().manual_seed(9))


def test_norm_is_the_logarithm_of_the_product_of_largest_weights():
    networks = networks_of()
    expected = [
        sum(weight[network].abs().max().double().log() for weight in networks.weights)
        for network in range(3)
    ]
    assert_close(layerwise_norm(networks), torch.stack(expected))


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_are_those_of_the_profile(name):
    networks, inputs = networks_of(), points()
    table = tangent_bounds(networks, inputs)
    expected = table.loc[table["bound"] == name, "log_bound"].to_numpy()
    assert BOUNDS[name](networks, inputs).numpy() == pytest.approx(expected)


@pytest.mark.parametrize("bound", [layerwise_bound, layerwise_active_bound])
def test_bounds_hold(bound):
    networks, inputs = networks_of(), points()
    assert (bound(networks, inputs) >= tangent_sensitivity(networks, inputs).mean(1).log()).all()


@pytest.mark.parametrize("bound", BOUNDS.values())
@pytest.mark.parametrize("networks", [networks_of((6, 3)), networks_of(activation="tanh")])
def test_there_is_no_bound_without_linear_regions_of_hidden_units(bound, networks):
    assert bound(networks, points()).isnan().all()


@pytest.mark.parametrize("bound", [*BOUNDS.values()])
def test_diverged_network_has_no_bound_and_its_neighbor_has(bound):
    networks = networks_of()
    networks.weights[1][0, 0, 0] = torch.nan
    assert bound(networks, points()).isnan().tolist() == [True, False, False]

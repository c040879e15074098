import numpy as np
import pandas as pd
import pytest
import torch
from oracles.softmax_jacobian import random_networks

from generalization.experiments.tangent_sensitivity import activation_regions as module
from generalization.experiments.tangent_sensitivity.activation_regions import activation_regions
from generalization.regions.activation_patterns import (
    activation_pattern,
    facet_distances,
    log_membership,
    margins,
)


def points(count, features=9):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, features, generator=generator, dtype=torch.float64)


def test_one_row_per_network_and_point():
    table = activation_regions(random_networks((9, 7, 8, 4), count=2), points(3))
    assert list(table) == [
        "network",
        "point",
        "units",
        "active",
        "active_1",
        "active_2",
        "pattern",
        "log_membership",
        "margin",
        "margin_layer",
        "inradius",
    ]
    assert table["network"].tolist() == [0, 0, 0, 1, 1, 1]
    assert table["point"].tolist() == [0, 1, 2, 0, 1, 2]
    assert set(table["units"]) == {15}


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("activation", ["relu", "hardtanh"])
def test_equals_what_loops_over_units_find(activation, biases):
    networks = random_networks((9, 7, 8, 4), activation, count=2, biases=biases)
    inputs, phi = points(6), networks.phi
    table = activation_regions(networks, inputs).set_index(["network", "point"])
    low, high = [*phi.thresholds, np.inf][:2]
    for member, network in enumerate(networks):
        for point in range(6):
            row = table.loc[(member, point)]
            z = [layer[0, 0] for layer in network.preactivations(inputs[[point]])[:-1]]
            active = [sum(low < float(unit) < high for unit in layer) for layer in z]
            assert row["active"] == sum(active)
            assert row[["active_1", "active_2"]].tolist() == active
            least = [min(abs(float(u) - t) for u in la for t in phi.thresholds) for la in z]
            assert row["margin"] == pytest.approx(min(least))
            assert row["margin_layer"] == 1 + np.argmin(least)


def test_membership_margin_and_inradius_are_those_of_the_functions():
    networks, inputs = random_networks((9, 7, 8, 4), count=2, biases=True), points(6)
    z = networks.preactivations(inputs)[:-1]
    own = log_membership(z, activation_pattern(z, (0.0,)), (0.0,))
    expected = {
        "log_membership": own,
        "margin": torch.cat(margins(z, (0.0,)), dim=-1).amin(-1),
        "inradius": torch.cat(facet_distances(networks, z), dim=-1).amin(-1),
    }
    table = activation_regions(networks, inputs)
    for name, values in expected.items():
        assert table[name].to_numpy() == pytest.approx(values.flatten().numpy())


def test_points_have_one_pattern_if_they_are_in_one_region():
    networks = random_networks((2, 3, 2, 2), biases=True)
    inputs = points(300, 2)
    table = activation_regions(networks, inputs)
    z = torch.cat(networks.preactivations(inputs)[:-1], dim=-1)[0]
    signs = pd.Series(["".join("+" if unit > 0 else "-" for unit in point) for point in z])
    assert 3 < signs.nunique() < 32
    assert table["pattern"].nunique() == signs.nunique()
    assert (table["pattern"].groupby(signs).nunique() == 1).all()
    assert table["pattern"].str.fullmatch("0x[0-9a-f]{16}").all()


def test_chunks_change_nothing(monkeypatch):
    networks = random_networks((9, 7, 8, 4), "relu6", count=2, biases=True)
    whole = activation_regions(networks, points(11))
    monkeypatch.setattr(module, "SAMPLES_PER_CHUNK", 4)
    pd.testing.assert_frame_equal(activation_regions(networks, points(11)), whole)


def test_images_are_flattened():
    networks = random_networks((9, 7, 4))
    flat, images = (activation_regions(networks, points(5).view(5, *s)) for s in ((9,), (1, 3, 3)))
    pd.testing.assert_frame_equal(images, flat)


def test_float32_is_enough():
    networks = random_networks((90, 40, 50, 10), count=2, biases=True, dtype=torch.float32)
    inputs = points(100, 90).float()
    single = activation_regions(networks, inputs)
    double = activation_regions(networks.to(torch.float64), inputs.double())
    assert (single["pattern"] == double["pattern"]).all()
    # Near a threshold z is the difference of larger numbers.
    assert np.abs(single["inradius"] - double["inradius"]).max() < 1e-6


def test_network_without_hidden_units_has_one_region():
    table = activation_regions(random_networks((9, 4)), points(3))
    assert table["pattern"].nunique() == 1
    assert table[["units", "active", "log_membership", "margin_layer"]].eq(0).all(axis=None)
    assert np.isinf(table[["margin", "inradius"]]).all(axis=None)


def test_tanh_has_no_regions():
    table = activation_regions(random_networks((9, 7, 8, 4), "tanh", count=2), points(3))
    assert table["units"].tolist() == [15] * 6
    assert table.drop(columns=["network", "point", "units"]).isna().all(axis=None)
    assert "inradius" in table

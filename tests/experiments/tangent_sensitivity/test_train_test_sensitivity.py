import math

import numpy as np
import pandas as pd
import pytest
import torch
from oracles.softmax_jacobian import random_networks

from generalization.derivatives import path_bounds
from generalization.experiments.tangent_sensitivity import train_test_sensitivity as module
from generalization.experiments.tangent_sensitivity.train_test_sensitivity import (
    COLUMNS,
    OF_POINTS,
    train_test_sensitivity,
)
from generalization.networks.fully_connected import FullyConnectedNetworks


def points(count, *features, seed=1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *features, generator=generator, dtype=dtype)


def of_part(table, part):
    return table[[f"{name}_{part}" for name in OF_POINTS]].to_numpy()


@pytest.mark.parametrize("biases", [False, True])
def test_equals_what_loops_over_units_find(biases):
    networks = random_networks((9, 7, 8, 4), count=2, biases=biases)
    test, train = points(6, 9), points(6, 9, seed=2)
    table = train_test_sensitivity(networks, test, train)
    assert list(table) == COLUMNS
    assert table["network"].tolist() == [0, 1]
    for row, network in zip(table.to_dict("records"), networks, strict=True):
        maxima = [math.log(float(weight.abs().max())) for weight in network.weights]
        assert row["log_norm"] == pytest.approx(sum(maxima))
        for part, inputs in (("train", train), ("test", test)):
            counts, empirical = [], []
            for point in inputs:
                z = [layer[0, 0].tolist() for layer in network.preactivations(point[None])[:-1]]
                counts.append([sum(unit > 0 for unit in layer) for layer in z])
                paths = sum(math.log(count) for count in counts[-1])
                own = sum(math.log(1 / (1 + math.exp(-abs(u)))) for layer in z for u in layer)
                empirical.append(paths + own)
            totals = np.sum(counts, axis=1)
            assert row[f"active_mean_{part}"] == pytest.approx(totals.mean())
            assert row[f"active_variance_{part}"] == pytest.approx(totals.var())
            assert row[f"log_empirical_{part}"] == pytest.approx(np.mean(empirical))
            # κ √(N_θ d) w² 2^{−2} E X², with E X² = μ² + s².
            bound = 4 * math.sqrt((9 * 7 + 7 * 8 + 8 * 4) * 9) / 4
            bound *= math.exp(2 * max(maxima)) * (totals.mean() ** 2 + totals.var())
            assert row[f"log_maximal_{part}"] == pytest.approx(math.log(bound))


def test_sets_that_are_the_same_are_measured_the_same():
    networks, inputs = random_networks((9, 7, 8, 4), count=3, biases=True), points(20, 9)
    table = train_test_sensitivity(networks, inputs, inputs)
    assert (of_part(table, "train") == of_part(table, "test")).all()


def test_train_and_test_are_not_swapped():
    """All units are active at small inputs, where biases decide, and fewer at large ones."""
    first, *above = random_networks((9, 30, 20, 4)).map(torch.abs).weights
    signs = torch.tensor([[1.0], [-1.0]], dtype=torch.float64).repeat(15, 1)
    biases = [torch.full((1, units), 5.0, dtype=torch.float64) for units in (30, 20, 4)]
    networks = FullyConnectedNetworks((signs * first, *above), "relu", tuple(biases))
    inside, outside = points(10, 9).abs() / 100, points(10, 9).abs() * 100
    row = train_test_sensitivity(networks, outside, inside).iloc[0]
    assert row["active_mean_train"] == 50
    assert row["active_mean_test"] == 35
    assert row["log_maximal_test"] < row["log_maximal_train"]
    swapped = train_test_sensitivity(networks, inside, outside)
    assert (of_part(swapped, "train") == row[[f"{n}_test" for n in OF_POINTS]].to_list()).all()


def test_farther_from_borders_is_more_likely():
    """Without biases a point ten times as far out has the same units, and ten times |z|."""
    networks, inputs = random_networks((9, 7, 8, 4), count=2), points(20, 9)
    table = train_test_sensitivity(networks, 10 * inputs, inputs)
    assert (table["active_mean_train"] == table["active_mean_test"]).all()
    assert (table["log_maximal_train"] == table["log_maximal_test"]).all()
    assert (table["log_empirical_test"] > table["log_empirical_train"]).all()


def test_a_factor_on_all_weights_is_its_power_of_depth_in_the_norm():
    networks, inputs = random_networks((9, 7, 8, 4), count=2), points(5, 9)
    before, after = (
        train_test_sensitivity(stack, inputs, inputs)["log_norm"]
        for stack in (networks, networks.map(lambda weight: 2 * weight))
    )
    assert (after - before).tolist() == pytest.approx([3 * math.log(2)] * 2)


def test_as_many_train_inputs_are_taken_as_test_inputs():
    networks, train = random_networks((9, 7, 4)), points(30, 9, seed=2)
    whole, few = (train_test_sensitivity(networks, points(12, 9), t) for t in (train, train[:12]))
    pd.testing.assert_frame_equal(whole, few)
    fewer = train_test_sensitivity(networks, points(12, 9), train[:3])
    assert (of_part(fewer, "test") == of_part(few, "test")).all()
    assert fewer["active_mean_train"].item() != few["active_mean_train"].item()


def test_chunks_change_nothing(monkeypatch):
    networks = random_networks((9, 7, 8, 4), "hardtanh", count=2, biases=True)
    inputs = points(11, 9), points(11, 9, seed=2)
    whole = train_test_sensitivity(networks, *inputs)
    monkeypatch.setattr(module, "SAMPLES_PER_CHUNK", 4)
    pd.testing.assert_frame_equal(train_test_sensitivity(networks, *inputs), whole)


def test_images_are_flattened_and_single_precision_is_enough():
    networks = random_networks((9, 7, 8, 4), count=2, biases=True)
    test, train = points(6, 1, 3, 3), points(6, 1, 3, 3, seed=2)
    flat = train_test_sensitivity(networks, test.flatten(1), train.flatten(1))
    pd.testing.assert_frame_equal(train_test_sensitivity(networks, test, train), flat)
    single = train_test_sensitivity(networks.to(torch.float32), test.float(), train.float())
    pd.testing.assert_frame_equal(single, flat, rtol=1e-5)


def test_a_layer_without_active_units_has_no_paths():
    networks = random_networks((9, 7, 4)).map(torch.abs)
    row = train_test_sensitivity(networks, points(5, 9).abs(), -points(5, 9).abs()).iloc[0]
    assert row["log_empirical_train"] == row["log_maximal_train"] == -np.inf
    assert np.isfinite(row[["log_empirical_test", "log_maximal_test"]].to_list()).all()
    units = torch.full((5, 1), 7.0, dtype=torch.float64)
    maxima = torch.stack([weight.amax((1, 2)).log() for weight in networks.weights], -1)[0]
    bound = path_bounds.theorem_3_2((9, 7, 4), units, maxima, reduction="sum")
    assert row["log_maximal_test"] == pytest.approx(float(bound))


@pytest.mark.parametrize(("widths", "activation"), [((9, 7, 4), "tanh"), ((9, 4), "relu")])
def test_networks_without_regions_or_hidden_layers_have_no_rows(widths, activation):
    table = train_test_sensitivity(random_networks(widths, activation), points(5, 9), points(5, 9))
    assert table.empty
    assert list(table) == COLUMNS

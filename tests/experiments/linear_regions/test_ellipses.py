from math import pi

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Generator

from generalization.experiments.linear_regions.ellipses import ellipses
from generalization.measures.jacobian_norm import jacobian_norm
from generalization.networks.fully_connected import initialize_fully_connected
from generalization.regions.ellipse_crossings import ellipse_crossings
from generalization.regions.trajectories import points_on_ellipses, random_ellipses

KINDS = ["random", "different", "same"]


def networks_of(activation="relu", count=2, widths=(16, 10, 8, 4)):
    generators = [Generator().manual_seed(seed) for seed in range(count)]
    return initialize_fully_connected(widths, activation, generators, init_scale=2.0)


def images(labels):
    """Images of 4 × 4 pixels."""
    inputs = torch.randn(len(labels), 1, 4, 4, generator=Generator().manual_seed(0))
    return inputs, torch.tensor(labels)


def profile(networks, inputs, labels, seed=0, **settings):
    return ellipses(networks, inputs, labels, Generator().manual_seed(seed), **settings)


def test_table_has_a_row_per_network_kind_ellipse_and_bin():
    table = profile(networks_of(), *images([0, 1, 2] * 4), ellipses=2, angles=12)
    names = ["network", "kind", "ellipse", "angle", "jacobian_norm", "transition_density"]
    assert list(table) == names
    assert table.groupby(["network", "kind", "ellipse"], sort=False).size().to_dict() == {
        (network, kind, ellipse): 12 for network in (0, 1) for kind in KINDS for ellipse in (0, 1)
    }
    centers = np.arange(12) * pi / 6
    assert table["angle"].to_numpy().reshape(12, 12) == pytest.approx(np.tile(centers, (12, 1)))


@pytest.mark.parametrize("seed", range(5))
def test_anchors_are_images_of_the_classes_that_the_kind_says(seed):
    networks = networks_of(count=1)
    inputs, labels = images([5, 2, 5, 7, 5])
    norms = jacobian_norm(networks, inputs)[0]
    table = profile(networks, inputs, labels, seed, ellipses=1, angles=6).set_index("kind")
    anchors = {kind: table.loc[kind, "jacobian_norm"].to_numpy()[[1, 3, 5]] for kind in KINDS}
    assert sorted(anchors["same"]) == pytest.approx(sorted(norms[[0, 2, 4]].tolist()), rel=1e-4)
    classes = [int(labels[(norms - norm).abs().argmin()]) for norm in anchors["different"].tolist()]
    assert sorted(classes) == [2, 5, 7]
    # Those of random ellipses are no images.
    assert all((norms - norm).abs().min() > 1e-3 * norm for norm in anchors["random"].tolist())


def test_random_rows_are_those_of_the_ellipses_that_the_generator_gives():
    networks = networks_of(count=2)
    table = profile(networks, *images([0, 1, 2] * 3), seed=4, ellipses=3, angles=24)
    curves = random_ellipses(3, (1, 4, 4), Generator().manual_seed(4))
    width = 2 * pi / 24
    for (position, number), rows in table[table["kind"] == "random"].groupby([
        "network",
        "ellipse",
    ]):
        network, curve = networks[[position]], curves[[number]]
        crossed = torch.cat([angle for _, angle in ellipse_crossings(network, curve)])
        for center, norm, density in rows[["angle", *table.columns[4:]]].to_numpy():
            points = points_on_ellipses(curve, torch.tensor([center]))[:, 0]
            assert norm == pytest.approx(jacobian_norm(network, points).item(), rel=1e-5)
            away = (crossed - center + pi) % (2 * pi) - pi
            inside = ((away >= -width / 2) & (away < width / 2)).sum().item()
            assert density == pytest.approx(inside / width)


@pytest.mark.parametrize("activation", ["relu", "hardtanh", "tanh"])
def test_density_adds_up_to_two_crossings_per_unit_on_random_ellipses(activation):
    networks = networks_of(activation, count=1, widths=(16, 30, 4))
    table = profile(networks, *images([0, 1, 2] * 3), ellipses=4, angles=12)
    density = table.loc[table["kind"] == "random", "transition_density"]
    crossings = density.sum() / 4 * 2 * pi / 12
    if activation == "hardtanh":  # Two thresholds, that not every unit reaches.
        assert 60 < crossings <= 120
    else:
        assert crossings == pytest.approx(60)


def test_random_ellipses_are_as_sensitive_at_the_anchors_as_elsewhere():
    networks = networks_of(count=8, widths=(16, 60, 60, 4))
    table = profile(networks, *images([0, 1, 2] * 3), ellipses=100, angles=12)
    flat = table[table["kind"] == "random"].groupby("angle").mean(numeric_only=True)
    for quantity in ("jacobian_norm", "transition_density"):
        relative = flat[quantity].to_numpy() / flat[quantity].mean()
        # About four standard errors of a mean over 100 ellipses.
        assert relative == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_stack_has_the_rows_of_its_networks_alone(activation):
    networks = networks_of(activation, count=3)
    data = images([0, 1, 2] * 3)
    table = profile(networks, *data, ellipses=2, angles=12)
    for position, network in enumerate(networks):
        alone = profile(network, *data, ellipses=2, angles=12).drop(columns="network")
        rows = table[table["network"] == position].drop(columns="network")
        assert (rows["kind"].to_numpy() == alone["kind"].to_numpy()).all()
        for column in alone.columns[1:]:
            assert rows[column].to_numpy() == pytest.approx(alone[column].to_numpy(), rel=1e-5)


def test_network_that_diverged_has_no_numbers_and_its_neighbor_has():
    networks = networks_of(count=2)
    networks.weights[1][0, 3, 4] = torch.nan
    table = profile(networks, *images([0, 1, 2] * 3), ellipses=1, angles=6).set_index("network")
    quantities = table[["jacobian_norm", "transition_density"]]
    assert quantities.loc[0].isna().all(axis=None)
    assert quantities.loc[1].notna().all(axis=None)


def test_network_without_hidden_layers_has_no_transitions():
    table = profile(networks_of(widths=(16, 4)), *images([0, 1, 2] * 3), ellipses=1, angles=6)
    assert (table["transition_density"] == 0).all()


@pytest.mark.parametrize(
    ("labels", "settings", "sentence"),
    [
        ([0, 1, 2] * 3, {"ellipses": 0}, r"^ellipses must be at least 1, not 0\.$"),
        ([0, 1, 2] * 3, {"angles": 20}, r"^angles must be a multiple of 6, not 20\.$"),
        ([0, 1] * 3, {}, r"^train_labels must be of at least 3 classes, not 2\.$"),
        (
            [0, 1, 2] * 2,
            {},
            r"^train_labels must hold a class at least 3 times, not 2 times at most\.$",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(labels, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        profile(networks_of(), *images(labels), **settings)


def test_ellipses_of_each_seed_are_shared_by_the_networks_of_that_seed_alone():
    networks, (inputs, labels) = networks_of(count=4), images([0, 1, 2] * 4)
    networks = networks[[0, 0, 0, 1]]
    members = pd.DataFrame({"seed": [1, 2, 1, 2]})
    settings = {"ellipses": 2, "angles": 6, "of_each_seed": True}
    table = profile(networks, inputs, labels, members=members, **settings)

    def norms_of(table, network, *kinds):
        rows = table[(table["network"] == network) & table["kind"].isin(kinds or KINDS)]
        return rows["jacobian_norm"].to_numpy()

    # One and the same network, on ellipses of seeds 1, 2 and 1.
    assert norms_of(table, 0) == pytest.approx(norms_of(table, 2))
    for kind in KINDS:
        different = norms_of(table, 0, kind) - norms_of(table, 1, kind)
        assert abs(different).max() > 1e-3
    # They do not depend on which networks are in the stack.
    alone = profile(networks[[3]], inputs, labels, members=members.iloc[[3]], **settings)
    assert norms_of(alone, 0) == pytest.approx(norms_of(table, 3))
    # Nor do those that all share depend on the seeds.
    shared = profile(networks, inputs, labels, members=members, ellipses=2, angles=6)
    assert norms_of(shared, 0) == pytest.approx(norms_of(shared, 1))

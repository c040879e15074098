import numpy as np
import pandas as pd
import pytest
from oracles.studies import hyperparameters, made_training

from generalization.experiments.linear_regions.transitions_against_layer import (
    transitions_against_layer,
)
from generalization.tables import collect_training


@pytest.fixture(scope="module")
def training():
    return collect_training(made_training(), hyperparameters())


@pytest.fixture(scope="module")
def profile(training):
    """Per unit 5 − layer transitions at step 0, then 5 + layer + corruption; and noise."""
    generator = np.random.default_rng(0)
    rows = []
    for network in training.to_dict("records"):
        for layer in range(1, network["depth"]):
            trained = 5 + layer + network["label_corruption"]
            per_unit = (trained if network["step"] else 5 - layer) + 0.1 * generator.random()
            rows.append({
                "ensemble": network["ensemble"],
                "seed": network["seed"],
                "step": network["step"],
                "layer": layer,
                "transitions": per_unit * network["width"],
                "sem": 1.0,
                "expected": 4.5 * network["width"],
            })
    return pd.DataFrame(rows)


def lines(axes, style):
    return [line for line in axes.lines if line.get_linestyle() == style]


def test_lines_are_means_over_networks_per_unit(training, profile):
    before, after = transitions_against_layer(profile, training).axes
    joined = profile.merge(training, on=["ensemble", "seed", "step"])
    joined["per_unit"] = joined["transitions"] / joined["width"].astype(float)
    for axes, chosen in ((before, joined["step"] == 0), (after, joined["final"])):
        groups = joined[chosen].groupby(["depth", "label_corruption"], sort=False)
        assert len(lines(axes, "-")) == len(groups) == 12
        for line, (_, alike) in zip(lines(axes, "-"), groups, strict=True):
            means = alike.groupby("layer")["per_unit"].mean()
            assert line.get_xdata().tolist() == means.index.tolist()
            assert line.get_ydata() == pytest.approx(means.to_numpy())


def test_band_is_one_standard_error_over_networks(training, profile):
    axes = transitions_against_layer(profile, training).axes[1]
    joined = profile.merge(training[training["final"]], on=["ensemble", "seed", "step"])
    joined["per_unit"] = joined["transitions"] / joined["width"].astype(float)
    groups = joined.groupby(["depth", "label_corruption"], sort=False)["per_unit"]
    for band, (_, alike) in zip(axes.collections, groups, strict=True):
        vertices = band.get_paths()[0].vertices
        first = vertices[vertices[:, 0] == 1, 1]
        of_layer = alike[joined["layer"] == 1]
        assert np.ptp(first) == pytest.approx(2 * of_layer.sem())


def test_expectation_is_dashed(training, profile):
    for axes in transitions_against_layer(profile, training).axes:
        assert len(lines(axes, "--")) == 3  # One per depth.
        for line in lines(axes, "--"):
            assert line.get_ydata() == pytest.approx(4.5)


def test_every_activation_function_has_a_row_of_its_own(training, profile):
    both = training.assign(
        activation=np.where(training["label_corruption"] > 0.3, "relu", "hardtanh")
    )
    figure = transitions_against_layer(profile, both, color="activation")
    assert [axes.get_title("left") for axes in figure.axes] == [
        "mnist_subset, hardtanh: before training",
        "mnist_subset, hardtanh: after training",
        "mnist_subset, relu: before training",
        "mnist_subset, relu: after training",
    ]
    heading = figure.axes[1].get_legend().get_texts()[0].get_text()
    assert heading == "Label corruption"


def test_headline_counts_networks(training, profile):
    assert transitions_against_layer(profile, training).get_suptitle() == (
        "Transitions per layer: means over 144 networks"
    )


def test_network_without_transitions_is_left_out(training, profile):
    lost = profile.assign(
        transitions=profile["transitions"].where(profile["ensemble"] != profile["ensemble"][0])
    )
    headline = transitions_against_layer(lost, training).get_suptitle()
    assert headline == "Transitions per layer: means over 140 networks"


def test_networks_that_were_not_kept_untrained_have_one_panel(training, profile):
    figure = transitions_against_layer(profile[profile["step"] > 0], training)
    assert [axes.get_title("left") for axes in figure.axes] == [
        "mnist_subset, relu: after training"
    ]


def test_one_network_has_lines(training, profile):
    one = profile[(profile["ensemble"] == profile["ensemble"][0]) & (profile["seed"] == 1)]
    its = training[(training["ensemble"] == one["ensemble"].iloc[0]) & (training["seed"] == 1)]
    figure = transitions_against_layer(one, its)
    assert all(len(lines(axes, "-")) == 1 for axes in figure.axes)


def test_nothing_to_show_is_stated(training, profile):
    for table in (profile[:0], profile.assign(transitions=np.nan)):
        assert transitions_against_layer(table, training).texts[0].get_text() == (
            "No network has transitions in hidden layers to show."
        )

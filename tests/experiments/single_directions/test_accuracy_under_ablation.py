import numpy as np
import pytest
from oracles.ablation_tables import made_curves, made_training

from generalization.experiments.single_directions.accuracy_under_ablation import (
    accuracy_under_ablation,
)

PANELS = 3  # Of a row: zero, mean, noise.


@pytest.fixture(scope="module")
def training():
    return made_training(normalizations=("none", "batch"))


@pytest.fixture(scope="module")
def figure(training):
    return accuracy_under_ablation(made_curves(training), training)


def test_rows_are_normalizations_and_dropouts(figure):
    titles = [axes.get_title("left") for axes in figure.axes[::PANELS]]
    assert titles == [
        "normalization batch, dropout 0\nAblated to zero",
        "normalization batch, dropout 0.3\nAblated to zero",
        "normalization none, dropout 0\nAblated to zero",
        "normalization none, dropout 0.3\nAblated to zero",
    ]
    assert [axes.get_title("left") for axes in figure.axes[1:PANELS]] == [
        "Ablated to their mean",
        "Noise added",
    ]
    assert figure.get_suptitle() == (
        "Single directions: accuracy of 60 networks while units are ablated"
    )


def test_lines_are_means_over_networks_with_bands_of_one_standard_error(figure, training):
    curves = made_curves(training).merge(training, on=["ensemble", "seed", "step"])
    some = curves[(curves["mode"] == "noise") & (curves["normalization"] == "none")]
    some = some[some["dropout"] == 0.3]
    axes = figure.axes[-1]
    assert len(axes.collections) == 5
    for line, band, (value, alike) in zip(
        axes.lines, axes.collections, some.groupby("label_corruption"), strict=True
    ):
        assert line.get_label() == f"{value:g}"
        by_amount = alike.groupby("amount")["accuracy"]
        drawn = np.interp(by_amount.mean().index, line.get_xdata(), line.get_ydata())
        assert drawn == pytest.approx(by_amount.mean().to_numpy())
        vertices = band.get_paths()[0].vertices
        at_2 = vertices[np.isclose(vertices[:, 0], 2), 1]
        assert np.ptp(at_2) == pytest.approx(2 * by_amount.sem().loc[2.0])


def test_fraction_dropped_in_training_is_marked_where_units_are_ablated(figure):
    marks = [
        [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"]
        for axes in figure.axes
    ]
    assert marks == [[], [], [], [0.3], [0.3], []] * 2


def test_networks_that_ablate_other_fractions_are_interpolated():
    training = made_training(corruptions=1, dropouts=(0.0,))
    curves = made_curves(training, modes=("zero",)).assign(accuracy=lambda rows: 1 - rows["amount"])
    coarse = (curves["seed"] == 2) & ~curves["amount"].isin([0.0, 0.5, 1.0])
    (axes,) = accuracy_under_ablation(curves[~coarse], training).axes
    line = axes.lines[0]
    assert line.get_ydata() == pytest.approx(1 - line.get_xdata())


def test_one_network_has_no_band():
    training = made_training(corruptions=1, dropouts=(0.0,)).head(1)
    (axes,) = accuracy_under_ablation(made_curves(training, modes=("zero",)), training).axes
    assert len(axes.lines) == 1
    assert not axes.collections
    assert axes.get_title("left") == "Ablated to zero"


def test_only_last_steps_and_all_layers_are_drawn(training):
    curves = made_curves(training)
    assert accuracy_under_ablation(curves.assign(layer="1"), training).texts[0].get_text() == (
        "No network has curves of ablation to show."
    )
    early = accuracy_under_ablation(curves, training.assign(final=False))
    assert early.texts[0].get_text() == "No network has curves of ablation to show."

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from oracles.sensitivity_studies import CONSTANTS, MEASURES, made_study

from generalization.experiments.output_sensitivity.loss_against_sensitivity import (
    loss_against_sensitivity,
)
from generalization.experiments.output_sensitivity.sensitivity_statistics import (
    sensitivity_statistics,
)
from generalization.statistics.resampling import Resampling


def tables(**settings):
    measures, profile, *_ = made_study(np.random.default_rng(0), **settings)
    generator = np.random.default_rng(1)
    return (
        measures,
        profile,
        sensitivity_statistics(measures, profile, resampling=Resampling(generator, 100)),
    )


@pytest.fixture(scope="module")
def one():
    return tables()


@pytest.fixture(scope="module")
def two():
    return tables(datasets=("mnist_subset", "digits"))


def drawn(axes):
    """Points and ends of bars of a panel: x, y, left, right, low, high, filled."""
    rows = []
    for container in axes.containers:
        point, _, (across, up) = container.lines
        (left, _), (right, _) = across.get_segments()[0]
        (_, low), (_, high) = up.get_segments()[0]
        rows.append({
            "x": point.get_xdata()[0],
            "y": point.get_ydata()[0],
            "ends": (left, right, low, high),
            "filled": to_hex(point.get_markerfacecolor()) != "#ffffff",
        })
    return pd.DataFrame(rows)


@pytest.mark.parametrize("place", range(4))
def test_points_are_geometric_means_with_the_range_of_seeds(one, place):
    measures, *_ = one
    points = drawn(loss_against_sensitivity(*one).axes[place])
    rows = measures[measures["final"] & (measures["measure"] == MEASURES[place])]
    for point, (_, seeds) in zip(
        points.to_dict("records"), rows.groupby("ensemble", sort=False), strict=True
    ):
        s, loss = seeds["value"], seeds["test_loss"]
        expected = np.exp([np.log(s).mean(), np.log(loss).mean()])
        assert [point["x"], point["y"]] == pytest.approx(expected)
        assert point["ends"] == pytest.approx((s.min(), s.max(), loss.min(), loss.max()))


def test_line_is_the_prediction_from_the_sensitivity_of_its_row(one):
    figure = loss_against_sensitivity(*one)
    for axes in figure.axes[:3]:
        (line,) = [line for line in axes.lines if len(line.get_xdata()) == 50]
        s = line.get_xdata()
        expected = np.sqrt(0.5 * 9 / 10 * s * CONSTANTS["input_ratio"])
        assert line.get_ydata() == pytest.approx(expected)
        assert s.min() <= drawn(axes)["x"].min() < drawn(axes)["x"].max() <= s.max()
    assert not [line for line in figure.axes[3].lines if len(line.get_xdata()) == 50]


def test_both_axes_are_logarithmic(one):
    axes = loss_against_sensitivity(*one).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_xlabel() == "Output sensitivity S"


def test_correlations_stand_above(one):
    row = (
        one[2]
        .query(
            "trained and measure == 'output_sensitivity' and selection == 'fitted' "
            "and statistic == 'spearman'"
        )
        .iloc[0]
    )
    words = loss_against_sensitivity(*one).axes[0].texts[0].get_text()
    assert words.splitlines()[1] == (
        f"ρ {row['estimate']:.2f} [{row['low']:.2f}, {row['high']:.2f}], 60 fitted networks"
    )


def test_without_fitted_networks_the_correlation_is_of_all(one):
    measures, profile, _ = one
    unfit = measures.assign(train_accuracy=0.5)
    statistics = sensitivity_statistics(
        unfit, profile, resampling=Resampling(np.random.default_rng(1), 100)
    )
    figure = loss_against_sensitivity(unfit, profile, statistics)
    assert figure.axes[0].texts[0].get_text().endswith("60 networks")
    assert not drawn(figure.axes[0])["filled"].any()


def test_datasets_have_columns(two):
    figure = loss_against_sensitivity(*two)
    assert [axes.get_title("left") for axes in figure.axes] == ["digits", "mnist_subset"] * 4
    measures = two[0]
    digits = drawn(figure.axes[0])
    expected = measures[measures["final"] & (measures["dataset"] == "digits")]["test_loss"]
    assert expected.min() <= digits["y"].min() < digits["y"].max() <= expected.max()


def test_settings_are_distinguished(one):
    figure = loss_against_sensitivity(*one, color="init_scale", marker="depth")
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert texts == [
        *("Init scale", "1", "2", "Depth", "2", "3", "5"),
        *("Predicted", "√(½ · (K−1)/K · S C)"),
    ]


def test_no_trained_network_is_stated(one):
    measures, profile, statistics = one
    figure = loss_against_sensitivity(measures[measures["step"] == 0], profile, statistics)
    assert figure.texts[0].get_text() == ("Loss against sensitivity: no trained network has both.")

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from oracles.studies import made_measures, made_measures_of_two

from generalization.figures.paired_ensembles import paired_ensembles
from generalization.statistics.pair_statistics import pair_statistics
from generalization.statistics.pairs import pairs as pairs_of
from generalization.tables import read_table, write_table

COMPARISONS = [
    {"setting": "label_corruption", "better": 0, "worse": 1},
    {"setting": "depth", "better": 3, "worse": 5, "fitted": False},
    {"setting": "activation", "better": "relu", "worse": "hardsigmoid"},
]
SHOWN = ["generalization_gap", "jacobian_norm", "transitions"]


def tables(measures, comparisons=COMPARISONS):
    compared = pairs_of(measures, comparisons)
    return compared, pair_statistics(compared)


@pytest.fixture(scope="module")
def one():
    return tables(made_measures())


@pytest.fixture(scope="module")
def two():
    return tables(made_measures_of_two())


def panel(figure, row, quantity):
    return figure.axes[row * len(SHOWN) + SHOWN.index(quantity)]


def drawn(axes):
    """Points and bars of a panel: x, y, half width, half height, color."""
    rows = []
    for container in axes.containers:
        point, _, (across, up) = container.lines
        (left, _), (right, _) = across.get_segments()[0]
        (_, low), (_, high) = up.get_segments()[0]
        rows.append({
            "value_better": point.get_xdata()[0],
            "value_worse": point.get_ydata()[0],
            "error_better": (right - left) / 2,
            "error_worse": (high - low) / 2,
            "color": to_hex(point.get_color()),
        })
    return pd.DataFrame(rows)


@pytest.mark.parametrize("quantity", SHOWN)
def test_points_are_pairs_with_standard_errors(one, quantity):
    compared, _ = one
    figure = paired_ensembles(*one)
    for row, setting in enumerate(["label_corruption", "depth"]):
        there = compared[(compared["setting"] == setting) & (compared["quantity"] == quantity)]
        points = drawn(panel(figure, row, quantity)).drop(columns="color")
        expected = there[list(points)].dropna(subset="value_worse")
        assert points.to_numpy() == pytest.approx(expected.to_numpy())


def test_axes_are_equal_and_cut_by_the_diagonal(one):
    figure = paired_ensembles(*one)
    figure.draw_without_rendering()
    scales = {"generalization_gap": "linear", "jacobian_norm": "log", "transitions": "log"}
    for quantity, scale in scales.items():
        axes = panel(figure, 0, quantity)
        assert axes.get_xlim() == axes.get_ylim()
        assert (axes.get_xscale(), axes.get_yscale()) == (scale, scale)
        assert axes.bbox.width == pytest.approx(axes.bbox.height)
        (diagonal,) = [line for line in axes.lines if line.get_xydata().shape == (2, 2)]
        ends = diagonal.get_transform().transform(diagonal.get_xydata())
        across, up = axes.transAxes.inverted().transform(ends).T
        assert across == pytest.approx(up)


def test_axes_name_the_settings(one):
    axes = panel(paired_ensembles(*one), 0, "jacobian_norm")
    assert axes.get_xlabel() == "label corruption = 0"
    assert axes.get_ylabel() == "label corruption = 1"


def test_sign_test_stands_above(one):
    axes = panel(paired_ensembles(*one), 0, "jacobian_norm")
    assert axes.get_title("left") == "Jacobian norm"
    # Seven of seven: 0.025^(1/7) = 0.59, 2 · 0.5⁷ = 0.0156.
    assert axes.texts[0].get_text() == "100 % [59, 100] of 7 above\np = 0.016"


def test_test_accuracy_is_next_to_the_comparison(one):
    figure = paired_ensembles(*one)
    assert [part.get_suptitle() for part in figure.subfigs] == [
        "Label corruption: 1 against 0 (test accuracy is higher with 0 in 100 % of 7 pairs)",
        "Depth: 5 against 3 (test accuracy is higher with 3 in 46 % of 12 pairs)",
        "Activation: hardsigmoid against relu",
    ]


def test_comparison_without_pairs_says_so(one):
    figure = paired_ensembles(*one)
    for quantity in SHOWN:
        (text,) = panel(figure, 2, quantity).texts
        words = text.get_text().replace("\n", " ")
        assert words == "No pair: no two ensembles differ in this setting alone."


def test_datasets_have_colors(one, two):
    figure = paired_ensembles(*two)
    points = drawn(panel(figure, 1, "transitions"))
    assert points["color"].value_counts().to_list() == [12, 12]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["digits", "mnist_subset"]
    assert paired_ensembles(*one).legends == []


def test_gap_that_is_negative_and_a_single_seed_can_be_drawn():
    measures = made_measures()
    measures = measures[measures["seed"] == 1]
    lower = measures.assign(generalization_gap=measures["generalization_gap"] - 0.5)
    points = drawn(panel(paired_ensembles(*tables(lower)), 0, "generalization_gap"))
    assert (points["value_better"] < 0).all()
    assert np.all(points[["error_better", "error_worse"]] == 0)


def test_tables_that_were_read_are_drawn_as_those_that_were_written(one, tmp_path):
    read = []
    for name, table in zip(["pairs", "pair_statistics"], one, strict=True):
        write_table(tmp_path / f"{name}.csv", table)
        read.append(read_table(tmp_path / f"{name}.csv"))
    figures = [paired_ensembles(*one), paired_ensembles(*read)]
    for axes, again in zip(*(figure.axes for figure in figures), strict=True):
        assert axes.get_xlabel() == again.get_xlabel()
        assert len(axes.containers) == len(again.containers)


def test_numbers_alone_are_read_as_numbers_and_drawn(tmp_path):
    read = []
    for name, table in zip(["p", "s"], tables(made_measures(), COMPARISONS[:1]), strict=True):
        write_table(tmp_path / f"{name}.csv", table)
        read.append(read_table(tmp_path / f"{name}.csv"))
    assert panel(paired_ensembles(*read), 0, "transitions").get_ylabel() == "label corruption = 1"


def test_no_comparison_is_stated():
    figure = paired_ensembles(*tables(made_measures(), []))
    assert figure.texts[0].get_text() == "No settings were compared in pairs."

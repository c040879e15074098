from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from oracles.studies import made_measures, made_measures_of_two

from generalization.figures.gap_against_measure import gap_against_measure
from generalization.figures.looks import colors
from generalization.figures.style import logarithmic, styled
from generalization.statistics.fit_statistics import fit_statistics
from generalization.statistics.resampling import Resampling


@pytest.fixture(scope="module")
def measures():
    return made_measures()


@pytest.fixture(scope="module")
def statistics(measures):
    chosen = measures[measures["measure"].isin(["jacobian_norm", "constant", "output_entropy"])]
    return fit_statistics(
        chosen, resampling=Resampling(np.random.default_rng(0), 100), permutations=99
    )[0]


def drawn(figure, panel=0):
    """Points and bars of a panel: x, y, half width, half height, filled, color, marker."""
    rows = []
    for container in figure.axes[panel].containers:
        point, _, (across, up) = container.lines
        (left, _), (right, _) = across.get_segments()[0]
        (_, low), (_, high) = up.get_segments()[0]
        rows.append({
            "x": point.get_xdata()[0],
            "y": point.get_ydata()[0],
            "x_bar": (right - left) / 2,
            "y_bar": (high - low) / 2,
            "filled": to_hex(point.get_markerfacecolor()) != "#ffffff",
            "color": to_hex(point.get_color()),
            "marker": point.get_marker(),
        })
    return pd.DataFrame(rows)


def legend_of(figure):
    legend = figure.axes[0].get_legend()
    return [text.get_text() for text in legend.get_texts()] if legend else []


def test_points_are_means_over_seeds_with_standard_errors(measures, statistics):
    points = drawn(gap_against_measure(measures, statistics, "jacobian_norm"))
    rows = measures[(measures["measure"] == "jacobian_norm") & np.isfinite(measures["value"])]
    ensembles = rows.groupby("ensemble")[["value", "generalization_gap"]]
    order = rows["ensemble"].unique()
    assert points[["x", "y"]].to_numpy() == pytest.approx(ensembles.mean().loc[order].to_numpy())
    errors = ensembles.std() / np.sqrt(ensembles.count())
    assert points[["x_bar", "y_bar"]].to_numpy() == pytest.approx(errors.loc[order].to_numpy())


def test_axis_says_how_values_were_found(measures, statistics):
    def label(**changes):
        figure = gap_against_measure(measures.assign(**changes), statistics, "jacobian_norm")
        return figure.axes[0].get_xlabel()

    assert label() == label(method="exact")
    assert label(method="sampled") == f"{label()} (sampled)"


def test_ensembles_that_did_not_fit_are_hollow(measures, statistics):
    figure = gap_against_measure(measures, statistics, "output_entropy")
    # Two ensembles did not fit, and one has a network that diverged.
    assert (~drawn(figure)["filled"]).sum() == 3
    assert legend_of(figure)[-3:] == ["Seeds fitted", "all", "not all"]
    all_fitted = gap_against_measure(measures, statistics, "output_entropy", fitted_accuracy=0.1)
    assert drawn(all_fitted)["filled"].all()
    assert "Seeds fitted" not in legend_of(all_fitted)


def test_hyperparameters_are_distinguished(measures, statistics):
    figure = gap_against_measure(
        measures, statistics, "output_entropy", color="label_corruption", marker="init_scale"
    )
    points = drawn(figure)
    assert points["color"].nunique() == 4
    assert points["marker"].nunique() == 3
    expected = {to_hex(color) for color in colors([0.0, 0.25, 0.5, 1.0]).values()}
    assert set(points["color"]) == expected
    assert legend_of(figure)[:9] == ([
        "Label corruption",
        "0",
        "0.25",
        "0.5",
        "1",
        "Init scale",
        "0.5",
        "1",
        "2",
    ])


def test_hyperparameter_that_is_not_swept_is_replaced(measures, statistics):
    figure = gap_against_measure(
        measures, statistics, "output_entropy", color="activation", marker="dataset"
    )
    assert legend_of(figure)[0] == "Label corruption"
    assert set(drawn(figure)["marker"]) == {"o"}


def test_one_ensemble_of_one_seed_is_a_point_without_bars(measures, statistics):
    one = measures[(measures["ensemble"] == measures["ensemble"][0]) & (measures["seed"] == 1)]
    figure = gap_against_measure(one, statistics, "output_entropy")
    assert drawn(figure)[["x_bar", "y_bar"]].to_numpy().tolist() == [[0, 0]]
    assert legend_of(figure) == []


def test_axis_is_logarithmic_where_all_is_positive(measures, statistics):
    signed = measures.assign(value=measures["value"] - 0.1)
    scales = [
        gap_against_measure(table, statistics, "jacobian_norm").axes[0].get_xscale()
        for table in (measures, signed)
    ]
    assert scales == ["log", "linear"]


@pytest.mark.parametrize(("largest", "scale"), [(1e6, "symlog"), (1.0, "linear")])
def test_a_zero_does_not_squeeze_values_of_many_decades(measures, statistics, largest, scale):
    of_measure = measures["measure"] == "jacobian_norm"
    values = measures["value"].where(~of_measure, 1.0)
    first, second = measures["ensemble"].unique()[:2]
    values[of_measure & (measures["ensemble"] == first)] = 0.0
    values[of_measure & (measures["ensemble"] == second)] = largest
    figure = gap_against_measure(measures.assign(value=values), statistics, "jacobian_norm")
    axes = figure.axes[0]
    assert axes.get_xscale() == scale
    low, high = axes.get_xlim()
    assert low < 0 < largest < high


def test_correlation_stands_above(measures, statistics):
    figure = gap_against_measure(measures, statistics, "jacobian_norm")
    row = statistics.query("measure == 'jacobian_norm' and statistic == 'spearman'").iloc[0]
    axes = figure.axes[0]
    assert axes.get_title("left") == "Gap against Jacobian norm"
    assert axes.texts[0].get_text().splitlines()[0] == (
        f"Fitted: Spearman ρ {row['estimate']:.2f} [{row['low']:.2f}, {row['high']:.2f}], "
        "95 % interval; 135 networks of 34 ensembles"
    )


def test_reason_stands_above_where_there_is_no_correlation(measures, statistics):
    axes = gap_against_measure(measures, statistics, "constant").axes[0]
    assert axes.texts[0].get_text().splitlines()[1] == (
        "All: the measure is the same for all ensembles; 144 networks of 36 ensembles"
    )


@pytest.fixture(scope="module")
def two():
    measures = made_measures_of_two()
    chosen = measures[measures["measure"].isin(["jacobian_norm", "output_entropy"])]
    return measures, fit_statistics(
        chosen, resampling=Resampling(np.random.default_rng(0), 100), permutations=99
    )[0]


def test_datasets_have_panels_with_one_scale_of_the_gap(two):
    measures, statistics = two
    figure = gap_against_measure(measures, statistics, "jacobian_norm")
    assert [axes.get_title("left") for axes in figure.axes] == ["mnist_subset", "digits"]
    for panel, dataset in enumerate(["mnist_subset", "digits"]):
        alone = measures[measures["dataset"] == dataset]
        expected = drawn(gap_against_measure(alone, statistics, "jacobian_norm"))
        pd.testing.assert_frame_equal(drawn(figure, panel), expected)
    left, right = figure.axes
    assert left.get_ylim() == right.get_ylim()


def test_correlation_of_a_dataset_stands_above_its_panel(two):
    measures, statistics = two
    figure = gap_against_measure(measures, statistics, "jacobian_norm")
    assert figure.get_suptitle() == ("Gap against Jacobian norm: Spearman's ρ with 95 % intervals")
    row = statistics.query(
        "measure == 'jacobian_norm' and statistic == 'spearman' and dataset == 'digits'"
    ).iloc[0]
    assert figure.axes[1].texts[0].get_text().splitlines()[0] == (
        f"Fitted: ρ {row['estimate']:.2f} [{row['low']:.2f}, {row['high']:.2f}], 135 networks"
    )


def test_datasets_are_not_distinguished_by_color(two):
    measures, statistics = two
    figure = gap_against_measure(
        measures, statistics, "jacobian_norm", color="dataset", marker="init_scale"
    )
    texts = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert texts[0] == "Label corruption"


def test_dataset_without_a_value_has_an_empty_panel_with_the_reason(two):
    measures, _ = two
    lost = measures.assign(value=measures["value"].where(measures["dataset"] != "digits"))
    chosen = lost[lost["measure"] == "output_entropy"]
    statistics = fit_statistics(
        chosen, resampling=Resampling(np.random.default_rng(0), 100), permutations=99
    )[0]
    axes = gap_against_measure(lost, statistics, "output_entropy").axes[1]
    assert len(axes.containers) == 0
    assert axes.texts[0].get_text().splitlines() == [
        "Fitted: no network is left, 0 networks",
        "All: no network is left, 0 networks",
    ]


@pytest.mark.parametrize("number", [3, 4])
def test_more_datasets_have_more_rows(measures, statistics, number):
    several = pd.concat(
        [
            measures.assign(dataset=f"{place}", ensemble=f"{place}" + measures["ensemble"])
            for place in range(number)
        ],
        ignore_index=True,
    )
    figure = gap_against_measure(several, statistics, "jacobian_norm")
    assert [axes.get_title("left") for axes in figure.axes] == [f"{n}" for n in range(number)]
    assert all(len(axes.containers) == 36 for axes in figure.axes)
    assert [axes.get_legend() is not None for axes in figure.axes] == [
        place == 1 for place in range(number)
    ]


@pytest.mark.parametrize("measure", ["lost", "unheard_of"])
def test_nothing_to_show_is_stated(measures, statistics, measure):
    figure = gap_against_measure(measures, statistics, measure)
    assert "no network has a finite value." in figure.texts[0].get_text()


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ((0.15, 2.3), ["0.2", "0.3", "0.5", "1", "2"]),
        ((0.02, 900.0), ["0.1", "1", "10", "100"]),
        ((0.6, 2.4), ["0.8", "1.2", "1.6", "2", "2.4"]),
        ((1500.0, 2500.0), ["1,600", "1,800", "2,000", "2,200", "2,400"]),
    ],
)
def test_ticks_of_a_logarithmic_axis_are_plain_numbers(values, labels):
    axes = Figure().add_subplot()
    axes.plot(values, [0, 1])
    logarithmic(axes.xaxis, pd.Series(values))
    axes.set_xlim(*values)
    axes.figure.canvas.draw()
    low, high = values
    shown = [
        label.get_text()
        for label, tick in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)
        if low <= tick <= high
    ]
    assert shown == labels


def boxes_of_ticks(axes):
    """Where the labels of an x axis stand, from left to right."""
    axes.figure.canvas.draw()
    low, high = axes.get_xlim()
    labels = zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)
    shown = [label for label, tick in labels if low <= tick <= high and label.get_text()]
    return sorted((label.get_window_extent() for label in shown), key=lambda box: box.x0)


def test_ticks_of_a_logarithmic_axis_have_room_where_intervals_are_wide():
    axes = Figure(figsize=(6, 4)).add_subplot()
    axes.errorbar([0.02, 0.3], [0, 1], xerr=[[0.0188, 0.1], [0.1, 0.2]])
    logarithmic(axes.xaxis, pd.Series([0.02, 0.3]))
    boxes = boxes_of_ticks(axes)
    assert len(boxes) >= 3
    assert all(one.x1 < other.x0 for one, other in pairwise(boxes))


@pytest.mark.parametrize("width", [2.8, 3.3, 4.1, 5, 7])
@pytest.mark.parametrize("least", [1e-6, 1e-9, 1e-14, 1e-21, 1e-28, 1e-42, 1e-120])
@styled
def test_powers_of_ten_have_room_between_them(least, width):
    axes = Figure(figsize=(width, 4)).add_subplot()
    values = pd.Series([least, 20])
    axes.plot(values, [0, 1])
    logarithmic(axes.xaxis, values)
    boxes = boxes_of_ticks(axes)
    assert len(boxes) >= 2
    space = 0.5 * 10.5 * axes.figure.dpi / 72  # half the size of their font
    assert all(one.x1 + space < other.x0 for one, other in pairwise(boxes))

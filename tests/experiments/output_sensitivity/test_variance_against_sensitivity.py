import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from oracles.sensitivity_tables import (
    made_distances,
    made_outputs,
    made_sensitivities,
    made_training,
)

from generalization.experiments.output_sensitivity import bias_variance as statistics
from generalization.experiments.output_sensitivity.variance_against_sensitivity import (
    variance_against_sensitivity,
)
from generalization.figures.looks import colors
from generalization.statistics.resampling import Resampling


@pytest.fixture(scope="module")
def training():
    return made_training()


@pytest.fixture(scope="module")
def table(training):
    distances = made_distances(training, *made_outputs(training))
    return statistics.bias_variance(
        distances,
        made_sensitivities(training),
        training,
        resampling=Resampling(np.random.default_rng(0), 100),
    )


def drawn(axes):
    """Places of the points of a panel."""
    return [tuple(bars.lines[0].get_xydata()[0]) for bars in axes.containers]


def expected(table, trained):
    rows = table[(table["output"] == "logits") & (table["trained"] == trained)]
    wide = rows.pivot(index="ensemble", columns="quantity", values="estimate")
    return list(wide[["predicted", "variance"]].itertuples(index=False, name=None))


def test_points_are_ensembles_before_and_after_training(table, training):
    before, after = variance_against_sensitivity(table, training).axes
    for axes, trained, heading in ((before, False, "Untrained"), (after, True, "At the last step")):
        assert np.array(drawn(axes)) == pytest.approx(np.array(expected(table, trained)))
        assert axes.get_title("left") == heading
        assert axes.get_xscale() == axes.get_yscale() == "log"
        assert axes.get_xlim() == axes.get_ylim()


def test_bars_are_intervals(table, training):
    axes = variance_against_sensitivity(table, training).axes[0]
    rows = table[(table["output"] == "logits") & ~table["trained"]]
    low, high = (
        rows.pivot(index="ensemble", columns="quantity", values=end) for end in ("low", "high")
    )
    for bars, place in zip(axes.containers, range(6), strict=True):
        horizontal, vertical = (line.get_segments()[0] for line in bars.lines[2])
        ends = low["predicted"].iloc[place], high["predicted"].iloc[place]
        assert horizontal[:, 0] == pytest.approx(ends)
        ends = low["variance"].iloc[place], high["variance"].iloc[place]
        assert vertical[:, 1] == pytest.approx(ends)


def test_line_is_where_both_are_equal(table, training):
    for axes in variance_against_sensitivity(table, training).axes:
        (line,) = (line for line in axes.lines if line.get_zorder() == 0)
        assert np.array(line.get_xydata()) == pytest.approx(np.repeat([axes.get_xlim()], 2, 0).T)


def test_colors_and_markers_are_explained(table, training):
    figure = variance_against_sensitivity(table, training, color="width", marker="depth")
    texts = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert texts == ["Width", "50", "100", "150", "Depth", "2", "3"]
    hues = colors([50, 100, 150])
    shades = [to_hex(bars.lines[0].get_color()) for bars in figure.axes[0].containers]
    assert shades == [to_hex(hues[width]) for width in (50, 100, 150) * 2]


def test_agreement_is_stated(table, training):
    points = pd.DataFrame(expected(table, True), columns=["x", "y"])
    ratios = points["y"] / points["x"]
    words = variance_against_sensitivity(table, training).axes[1].texts[0].get_text()
    assert words == (
        f"Variance / predicted: median {ratios.median():.3g}\n"
        f"from {ratios.min():.3g} to {ratios.max():.3g}, 6 ensembles"
    )


def test_datasets_are_rows(table, training):
    both = [table, table.assign(ensemble="d" + table["ensemble"], dataset="digits")]
    twice = [training, training.assign(ensemble="d" + training["ensemble"], dataset="digits")]
    figure = variance_against_sensitivity(pd.concat(both), pd.concat(twice))
    assert [axes.get_title("left") for axes in figure.axes] == [
        "digits: untrained",
        "digits: at the last step",
        "mnist_subset: untrained",
        "mnist_subset: at the last step",
    ]


def test_single_networks_and_unknown_predictions_are_left_out(table, training):
    one = table["ensemble"] == "e0"
    lost = table.assign(estimate=table["estimate"].mask(one & (table["quantity"] == "variance")))
    assert len(drawn(variance_against_sensitivity(lost, training).axes[0])) == 5


def test_untrained_networks_only(table, training):
    before, after = variance_against_sensitivity(table[~table["trained"]], training).axes
    assert len(drawn(before)) == 6
    assert drawn(after) == []
    assert after.texts[0].get_text() == "no ensemble has both"


def test_nothing_to_show_is_stated(table, training):
    words = "No ensemble has a variance of logits and a prediction of it."
    for nothing in (table[:0], table.assign(estimate=np.nan), table[:0].astype(object)):
        assert variance_against_sensitivity(nothing, training).texts[0].get_text() == words

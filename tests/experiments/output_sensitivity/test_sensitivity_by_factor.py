import numpy as np
import pytest
from matplotlib.colors import to_hex
from oracles.sensitivity_studies import made_study

from generalization.experiments.output_sensitivity.sensitivity_by_factor import (
    groups_of,
    mean_line,
    sensitivity_by_factor,
)

NONE = np.nan


@pytest.fixture(scope="module")
def measures():
    return made_study(np.random.default_rng(0))[0]


def lines(axes, *, thick):
    return [line for line in axes.lines if (line.get_linewidth() == 3) == thick]


def test_thin_lines_are_ensembles_that_differ_in_the_factor_alone(measures):
    axes = sensitivity_by_factor(measures, "dropout").axes[0]
    rows = measures[measures["final"] & (measures["measure"] == "output_sensitivity")]
    logs = np.log(rows["value"]).groupby([
        rows[key] for key in ("depth", "width", "init_scale", "dropout")
    ])
    expected = np.exp(logs.mean().unstack()).to_numpy()
    found = [line.get_ydata() for line in lines(axes, thick=False)]
    assert np.sort(found, axis=0) == pytest.approx(np.sort(expected, axis=0))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "0.5"]


def test_thick_line_goes_by_the_mean_ratio(measures):
    axes = sensitivity_by_factor(measures, "dropout").axes[2]
    (thick,) = lines(axes, thick=True)
    thin = np.log([line.get_ydata() for line in lines(axes, thick=False)])
    assert np.log(thick.get_ydata()) == pytest.approx(thin.mean(0))
    ratio = np.exp((thin[:, 1] - thin[:, 0]).mean())
    falls = (thin[:, 1] < thin[:, 0]).sum()
    assert axes.texts[0].get_text() == f"× {ratio:.2g}, falls in {falls} of 10"


def test_depth_at_fixed_size_joins_other_widths_but_not_other_sizes(measures):
    points = groups_of(measures, "depth_at_fixed_size")
    of_one = points[points["quantity"] == "test_loss"]
    assert sorted(of_one.groupby("group")["value"].apply(sorted)) == [[2, 3, 5]] * 4
    at_fixed_width = groups_of(measures, "depth")
    of_one = at_fixed_width[at_fixed_width["quantity"] == "test_loss"]
    assert sorted(of_one.groupby("group")["value"].apply(sorted)) == [[2, 5]] * 8


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([[0, 1], [2, 5]], [1, 3]),
        # Who has no first value does not move the line, but by its steps.
        ([[0, 1, 2], [NONE, 7, 9]], [0, 1, 2.5]),
        ([[NONE, 1, 2], [NONE, 3, NONE]], [NONE, 2, 3]),
        ([[1, NONE, 2]], [1, NONE, NONE]),
        ([[NONE, NONE]], [NONE, NONE]),
    ],
)
def test_mean_line(groups, expected):
    assert mean_line(np.array(groups, float)) == pytest.approx(expected, nan_ok=True)


def test_datasets_have_colors():
    two = made_study(np.random.default_rng(0), datasets=("mnist_subset", "digits"))[0]
    figure = sensitivity_by_factor(two, "init_scale")
    assert len({to_hex(line.get_color()) for line in figure.axes[0].lines}) == 2
    words = figure.axes[0].texts[0].get_text().splitlines()
    assert [line.split()[0] for line in words] == ["digits", "mnist_subset"]
    texts = [text.get_text() for text in figure.axes[-1].get_legend().get_texts()]
    assert texts == ["Dataset", "digits", "mnist_subset", "Lines", "mean", "all else equal"]


def test_value_that_is_null_has_a_place(measures):
    some = measures.assign(train_size=np.where(measures["dropout"] == 0, 1000, np.nan), dropout=0)
    axes = sensitivity_by_factor(some, "train_size").axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1000", "null"]
    assert len(lines(axes, thick=False)) == 10


def test_factor_of_which_nothing_else_is_equal_is_stated(measures):
    figure = sensitivity_by_factor(measures, "activation")
    assert figure.texts[0].get_text() == "Activation: no two ensembles differ in it alone."

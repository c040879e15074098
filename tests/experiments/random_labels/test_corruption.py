import numpy as np
import pytest
from oracles.random_data import made_courses

from generalization.experiments.random_labels.corruption import corruption
from generalization.experiments.random_labels.fitting_times import fitting_times
from generalization.statistics.resampling import Resampling

CLASSES = {"mnist": 10}


@pytest.fixture(scope="module")
def times():
    return of(made_courses())


def of(training):
    return fitting_times(
        training,
        {"accuracy": 0.5},
        {"mnist": 10},
        resampling=Resampling(np.random.default_rng(0), 50),
    )


def points(container):
    return np.array(container.lines[0].get_xydata())


def test_times_relative_to_true_labels(times):
    axes = corruption(times, CLASSES).axes[0]
    assert len(axes.containers) == 2
    for container in axes.containers:
        assert points(container) == pytest.approx(np.array([[0, 1], [0.5, 2], [1, 4]]))


def test_test_errors(times):
    axes = corruption(times, CLASSES).axes[1]
    for container in axes.containers:
        assert points(container) == pytest.approx(np.array([[0, 0.2], [0.5, 0.5], [1, 0.9]]))


def test_bars_are_intervals(times):
    container = corruption(times, CLASSES).axes[1].containers[0]
    rows = times.query("depth == 2 and statistic == 'test_error'")
    rows = rows[rows["randomization"].isin(["none", "random_labels"])]
    ends = [segment[:, 1].tolist() for segment in container.lines[2][0].get_segments()]
    expected = rows.sort_values("label_corruption")[["low", "high"]].to_numpy()
    assert np.array(ends) == pytest.approx(expected)


def test_chance_is_dashed(times):
    axes = corruption(times, CLASSES).axes[1]
    dashed = [one for one in axes.lines if one.get_linestyle() == "--"]
    assert [one.get_ydata()[0] for one in dashed] == [0.9]


def test_legend_names_architectures(times):
    texts = [
        text.get_text() for text in corruption(times, CLASSES).axes[1].get_legend().get_texts()
    ]
    assert texts == ["Networks", "mnist, depth 2", "mnist, depth 4", "Error", "chance"]


def test_uncorrupted_labels_are_mentioned():
    kinds = (("none", 0.0), ("gaussian", 0.0))
    assert corruption(of(made_courses(kinds=kinds)), CLASSES).texts[0].get_text() == (
        "Labels were not corrupted to several degrees."
    )

import numpy as np
import pytest
from oracles.random_data import TIMES, made_courses

from generalization.experiments.random_labels.fitting_curves import HUES, fitting_curves
from generalization.experiments.random_labels.fitting_times import fitting_times
from generalization.figures.marks import mean_over_seeds
from generalization.statistics.resampling import Resampling


@pytest.fixture(scope="module")
def training():
    return made_courses()


def drawn(training):
    times = fitting_times(
        training,
        {"accuracy": 0.5},
        {"mnist": 10},
        resampling=Resampling(np.random.default_rng(0), 50),
    )
    return fitting_curves(training, times)


def lines(axes):
    return [one for one in axes.lines if len(one.get_xdata()) > 2]


def test_one_panel_per_architecture(training):
    titles = [axes.get_title("left") for axes in drawn(training).axes]
    assert titles == ["mnist, depth 2", "mnist, depth 4"]


def test_foreign_architectures_are_named_without_what_they_lack(training):
    foreign = training["depth"] == 4
    training = training.assign(
        depth=training["depth"].mask(foreign),
        architecture=np.where(foreign, "package.module:small_net", "fully_connected"),
        architecture_arguments=np.where(foreign, '{"depth": 11}', None),
    )
    titles = {axes.get_title("left") for axes in drawn(training).axes}
    assert titles == {"mnist, fully connected", "mnist, small net, depth 11"}


def test_one_line_per_kind_of_data_but_none_of_corrupted_labels(training):
    for depth, axes in zip((2, 4), drawn(training).axes, strict=True):
        assert len(lines(axes)) == len(HUES) == 5
        for line, (kind, hue) in zip(lines(axes), HUES.items(), strict=True):
            alike = (training["depth"] == depth) & (training["randomization"] == kind)
            rows = training[alike & (training["label_corruption"] == 0)]
            mean = mean_over_seeds(rows, "train_loss")
            assert line.get_color() == hue
            assert line.get_ydata() == pytest.approx(mean)


def test_points_are_where_networks_have_fitted(training):
    for depth, axes in zip((2, 4), drawn(training).axes, strict=True):
        points = [one for one in axes.lines if one.get_marker() == "o"]
        expected = [TIMES[kind, 0.0] * depth / 2 for kind in HUES]
        assert [one.get_xdata()[0] for one in points] == pytest.approx(expected)


def test_network_that_does_not_fit_has_a_line_and_no_point(training):
    unfit = training.assign(train_accuracy=0.1 * training["train_accuracy"])
    axes = drawn(unfit).axes[0]
    assert len(lines(axes)) == 5
    assert not [one for one in axes.lines if one.get_marker() == "o"]


def test_headline_counts_networks(training):
    assert drawn(training).get_suptitle() == "Fitting random data: means over 30 networks"


def test_nothing_to_show_is_stated(training):
    corrupted = training[training["label_corruption"] == 0.5]
    assert drawn(corrupted).texts[0].get_text() == (
        "No network was trained on uncorrupted data: no course to show."
    )

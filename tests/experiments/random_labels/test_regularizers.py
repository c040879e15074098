import numpy as np
import pytest
from oracles.regularized import CLASSES, REGULARIZED, accuracies, made_networks

from generalization.experiments.random_labels.regularization_effects import regularization_effects
from generalization.experiments.random_labels.regularizers import regularizers
from generalization.statistics.resampling import Resampling

DEPTHS = (2, 3, 4, 5, 6)


def drawn(training):
    resampling = Resampling(np.random.default_rng(1), 200, 0.95)
    table = regularization_effects(training, {"accuracy": 0.99}, CLASSES, resampling=resampling)
    return regularizers(table, CLASSES), table


@pytest.fixture(scope="module")
def figure():
    return drawn(made_networks(depths=DEPTHS))


def test_marks_are_settings_in_the_order_of_the_paper(figure):
    test, gain, train = figure[0].axes
    words = [label.get_text().replace("\n", " ") for label in train.get_xticklabels()]
    assert words == REGULARIZED
    for axes, data, part in ((test, "none", 1), (train, "random_labels", 0)):
        for depth, line in zip(DEPTHS, axes.lines, strict=False):
            values = dict(zip(line.get_xdata().round(), line.get_ydata(), strict=True))
            expected = {
                place: accuracies(depth, name, data)[part] for place, name in enumerate(REGULARIZED)
            }
            assert values == pytest.approx(expected)
    for depth, line in zip(DEPTHS, gain.lines, strict=False):
        assert line.get_ydata() == pytest.approx(0.01 * depth)


def test_bars_are_means_over_settings_with_intervals(figure):
    test, table = figure[0].axes[0], figure[1]
    rows = table[table["depth"].isna() & table["statistic"].eq("test_accuracy")]
    rows = rows[rows["randomization"] == "none"].set_index("regularizers")
    assert len(test.containers) == len(REGULARIZED)
    for container in test.containers:
        ((x, low), (_, high)) = container.lines[2][0].get_segments()[0]
        row = rows.loc[REGULARIZED[int(x)]]
        assert (low, high) == pytest.approx((row["low"], row["high"]))
        assert container.lines[0].get_ydata() == pytest.approx([row["estimate"]])


def test_chance_is_dashed_where_accuracies_are_drawn(figure):
    test, gain, train = figure[0].axes
    for axes, levels in ((test, [0.1]), (gain, []), (train, [0.1])):
        dashed = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == "--"]
        assert dashed == levels


def test_legend_names_settings(figure):
    texts = [text.get_text() for text in figure[0].axes[0].get_legend().get_texts()]
    depths = [f"depth {depth}" for depth in DEPTHS]
    assert texts == ["Networks", *depths, "Level", "mean", "chance"]


def test_one_setting_has_no_means():
    figure, _ = drawn(made_networks(depths=(2,)))
    assert not figure.axes[0].containers
    assert figure.axes[0].get_legend().get_texts()[1].get_text() == "networks"


def test_what_is_never_turned_off_is_mentioned():
    figure, _ = drawn(made_networks(regularized=["none"]))
    assert figure.texts[0].get_text() == "No regularizer was turned on and off."

import pytest
from oracles.studies import hyperparameters, made_training

from generalization.figures.marks import mean_over_seeds
from generalization.figures.training_curves import training_curves
from generalization.tables import PERFORMANCE, collect_training


@pytest.fixture(scope="module")
def training():
    return collect_training(made_training(), hyperparameters())


def test_one_line_per_ensemble_and_quantity(training):
    figure = training_curves(training)
    ensembles = training["ensemble"].unique()
    panels = {axes.get_title("left"): axes for axes in figure.axes}
    for quantity in PERFORMANCE:
        axes = panels[quantity.capitalize().replace("_", " ")]
        assert len(axes.lines) == len(ensembles)
        mean = mean_over_seeds(training[training["ensemble"] == ensembles[7]], quantity)
        assert axes.lines[7].get_xdata() == pytest.approx(mean.index)
        assert axes.lines[7].get_ydata() == pytest.approx(mean)


def test_untrained_network_has_its_place_on_the_logarithmic_axis(training):
    axes = training_curves(training).axes[0]
    assert axes.get_xscale() == "symlog"
    assert axes.get_yscale() == "log"
    assert axes.get_xlim()[0] <= 0


def test_colors_distinguish_a_hyperparameter(training):
    figure = training_curves(training, color="depth")
    assert len({line.get_color() for line in figure.axes[0].lines}) == 3
    texts = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert texts == ["Depth", "2", "3", "5"]


def test_headline_counts_networks(training):
    assert training_curves(training).get_suptitle() == (
        "Training of 144 networks: means of 36 ensembles over their seeds"
    )


def test_one_ensemble_needs_no_legend(training):
    one = training[training["ensemble"] == training["ensemble"][0]]
    assert training_curves(one).axes[1].get_legend() is None


def test_nothing_to_show_is_stated(training):
    for table in (training[:0], training[training["step"] == 0]):
        assert training_curves(table).texts[0].get_text() == (
            "No network was kept after step 0: there is no course to show."
        )

import numpy as np
import pytest
from matplotlib.colors import to_hex
from oracles.studies import made_measures, made_measures_of_two

from generalization.figures.capacity import capacity
from generalization.figures.looks import colors
from generalization.figures.style import QUIET
from generalization.statistics.fit_statistics import fit_statistics
from generalization.statistics.resampling import Resampling

SHOWN = ["number_of_parameters", "training_loss"]


def statistics_of(measures):
    chosen = measures[measures["measure"].isin(SHOWN)]
    return fit_statistics(
        chosen, resampling=Resampling(np.random.default_rng(0), 100), permutations=99
    )[0]


@pytest.fixture(scope="module")
def one():
    measures = made_measures()
    return measures, statistics_of(measures)


@pytest.fixture(scope="module")
def two():
    measures = made_measures_of_two()
    return measures, statistics_of(measures)


def fitted(measures, measure, accuracy=0.999):
    rows = measures[(measures["measure"] == measure) & measures["final"]]
    return rows[rows["train_accuracy"] >= accuracy]


@pytest.mark.parametrize(("place", "measure"), list(enumerate(SHOWN)))
def test_points_are_fitted_networks(one, place, measure):
    measures, _ = one
    axes = capacity(*one).axes[place]
    rows = fitted(measures, measure)
    points = axes.collections[0]
    assert np.asarray(points.get_offsets()) == pytest.approx(
        rows[["value", "generalization_gap"]].to_numpy()
    )
    hues = colors([0.0, 0.25, 0.5, 1.0])
    shades = [to_hex(shade) for shade in points.get_facecolors()]
    assert shades == [to_hex(hues[value]) for value in rows["label_corruption"]]
    assert axes.get_xscale() == "log"


def test_what_counts_as_fitted_can_be_set(one):
    points = capacity(*one, fitted_accuracy=0.5).axes[0].collections[0]
    # One of 144 networks diverged.
    assert len(points.get_offsets()) == 143


def test_ring_marks_the_smallest_gap(two):
    measures, _ = two
    for axes, dataset, measure in zip(
        capacity(*two).axes, ["mnist_subset"] * 2 + ["digits"] * 2, SHOWN * 2, strict=True
    ):
        rows = fitted(measures, measure)
        rows = rows[rows["dataset"] == dataset]
        best = rows.loc[rows["generalization_gap"].idxmin()]
        (ring,) = axes.lines
        assert ring.get_xydata()[0] == pytest.approx([best["value"], best["generalization_gap"]])


def test_correlation_of_fitted_networks_stands_above(one, two):
    for (measures, statistics), dataset in ((one, "all"), (two, "mnist_subset")):
        figure = capacity(measures, statistics)
        row = statistics.query(
            "measure == 'training_loss' and statistic == 'spearman' and selection == 'fitted' "
            f"and dataset == '{dataset}'"
        ).iloc[0]
        shown = f"{row['estimate']:.2f} [{row['low']:.2f}, {row['high']:.2f}]".replace("-", "−")
        assert figure.axes[1].texts[0].get_text() == f"Fitted: ρ {shown}, 135 networks"
    assert figure.get_suptitle() == "Gap of networks that fitted: Spearman's ρ with 95 % intervals"


def test_datasets_are_rows(one, two):
    assert [axes.get_title("left") for axes in capacity(*two).axes] == [
        "mnist_subset: number of parameters",
        "mnist_subset: training loss",
        "digits: number of parameters",
        "digits: training loss",
    ]
    assert [axes.get_title("left") for axes in capacity(*one).axes] == [
        "Number of parameters",
        "Training loss",
    ]


def test_colors_are_explained(one):
    legend = capacity(*one, color="init_scale").axes[1].get_legend()
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ["Init scale", "0.5", "1", "2", "Ring", "least gap"]


def test_study_of_one_configuration_has_one_color(one):
    measures, statistics = one
    alone = measures[measures["ensemble"] == measures["ensemble"].iloc[0]]
    points = capacity(alone, statistics).axes[0].collections[0]
    assert {to_hex(shade) for shade in points.get_facecolors()} == {QUIET.lower()}


def test_missing_measure_is_stated(one):
    measures, statistics = one
    axes = capacity(measures[measures["measure"] != "training_loss"], statistics).axes[1]
    assert axes.texts[0].get_text() == "no fitted network has it"


def test_nothing_to_show_is_stated(one):
    measures, statistics = one
    figure = capacity(measures, statistics, fitted_accuracy=2)
    assert figure.texts[0].get_text() == (
        "No fitted network has a number of parameters or a training loss."
    )

import numpy as np
import pandas as pd
import pytest
from oracles.ablation_tables import made_curves, made_training

from generalization.experiments.single_directions.ablation_auc_at_topology import (
    ablation_auc_at_topology,
)
from generalization.experiments.single_directions.ablation_statistics import ablation_statistics
from generalization.experiments.single_directions.curve_areas import curve_areas
from generalization.statistics.resampling import Resampling


@pytest.fixture(scope="module")
def training():
    return made_training()


def drawn(training):
    curves = made_curves(training)
    generator = np.random.default_rng(0)
    statistics = ablation_statistics(curves, training, resampling=Resampling(generator, 200))
    return ablation_auc_at_topology(curves, training, statistics)


def test_points_are_the_networks_of_a_topology(training):
    figure = drawn(training)
    areas = curve_areas(made_curves(training), training).query("mode == 'zero'")
    assert len(figure.axes) == 2
    for axes, dropout in zip(figure.axes, (0.0, 0.3), strict=True):
        some = areas[areas["dropout"] == dropout]
        gap = some["train_accuracy"] - some["test_accuracy"]
        points = np.concatenate([np.asarray(one.get_offsets()) for one in axes.collections])
        expected = np.column_stack([some["area"], gap])
        assert np.sort(points, 0) == pytest.approx(np.sort(expected, 0))


def test_titles_tell_topologies_apart_and_correlations(training):
    figure = drawn(training)
    assert [axes.get_title("left") for axes in figure.axes] == ["dropout 0", "dropout 0.3"]
    lines = figure.axes[0].texts[0].get_text().split("\n")
    assert lines[0].startswith("All fitted: ρ −1.00 [−1.00, ")
    # Of three networks of one ensemble, which has no interval.
    assert lines[1] == "True labels: ρ −1.00"
    assert figure.get_suptitle() == "Gap against the area under curves of ablation, 30 networks"


def test_architectures_have_panels_of_their_own(training):
    other = training[training["dropout"] == 0].assign(architecture="vgg")
    other["ensemble"] = "v" + other["ensemble"]
    titles = [axes.get_title("left") for axes in drawn(pd.concat([training, other])).axes]
    assert titles == [
        "fully connected, dropout 0",
        "fully connected, dropout 0.3",
        "vgg, dropout 0",
    ]


def test_networks_that_have_not_fitted_are_hollow(training):
    unfit = training.assign(
        train_accuracy=training["train_accuracy"].mask(training["seed"] == 2, 0.9)
    )
    axes = drawn(unfit).axes[0]
    hollow = [one for one in axes.collections if not len(one.get_facecolors())]
    assert sum(len(one.get_offsets()) for one in hollow) == 5


def test_too_few_ensembles_are_reported(training):
    few = training[training["label_corruption"] == 0]
    assert drawn(few).texts[0].get_text() == "No topology has the 3 ensembles that it needs."

import re

import numpy as np
import pandas as pd
import pytest
from oracles.ablation_tables import made_training, made_units

from generalization.experiments.single_directions.selectivity_and_importance import (
    selectivity_and_importance,
)
from generalization.experiments.single_directions.single_unit_statistics import (
    single_unit_statistics,
)
from generalization.statistics.resampling import Resampling


@pytest.fixture(scope="module")
def training():
    return made_training(normalizations=("none", "batch"), corruptions=2)


def drawn(units, training):
    generator = np.random.default_rng(0)
    statistics = single_unit_statistics(units, training, resampling=Resampling(generator, 200))
    return selectivity_and_importance(units, statistics, training)


def test_every_unit_is_a_point_of_its_layer(training):
    units = made_units(training)
    figure = drawn(units, training)
    joined = units.merge(training, on=["ensemble", "seed", "step"])
    joined = joined[joined["label_corruption"] == 0]
    groups = joined.groupby(["normalization", "dropout"], sort=False)
    assert len(figure.axes) == 4 + 2
    for axes, (_, group) in zip(figure.axes[:4], groups, strict=True):
        for points, layer in zip(axes.collections, (1, 2), strict=True):
            expected = group.loc[group["layer"] == layer, ["class_selectivity", "importance"]]
            assert np.asarray(points.get_offsets()) == pytest.approx(expected.to_numpy())


def test_titles_say_what_networks_are_and_their_correlation(training):
    figure = drawn(made_units(training), training)
    assert [axes.get_title("left") for axes in figure.axes[:4]] == [
        "norm. none, dropout 0",
        "norm. none, dropout 0.3",
        "norm. batch, dropout 0",
        "norm. batch, dropout 0.3",
    ]
    # Networks of true labels are of one ensemble here, which has no interval.
    assert re.fullmatch(r"ρ −?0\.\d+\n3 networks", figure.axes[0].texts[0].get_text())
    assert figure.get_suptitle() == "Single units of 12 networks trained on true labels"


def test_correlation_of_several_ensembles_has_its_interval(training):
    true = training.assign(label_corruption=0.0)
    words = drawn(made_units(true), true).axes[0].texts[0].get_text()
    assert re.fullmatch(r"ρ −?0\.\d+ \[−?0\.\d+, −?0\.\d+\]\n6 networks", words)


def test_distributions_are_shares_of_units(training):
    units = made_units(training)
    figure = drawn(units, training)
    joined = units.merge(training, on=["ensemble", "seed", "step"])
    joined = joined[(joined["label_corruption"] == 0) & (joined["normalization"] == "batch")]
    some = joined[joined["dropout"] == 0]
    for axes, column in zip(
        figure.axes[4:], ("class_selectivity", "mutual_information"), strict=True
    ):
        assert len(axes.lines) == 4
        line = axes.lines[2]
        assert line.get_xdata() == pytest.approx(np.sort(some[column]))
        assert line.get_ydata()[[0, -1]] == pytest.approx([1 / len(some), 1])


def test_without_true_labels_all_networks_are_shown(training):
    wrong = training[training["label_corruption"] == 1]
    figure = drawn(made_units(wrong), wrong)
    assert figure.get_suptitle() == "Single units of 12 networks"


def test_one_kind_of_networks_has_one_panel_without_name(training):
    one = training[(training["normalization"] == "none") & (training["dropout"] == 0)]
    figure = drawn(made_units(one), one)
    assert len(figure.axes) == 3
    assert figure.axes[0].get_title("left") == ""
    assert figure.axes[2].get_legend() is None


def test_of_many_kinds_datasets_and_architectures_take_turns():
    one = made_training(dropouts=(0.0, 0.1, 0.2, 0.3), corruptions=2)
    other = one[one["dropout"] == 0].assign(architecture="vgg")
    third = one.assign(dataset="mnist")
    for table, letter in ((other, "v"), (third, "m")):
        table["ensemble"] = letter + table["ensemble"]
    training = pd.concat([one, third, other])
    figure = drawn(made_units(training), training)
    titles = [axes.get_title("left") for axes in figure.axes if axes.get_title("left")]
    assert len(titles) == 7
    assert "digits, vgg, dropout 0" in titles
    assert sum(title.startswith("mnist") for title in titles) == 3
    assert figure.get_suptitle() == "Single units of 21 of 27 networks trained on true labels"


def test_missing_selectivity_is_reported(training):
    units = made_units(training).assign(class_selectivity=np.nan)
    words = "No unit has a class selectivity to show."
    assert drawn(units, training).texts[0].get_text() == words

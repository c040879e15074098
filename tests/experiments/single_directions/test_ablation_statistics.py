import numpy as np
import pandas as pd
import pytest
import scipy.stats
from oracles.ablation_tables import made_curves, made_training

from generalization.experiments.single_directions.ablation_statistics import (
    COLUMNS,
    ablation_statistics,
)
from generalization.experiments.single_directions.curve_areas import curve_areas
from generalization.statistics.resampling import Resampling


@pytest.fixture(scope="module")
def training():
    return made_training()


def found(curves, training):
    resampling = Resampling(np.random.default_rng(0), 200)
    table = ablation_statistics(curves, training, resampling=resampling)
    assert list(table) == COLUMNS
    return table


def of(table, statistic, dropout=0.0, mode="zero"):
    rows = table[(table["statistic"] == statistic) & (table["dropout"] == dropout)]
    (row,) = rows[rows["mode"] == mode].to_dict("records")
    return row


def test_estimates_are_those_of_scipy(training):
    curves = made_curves(training)
    areas = curve_areas(curves, training)
    table = found(curves, training)
    for dropout in (0.0, 0.3):
        some = areas[(areas["dropout"] == dropout) & (areas["mode"] == "noise")]
        gap = some["train_accuracy"] - some["test_accuracy"]
        for statistic, other in {
            "spearman_label_corruption": some["label_corruption"],
            "spearman_gap": gap,
        }.items():
            row = of(table, statistic, dropout, "noise")
            assert row["estimate"] == pytest.approx(
                scipy.stats.spearmanr(some["area"], other).statistic
            )
            assert row["low"] <= row["estimate"] <= row["high"] < 0
            assert (row["networks"], row["ensembles"]) == (15, 5)


def test_networks_of_true_labels_are_also_taken_by_themselves(training):
    # Learning rates that make gaps of their own, larger where the area is.
    some = training[(training["dropout"] == 0)].assign(label_corruption=0.0)
    curves = made_curves(training[training["dropout"] == 0])
    row = of(found(curves, some), "spearman_gap_true_labels")
    assert row["networks"] == 15
    assert row["high"] < 0


def test_what_cannot_be_estimated_says_why(training):
    table = found(made_curves(training), training)
    row = of(table, "spearman_gap_true_labels")
    assert np.isnan(row["estimate"])
    assert row["note"] == "1 of the 3 ensembles that it needs"
    one = training[training["label_corruption"] == 0]
    row = of(found(made_curves(one), one), "spearman_label_corruption")
    assert row["note"] == "the label corruption does not vary"


def test_only_last_steps_and_all_layers_count(training):
    curves = made_curves(training)
    more = curves.assign(layer="1", accuracy=0.1)
    both = found(pd.concat([curves, more]), training)
    assert both["estimate"].equals(found(curves, training)["estimate"])


def test_networks_that_have_not_fitted_do_not_count(training):
    unfit = training["train_accuracy"].mask(training["seed"] == 2, 0.99)
    table = found(made_curves(training), training.assign(train_accuracy=unfit))
    assert of(table, "spearman_gap")["networks"] == 10


def test_test_accuracy_is_told_by_all_networks_of_true_labels(training):
    some = training[training["dropout"] == 0].assign(label_corruption=0.0, train_accuracy=0.9)
    curves = made_curves(training[training["dropout"] == 0])
    table = found(curves, some)
    row = of(table, "spearman_test_accuracy")
    areas = curve_areas(curves, some).query("mode == 'zero'")
    expected = scipy.stats.spearmanr(areas["area"], areas["test_accuracy"]).statistic
    assert row["estimate"] == pytest.approx(expected)
    assert row["networks"] == 15
    assert of(table, "spearman_gap")["networks"] == 0

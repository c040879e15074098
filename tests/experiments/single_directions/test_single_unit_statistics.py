import numpy as np
import pytest
import scipy.stats
from oracles.ablation_tables import made_training, made_units

from generalization.experiments.single_directions.single_unit_statistics import (
    COLUMNS,
    single_unit_statistics,
)
from generalization.statistics.resampling import Resampling


@pytest.fixture(scope="module")
def training():
    return made_training(normalizations=("none", "batch"), dropouts=(0.0,), corruptions=2)


def found(units, training):
    generator = np.random.default_rng(0)
    table = single_unit_statistics(units, training, resampling=Resampling(generator, 200))
    assert list(table) == COLUMNS
    return table


def of(table, statistic, labels="all", normalization="none"):
    rows = table[(table["statistic"] == statistic) & (table["labels"] == labels)]
    (row,) = rows[rows["normalization"] == normalization].to_dict("records")
    return row


def of_networks(units, training, normalization):
    chosen = training[training["normalization"] == normalization]
    return units.merge(chosen, on=["ensemble", "seed", "step"])


def test_correlation_is_taken_within_layers(training):
    units = made_units(training, slope=0.1)
    row = of(found(units, training), "spearman_importance_selectivity")
    some = of_networks(units, training, "none")
    expected = [
        scipy.stats.spearmanr(layer["importance"], layer["class_selectivity"]).statistic
        for _, layer in some.groupby(["ensemble", "seed", "layer"])
    ]
    assert row["estimate"] == pytest.approx(np.mean(expected))
    assert row["low"] > 0
    # Over both layers, one of which has more importance, there is hardly any.
    both = scipy.stats.spearmanr(some["importance"], some["class_selectivity"]).statistic
    assert row["estimate"] > both + 0.2


def test_unrelated_units_have_no_correlation(training):
    row = of(found(made_units(training), training), "spearman_importance_selectivity")
    assert row["low"] < 0 < row["high"]


def test_means_over_units(training):
    units = made_units(training)
    table = found(units, training)
    for normalization in ("none", "batch"):
        some = of_networks(units, training, normalization)
        for name in ("class_selectivity", "mutual_information", "importance"):
            row = of(table, name, normalization=normalization)
            assert row["estimate"] == pytest.approx(some[name].mean())
        row = of(table, "never_active", normalization=normalization)
        assert row["estimate"] == pytest.approx(1 / 60)


def test_networks_with_true_labels_are_also_taken_by_themselves(training):
    table = found(made_units(training), training)
    assert of(table, "importance", "true")["networks"] == 3
    assert of(table, "importance", "all")["networks"] == 6
    few = "ensembles that a verdict needs"
    assert of(table, "importance", "true")["note"] == f"1 of the 5 {few}"
    assert of(table, "importance", "all")["note"] == f"2 of the 5 {few}"
    assert np.isnan(of(table, "importance", "true")["low"])


def test_units_without_selectivity_have_no_correlation(training):
    units = made_units(training).assign(class_selectivity=np.nan)
    row = of(found(units, training), "spearman_importance_selectivity")
    assert np.isnan(row["estimate"])
    assert row["note"] == "6 of 6 networks have no finite value; no network is left"
    assert of(found(units, training), "spearman_importance_information")["networks"] == 6

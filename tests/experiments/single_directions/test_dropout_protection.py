import numpy as np
import pytest
from oracles.ablation_tables import made_curves, made_training

from generalization.experiments.single_directions.dropout_protection import (
    COLUMNS,
    dropout_protection,
    relative_accuracy,
)
from generalization.statistics.resampling import Resampling


def found(curves, training):
    generator = np.random.default_rng(0)
    table = dropout_protection(curves, training, resampling=Resampling(generator, 200))
    assert list(table) == COLUMNS
    return table


def protected(training, *, until):
    """Without dropout accuracy falls in a line; with it, only from a fraction on, and at once."""
    curves = made_curves(training, modes=("zero",))
    dropout = curves.merge(training[["ensemble", "seed", "dropout"]])["dropout"]
    line = 1 - curves["amount"]
    with_dropout = line.where(curves["amount"] > until + 1e-9, 1.0)
    return curves.assign(accuracy=0.5 * line.where(dropout == 0, with_dropout))


def test_protection_up_to_a_fraction_is_seen_there_and_not_beyond():
    training = made_training()
    table = found(protected(training, until=0.3), training).set_index("statistic")
    within, beyond = table.loc["advantage_within"], table.loc["advantage_beyond"]
    # The mean of q up to 0.3, relative to the accuracy without any ablation.
    assert within["estimate"] == pytest.approx(0.15, abs=1e-3)
    # Between fractions that were measured curves are lines.
    assert 0 < beyond["estimate"] < 0.03
    assert (table["pairs"] == 5).all()
    assert (table["dropout"] == 0.3).all()
    assert (table["note"] == "").all()


def test_pairs_differ_in_dropout_alone():
    training = made_training(normalizations=("none", "batch"))
    table = found(made_curves(training), training)
    assert table["normalization"].tolist() == ["batch", "batch", "none", "none"]
    assert (table["pairs"] == 5).all()
    without = training[(training["dropout"] > 0) | (training["label_corruption"] == 0)]
    assert (found(made_curves(without), without)["pairs"] == 1).all()
    few = "1 of the 5 pairs that a verdict needs"
    assert (found(made_curves(without), without)["note"] == few).all()
    assert found(made_curves(without), without)[["low", "high"]].isna().all(axis=None)


def test_no_pair_has_no_rows():
    training = made_training(dropouts=(0.0,))
    assert found(made_curves(training), training).empty


def test_relative_accuracy_is_1_where_nothing_is_ablated():
    training = made_training(dropouts=(0.0,), corruptions=1)
    curves = made_curves(training, modes=("zero",))
    curve = relative_accuracy(curves.assign(accuracy=0.25 * curves["accuracy"]))
    assert curve[[0, -1]] == pytest.approx([1, 0])

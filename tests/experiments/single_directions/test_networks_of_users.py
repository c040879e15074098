"""Networks that a function of a user builds, such as residual ones, stay in all tables."""

import numpy as np
import pandas as pd
import pytest
from oracles.ablation_tables import STEPS, made_curves, made_training, made_units

from generalization.experiments.single_directions.ablation_auc_at_topology import (
    ablation_auc_at_topology,
)
from generalization.experiments.single_directions.ablation_statistics import ablation_statistics
from generalization.experiments.single_directions.accuracy_under_ablation import (
    accuracy_under_ablation,
)
from generalization.experiments.single_directions.dropout_protection import dropout_protection
from generalization.experiments.single_directions.early_stopping import early_stopping
from generalization.experiments.single_directions.selectivity_and_importance import (
    selectivity_and_importance,
)
from generalization.experiments.single_directions.single_unit_statistics import (
    single_unit_statistics,
)
from generalization.hyperparameters import OF_BUILT_IN
from generalization.statistics.resampling import Resampling

RESNET = "generalization.networks.standard_architectures:resnet"


def both(**settings):
    """Built-in networks without dropout, and as many residual ones, which lack what they have."""
    built_in = made_training(dropouts=(0.0,), **settings)
    absent = dict.fromkeys([key for key in OF_BUILT_IN if key in built_in], np.nan)
    residual = built_in.assign(
        ensemble=built_in["ensemble"] + "r",
        architecture=RESNET,
        architecture_arguments='{"depth": 18}',
        **absent,
    )
    return built_in, pd.concat([built_in, residual], ignore_index=True)


def curves_of(training):
    return made_curves(training.fillna({"dropout": 0.0}))


def resampling():
    return Resampling(np.random.default_rng(0), 200)


def assert_same_rows_of_both(table):
    """Residual networks have the accuracies of the built-in ones, and so the same rows."""
    own = table[table["architecture"] == RESNET].reset_index(drop=True)
    others = table[table["architecture"] != RESNET].reset_index(drop=True)
    assert len(own) > 0
    numbers = ["statistic", "estimate", "low", "high", "networks", "ensembles"]
    pd.testing.assert_frame_equal(own[numbers], others[numbers])


def test_statistics_of_curves():
    _, training = both()
    curves = curves_of(training)
    table = ablation_statistics(curves, training, resampling=resampling())
    assert_same_rows_of_both(table)
    built_in = training[training["architecture"] != RESNET]
    alone = ablation_statistics(curves_of(built_in), built_in, resampling=resampling())
    assert len(table) == 2 * len(alone)
    figure = ablation_auc_at_topology(curves, training, table)
    titles = [axes.get_title("left") for axes in figure.axes]
    assert len(titles) == 2
    assert sum("resnet" in title for title in titles) == 1
    texts = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert texts[0] == texts[1]
    assert "ρ" in texts[0][0]
    assert len(accuracy_under_ablation(curves, training).axes) == 2 * 3


def test_courses():
    _, training = both(steps=STEPS, corruptions=2)
    assert_same_rows_of_both(early_stopping(curves_of(training), training, resampling=resampling()))


def test_no_pair_differs_in_dropout():
    _, training = both()
    assert dropout_protection(curves_of(training), training, resampling=resampling()).empty


def test_single_units():
    _, training = both(corruptions=2)
    units = made_units(training)
    table = single_unit_statistics(units, training, resampling=resampling())
    counts = table.groupby("architecture").size()
    assert counts[RESNET] == counts["fully_connected"]
    figure = selectivity_and_importance(units, table, training)
    titles = [axes.get_title("left") for axes in figure.axes]
    assert sum("resnet" in title for title in titles) == 1
    rho = table[(table["architecture"] == RESNET) & (table["labels"] == "true")]
    rho = rho.set_index("statistic")["estimate"]["spearman_importance_selectivity"]
    assert rho == pytest.approx(0, abs=0.3)

import numpy as np
import pytest
from oracles.similarity_tables import made_study

from generalization.experiments.similarity.similarity_of_ensembles import (
    COLUMNS,
    similarity_of_ensembles,
)
from generalization.statistics.resampling import Resampling


def table_of(study):
    return similarity_of_ensembles(*study, resampling=Resampling(np.random.default_rng(1), 300))


def test_estimates_are_means_over_pairs_of_seeds():
    similarities, training = made_study(np.random.default_rng(0), widths=(50, 100))
    table = table_of((similarities, training))
    assert list(table) == COLUMNS
    assert len(table) == 4 * 3
    seeds = similarities[similarities["pairs"] == "between_seeds"]
    expected = seeds.groupby(["ensemble_a", "layer_a"])["value"].mean()
    found = table.set_index(["ensemble", "layer"])["estimate"]
    assert found.sort_index().to_numpy() == pytest.approx(expected.to_numpy())
    assert (table["low"] <= table["estimate"]).all()
    assert (table["estimate"] <= table["high"]).all()
    assert table["null"].to_numpy() == pytest.approx(0.2)
    assert (table["pairs"] == 3).all()
    assert (table["ensembles"] == 1).all()
    assert (table["note"] == "1 of the 5 ensembles that a verdict needs").all()
    assert set(table["task"]) == {"generalizing", "memorizing"}


def test_two_seeds_have_no_interval_and_one_no_row():
    table = table_of(made_study(np.random.default_rng(0), seeds=2))
    assert table["low"].isna().all()
    assert (table["pairs"] == 1).all()
    assert table_of(made_study(np.random.default_rng(0), seeds=1)).empty

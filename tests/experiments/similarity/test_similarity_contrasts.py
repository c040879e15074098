import numpy as np
import pytest
from oracles.similarity_tables import made_study, of_two_architectures

from generalization.experiments.similarity.similarity_contrasts import (
    COLUMNS,
    similarity_contrasts,
)
from generalization.statistics.resampling import Resampling


def table_of(study):
    return similarity_contrasts(*study, resampling=Resampling(np.random.default_rng(1), 300))


def of(table, statistic):
    return table[table["statistic"] == statistic].set_index("layer")


def test_estimates_are_mean_distances_and_their_differences():
    study = made_study(np.random.default_rng(0), noise=0.0)
    table = table_of(study)
    assert list(table) == COLUMNS
    assert set(table["statistic"]) == {
        "within_generalizing",
        "within_memorizing",
        "between",
        "memorizing_minus_generalizing",
        "between_minus_memorizing",
    }
    assert of(table, "within_generalizing")["estimate"].tolist() == pytest.approx([0.2] * 3)
    assert of(table, "within_memorizing")["estimate"].tolist() == pytest.approx([0.2, 0.35, 0.5])
    difference = of(table, "memorizing_minus_generalizing")["estimate"]
    assert difference.tolist() == pytest.approx([0, 0.15, 0.3])
    assert of(table, "between_minus_memorizing")["estimate"].tolist() == pytest.approx([0, 0, 0])


def test_architectures_are_told_apart():
    table = table_of(of_two_architectures(made_study(np.random.default_rng(0), noise=0.0)))
    rows = table[(table["statistic"] == "within_generalizing") & (table["layer"] == 0)]
    found = rows.set_index("architecture")["estimate"].to_dict()
    assert found == pytest.approx({"fully_connected": 0.2, "convolutional": 0.6})


def test_pairs_of_few_samples_are_counted():
    similarities, training = made_study(np.random.default_rng(0))
    second = similarities["layer_a"] == 1
    status = np.where(second, "few_samples", "ok")
    table = table_of((similarities.assign(status=status), training))
    notes = of(table, "within_memorizing")["note"]
    assert notes[1].endswith("3 of 3 pairs of fewer than 5 samples per unit")
    assert "samples" not in notes[0]


def test_sizes_are_those_of_the_pairs_that_are_compared():
    table = table_of(made_study(np.random.default_rng(0)))
    sizes = of(table, "between").iloc[0]
    assert (sizes["pairs"], sizes["networks"], sizes["ensembles"]) == (9, 6, 2)
    sizes = of(table, "memorizing_minus_generalizing").iloc[0]
    assert (sizes["pairs"], sizes["networks"], sizes["ensembles"]) == (6, 6, 2)


def test_interval_is_as_wide_as_networks_differ():
    # Each pair is as alike as its networks say: the variance of the mean is 4 σ² / n.
    similarities, training = made_study(np.random.default_rng(0), corruptions=(0.0,), seeds=12)
    strange = 0.1 * np.random.default_rng(3).standard_normal(13)
    within = similarities["pairs"] == "between_seeds"
    seeds = similarities.loc[within, ["seed_a", "seed_b"]].to_numpy()
    similarities.loc[within, "value"] = 0.5 + strange[seeds].sum(1)
    row = of(table_of((similarities, training)), "within_generalizing").loc[0]
    expected = 2 * 1.96 * 2 * strange[1:].std(ddof=1) / 12**0.5
    assert row["high"] - row["low"] == pytest.approx(expected, rel=0.25)
    assert row["low"] < row["estimate"] < row["high"]


def test_two_networks_have_no_interval():
    row = of(
        table_of(made_study(np.random.default_rng(0), corruptions=(0.0,), seeds=2)),
        "within_generalizing",
    ).loc[1]
    assert np.isnan(row["low"])
    assert row["note"] == "no interval: too few networks"


def test_one_group_has_no_contrast_and_no_group_no_row():
    one = table_of(made_study(np.random.default_rng(0), corruptions=(1.0,)))
    assert set(one["statistic"]) == {"within_memorizing"}
    none = table_of(made_study(np.random.default_rng(0), corruptions=(0.5,)))
    assert none.empty
    assert list(none) == COLUMNS

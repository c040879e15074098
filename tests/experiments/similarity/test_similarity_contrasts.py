import numpy as np
import pandas as pd
import pytest
import scipy.stats
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
        "between_minus_generalizing",
    }
    assert of(table, "within_generalizing")["estimate"].tolist() == pytest.approx([0.2] * 3)
    assert of(table, "within_memorizing")["estimate"].tolist() == pytest.approx([0.2, 0.35, 0.5])
    difference = of(table, "memorizing_minus_generalizing")["estimate"]
    assert difference.tolist() == pytest.approx([0, 0.15, 0.3])
    assert of(table, "between_minus_memorizing")["estimate"].tolist() == pytest.approx([0, 0, 0])


def test_architectures_are_distinguished():
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
    assert (sizes["network_pairs"], sizes["networks"], sizes["ensembles"]) == (9, 6, 1)
    sizes = of(table, "memorizing_minus_generalizing").iloc[0]
    assert (sizes["network_pairs"], sizes["networks"], sizes["ensembles"]) == (6, 6, 1)


def test_interval_is_of_settings():
    # Every setting is as far apart as its width says: t of five numbers.
    widths = (25, 50, 100, 200, 400)
    study = made_study(np.random.default_rng(0), corruptions=(0.0,), widths=widths, noise=0.0)
    row = of(table_of(study), "within_generalizing").loc[0]
    distances = 0.2 - 0.1 * np.arange(-1.0, 4)
    half = scipy.stats.t.ppf(0.975, 4) * distances.std(ddof=1) / 5**0.5
    expected = [distances.mean(), distances.mean() - half, distances.mean() + half]
    assert row[["estimate", "low", "high"]].tolist() == pytest.approx(expected)
    assert row["ensembles"] == 5


def test_one_setting_has_no_interval():
    row = of(
        table_of(made_study(np.random.default_rng(0), corruptions=(0.0,), seeds=4)),
        "within_generalizing",
    ).loc[1]
    assert np.isnan(row["low"])
    assert row["note"].startswith("1 of the 5 ensembles")


def with_untrained(study, distance):
    """Pairs at step 0 too, as far apart as a function of layer and memorizing says."""
    similarities, training = study
    pairs = similarities[similarities["pairs"] != "over_training"]
    memorizing = training.drop_duplicates("ensemble").set_index("ensemble")["label_corruption"]
    both = np.maximum(*(memorizing[pairs[f"ensemble_{side}"]].to_numpy() for side in "ab"))
    value = 1 - distance(pairs["layer_a"].to_numpy(), both)
    return pd.concat([similarities, pairs.assign(step_a=0, step_b=0, value=value)]), training


def test_untrained_networks_are_the_control_of_differences():
    widths = (25, 50, 100, 200, 400)
    study = made_study(np.random.default_rng(0), widths=widths, noise=0.0)
    alike = table_of(with_untrained(study, lambda layer, memorizing: 0.5 + 0 * layer))
    row = of(alike, "memorizing_minus_generalizing").loc[2]
    assert row["over_untrained"] == pytest.approx(row["estimate"]) == pytest.approx(0.3)
    # Where untrained networks differ by labels as much, nothing was learned.
    same = with_untrained(study, lambda layer, memorizing: 0.2 + 0.15 * layer * memorizing)
    row = of(table_of(same), "memorizing_minus_generalizing").loc[2]
    assert row["estimate"] == pytest.approx(0.3)
    assert row["over_untrained"] == pytest.approx(0, abs=1e-9)
    assert np.isnan(of(table_of(study), "memorizing_minus_generalizing").loc[2, "over_untrained"])


def test_one_group_has_no_contrast_and_no_group_no_row():
    one = table_of(made_study(np.random.default_rng(0), corruptions=(1.0,)))
    assert set(one["statistic"]) == {"within_memorizing"}
    none = table_of(made_study(np.random.default_rng(0), corruptions=(0.5,)))
    assert none.empty
    assert list(none) == COLUMNS

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from oracles.similarity_tables import made_study

from generalization.experiments.similarity.network_pairs import (
    final_pairs,
    interval_over_pairs,
    pair_weights,
    place,
    sizes,
    task,
    weighted_means,
)
from generalization.statistics.resampling import Resampling


def pairs_of(networks, setting=0):
    """All pairs of seeds of one ensemble."""
    rows = [
        {"ensemble_a": "e", "seed_a": a, "ensemble_b": "e", "seed_b": b, "setting": setting}
        for a, b in combinations(range(networks), 2)
    ]
    return pd.DataFrame(rows)


def test_a_resample_counts_a_pair_as_often_as_the_product_of_its_networks():
    pairs = pairs_of(4)
    weights = pair_weights(pairs, Resampling(np.random.default_rng(0), 500))
    # Counts c of four networks that add up to 4: Σ_{i<j} c_i c_j = (16 − Σ c_i²) / 2.
    possible = {6, 5, 4, 3, 0}  # 1111, 211, 22, 31, 4.
    assert set(weights.sum(1)) == possible
    both = weights[:, (pairs["seed_a"] == 0) & (pairs["seed_b"] == 1)]
    # E c_i c_j = n (n − 1) / n².
    assert both.mean() == pytest.approx(12 / 16, abs=0.15)


def test_settings_are_drawn_whole():
    pairs = pd.concat([pairs_of(3), pairs_of(3, setting=1).replace("e", "f")])
    weights = pair_weights(pairs, Resampling(np.random.default_rng(0), 400))
    one = weights[:, :3].sum(1) > 0
    other = weights[:, 3:].sum(1) > 0
    # A setting is drawn in ¾ of the resamples, and 3 of 27 draws of its seeds are of one network.
    assert one.mean() == pytest.approx(0.75 * 8 / 9, abs=0.08)
    assert (one & other).mean() == pytest.approx(0.5 * 64 / 81, abs=0.08)


def coverage(interval_of, *, networks, studies, shared, own):
    """Coverage of the truth, 0, if every network shifts all of its pairs."""
    generator, pairs = np.random.default_rng(0), pairs_of(networks)
    first, second = pairs["seed_a"].to_numpy(), pairs["seed_b"].to_numpy()
    held = 0
    for _ in range(studies):
        of_network = shared * generator.standard_normal(networks)
        values = of_network[first] + of_network[second]
        values = values + own * generator.standard_normal(len(pairs))
        draws = interval_of(values, pairs, generator)
        found = interval_over_pairs(draws, Resampling(generator, level=0.9))
        held += found["low"] <= 0 <= found["high"]
    return held / studies


def over_networks(values, pairs, generator):
    return weighted_means(values, pair_weights(pairs, Resampling(generator, 300)))


def over_pairs(values, pairs, generator):
    size = len(values)
    return weighted_means(values, generator.multinomial(size, np.full(size, 1 / size), size=300))


def test_intervals_hold_the_truth_as_often_as_they_say_where_those_over_pairs_do_not():
    # Binomial standard error of the coverage: 1.5 %. Percentiles of 12 networks are a bit narrow.
    design = {"networks": 12, "studies": 400, "shared": 1.0, "own": 0.5}
    assert 0.84 < coverage(over_networks, **design) < 0.94
    assert coverage(over_pairs, **design) < 0.65


def test_intervals_are_wide_rather_than_narrow_where_pairs_share_nothing():
    design = {"networks": 8, "studies": 200, "shared": 0.0, "own": 1.0}
    assert coverage(over_networks, **design) > 0.88


def test_mean_is_weighted_and_missing_of_no_pair():
    weights = np.array([[1.0, 3.0], [0.0, 0.0]])
    found = weighted_means(np.array([1.0, 2.0]), weights)
    assert found[0] == 1.75
    assert np.isnan(found[1])


def test_interval_is_missing_where_resamples_do_not_differ():
    resampling = Resampling(np.random.default_rng(0))
    for draws in ([0.3, np.nan, 0.1 + 0.2], [np.nan]):
        found = interval_over_pairs(np.array(draws), resampling)
        assert np.isnan([found["low"], found["high"]]).all()
        assert found["note"] == "no interval: too few networks"


def test_every_pair_stands_once_with_the_mean_of_both_directions():
    table, training = made_study(np.random.default_rng(0))
    sides = {
        f"{name}_{a}": f"{name}_{b}"
        for name in ("ensemble", "seed", "step", "layer", "units")
        for a, b in ("ab", "ba")
    }
    turned = table.rename(columns=sides).assign(value=table["value"] + 0.1)
    pairs = final_pairs(pd.concat([table, turned]), training)
    assert len(pairs) == 15 * 3
    assert not pairs.duplicated(["layer", "ensemble_a", "seed_a", "ensemble_b", "seed_b"]).any()
    alone = final_pairs(table, training)
    assert pairs["value"].to_numpy() == pytest.approx(alone["value"].to_numpy() + 0.05)
    assert sizes(pairs) == {"pairs": 45, "networks": 6, "ensembles": 2}


def test_pairs_that_differ_in_more_than_labels_are_not_alike():
    table, training = made_study(np.random.default_rng(0))
    assert final_pairs(table, training)["alike"].all()
    other = training.assign(width=np.where(training["ensemble"] == "e0", 50, 60))
    pairs = final_pairs(table, other)
    assert (pairs["alike"] == (pairs["ensemble_a"] == pairs["ensemble_b"])).all()


def test_other_layers_and_networks_that_go_on_training_are_left_out():
    table, training = made_study(np.random.default_rng(0))
    table.loc[0, "layer_b"] += 1
    table.loc[1, "value"] = np.nan
    later = training["final"] & ~((training["ensemble"] == "e0") & (training["seed"] == 1))
    pairs = final_pairs(table, training.assign(final=later))
    assert not ((pairs["ensemble_a"] == "e0") & (pairs["seed_a"] == 1)).any()
    assert len(final_pairs(table, training)) == 43


def test_task_is_that_of_the_labels():
    networks = pd.DataFrame({
        "label_corruption": [0, 0.5, 1, 0, 0],
        "randomization": ["none", "none", "none", "random_labels", "gaussian"],
    })
    assert task(networks).tolist() == ["generalizing", "", "memorizing", "memorizing", ""]


def test_places_are_named():
    layers = pd.Series([0, 1, 2, 3, 0, 1])
    depth = pd.Series([4, 4, 4, 4, 2, 2])
    expected = ["first", "hidden_2", "last_hidden", "logits", "first", "logits"]
    assert place(layers, depth).tolist() == expected

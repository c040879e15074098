from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from oracles.similarity_tables import made_study

from generalization.experiments.similarity.network_pairs import (
    final_pairs,
    mean_over_pairs,
    place,
    sizes,
    task,
)


def pairs_of(networks, setting=0):
    """All pairs of seeds of one ensemble."""
    rows = [
        {"ensemble_a": "e", "seed_a": a, "ensemble_b": "e", "seed_b": b, "setting": setting}
        for a, b in combinations(range(networks), 2)
    ]
    return pd.DataFrame(rows)


def test_error_is_that_of_means_without_every_network():
    pairs = pairs_of(4).assign(value=[0.1, 0.2, 0.4, 0.3, 0.5, 0.9])
    found = mean_over_pairs(pairs, level=0.9)
    left_out = [(0.3 + 0.5 + 0.9) / 3, (0.2 + 0.4 + 0.9) / 3, (0.1 + 0.4 + 0.5) / 3, 0.6 / 3]
    half = scipy.stats.t.ppf(0.95, 3) * np.sqrt(3 * np.var(left_out))
    assert found["estimate"] == pytest.approx(0.4)
    assert found["low"] == pytest.approx(0.4 - half)
    assert found["high"] == pytest.approx(min(1, 0.4 + half))


def test_pair_that_lacks_is_passed_over():
    pairs = pairs_of(3).assign(value=[0.1, 0.2, 0.4])
    assert mean_over_pairs(pairs[1:], level=0.9)["estimate"] == pytest.approx(0.3)
    # Without the third network no pair is left.
    assert np.isnan(mean_over_pairs(pairs[1:], level=0.9)["low"])


def coverage(interval_of, *, networks, studies, shared, own):
    """Coverage of the truth, 0, if every network shifts all of its pairs."""
    generator, pairs = np.random.default_rng(0), pairs_of(networks)
    first, second = pairs["seed_a"].to_numpy(), pairs["seed_b"].to_numpy()
    held = 0
    for _ in range(studies):
        of_network = shared * generator.standard_normal(networks)
        values = of_network[first] + of_network[second]
        values = values + own * generator.standard_normal(len(pairs))
        low, high = interval_of(pairs.assign(value=values))
        held += low <= 0 <= high
    return held / studies


def over_networks(pairs):
    found = mean_over_pairs(pairs, level=0.9)
    return found["low"], found["high"]


def over_pairs(pairs):
    values = pairs["value"]
    return scipy.stats.t.interval(0.9, len(values) - 1, values.mean(), scipy.stats.sem(values))


@pytest.mark.parametrize("networks", [3, 5, 12])
def test_intervals_hold_the_truth_as_often_as_they_say_where_those_over_pairs_do_not(networks):
    # Cut at 1, as no similarity is: the truth is ten deviations below.
    design = {"networks": networks, "studies": 400, "shared": 0.1, "own": 0.05}
    band = 3 * np.sqrt(0.9 * 0.1 / 400)
    assert coverage(over_networks, **design) > 0.9 - band
    if networks == 12:
        assert coverage(over_networks, **design) < 0.9 + band
        assert coverage(over_pairs, **design) < 0.65


def test_intervals_are_wide_rather_than_narrow_where_pairs_share_nothing():
    design = {"networks": 8, "studies": 200, "shared": 0.0, "own": 0.1}
    assert coverage(over_networks, **design) > 0.88


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

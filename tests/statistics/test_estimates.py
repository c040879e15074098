import numpy as np
import pandas as pd
import pytest
import scipy.stats

from generalization.statistics.estimates import (
    ESTIMATE,
    FEWEST_ENSEMBLES,
    few_ensembles,
    groups,
    interval_over_networks,
    mean_over_networks,
    means_of_columns,
    t_interval,
    table_of,
    undefined,
    with_subgroups,
)
from generalization.statistics.resampling import Resampling

ENSEMBLES = pd.Series(["a", "a", "b", "b", "c", "c"])
VALUES = pd.Series([1.0, 2.0, 4.0, np.nan, 8.0, np.inf])


def mean_of(values, resamples=4000, level=0.95, **settings):
    resampling = Resampling(np.random.default_rng(0), resamples, level)
    return mean_over_networks(values, ENSEMBLES, resampling, **settings)


def test_mean_is_that_of_ensemble_means_of_the_finite_values():
    found = mean_of(VALUES)
    means = [1.5, 4.0, 8.0]
    expected = scipy.stats.t.interval(0.95, 2, np.mean(means), scipy.stats.sem(means))
    assert found["estimate"] == np.mean(means)
    assert (found["networks"], found["ensembles"]) == (4, 3)
    assert (found["low"], found["high"]) == pytest.approx(expected)


def test_means_of_logarithms_are_geometric():
    found = mean_of(np.log(VALUES), scale=np.exp)
    assert found["estimate"] == pytest.approx((2**0.5 * 4 * 8) ** (1 / 3))
    plain = mean_of(np.log(VALUES))
    assert np.exp([plain["low"], plain["high"]]) == pytest.approx(
        [found["low"], found["high"]], rel=0.01
    )


def test_interval_is_that_of_ensembles_if_seeds_agree():
    found = mean_of(pd.Series([0.0, 0.0, 1.0, 1.0, 2.0, 2.0]), level=0.68)
    expected = scipy.stats.t.interval(0.68, 2, 1, scipy.stats.sem([0, 1, 2]))
    assert (found["low"], found["high"]) == pytest.approx(expected)


def test_one_network_has_no_interval_and_none_has_no_mean():
    one = mean_of(VALUES.where(VALUES == 4))
    assert (one["estimate"], one["networks"]) == (4, 1)
    none = mean_of(VALUES * np.nan)
    assert none["networks"] == none["ensembles"] == 0
    missing = [one["low"], one["high"], none["estimate"], none["low"], none["high"]]
    assert np.isnan(missing).all()


def note_of(values, ensembles):
    resampling = Resampling(np.random.default_rng(0), 20)
    return mean_over_networks(pd.Series(values), pd.Series(ensembles), resampling)["note"]


def test_notes_say_what_is_missing_and_that_ensembles_are_few():
    few = "2 of the 5 ensembles that a verdict needs"
    assert note_of([1.0, 2.0, 3.0, 4.0, 5.0], [*"abcde"]) == ""
    assert note_of([1.0, 2.0, 3.0], ["a", "a", "b"]) == few
    lost = "1 of 4 networks have no finite value"
    assert note_of([1.0, 2.0, 3.0, np.nan], ["a", "a", "b", "c"]) == f"{lost}; {few}"
    assert note_of([1.0], ["a"]) == "1 of the 5 ensembles that a verdict needs"
    assert note_of([np.nan], ["a"]) == "1 of 1 networks have no finite value; no network is left"


def test_a_statistic_may_not_be_defined():
    assert undefined(3, 3) == ""
    assert undefined(1, 3) == "not defined for 2 of 3 networks"


def test_ensembles_are_mentioned_if_there_are_some_and_too_few():
    assert few_ensembles(0) == few_ensembles(FEWEST_ENSEMBLES) == ""
    assert few_ensembles(1, "pairs") == "1 of the 5 pairs that a verdict needs"


def test_columns_are_averaged_each_on_its_scale():
    networks = pd.DataFrame({"ensemble": ENSEMBLES, "plain": range(6), "log": np.log(range(1, 7))})
    resampling = Resampling(np.random.default_rng(0), 20)
    plain, log = means_of_columns(networks, ["plain", "log"], resampling, logarithms=["log"])
    assert (plain["statistic"], plain["estimate"]) == ("plain", 2.5)
    assert (log["statistic"], log["estimate"]) == ("log", pytest.approx(720 ** (1 / 6)))


def test_groups_are_split_where_they_have_several_values():
    table = pd.DataFrame({"dataset": ["b", "b", "a"], "depth": [3, 2, 2]})
    whole = groups(table, ["dataset"])
    found = [(about, len(rows)) for about, rows in with_subgroups(whole, ["depth"], "value")]
    assert found == [
        ({"dataset": "b"}, 2),
        ({"dataset": "b", "hyperparameter": "depth", "value": 2}, 1),
        ({"dataset": "b", "hyperparameter": "depth", "value": 3}, 1),
        ({"dataset": "a"}, 1),
    ]
    assert [about["dataset"] for about, _ in groups(table, ["dataset"], sort=True)] == ["a", "b"]


def test_jackknife_of_a_mean_is_its_t_interval():
    values = VALUES.to_numpy()[:3]
    resampling = Resampling(np.random.default_rng(0), 200)
    found = interval_over_networks(
        lambda weights: weights @ values / weights.sum(1), ENSEMBLES[:3], resampling
    )
    mean = mean_over_networks(VALUES[:3], ENSEMBLES[:3], resampling)
    assert found == pytest.approx({key: mean[key] for key in found})


@pytest.mark.parametrize("error", [0.0, 1e-4, 0.04, 4.0])
def test_share_of_all_is_bounded_by_what_is_farther_ensembles_or_other_samples(error):
    """Six ensembles that agree, at things that need not."""
    exact = 0.025 ** (1 / 6)
    half = scipy.stats.t.ppf(0.975, 99) * error**0.5
    expected = max(min(exact, 1 - half), 0)
    for share, bounds in ((1.0, (expected, 1)), (0.0, (0, 1 - expected))):
        found = t_interval(share, [(0.0, 5), (error, 99)], level=0.95, share=True)
        assert found == pytest.approx({"estimate": share, "low": bounds[0], "high": bounds[1]})


def test_table_has_its_columns_in_order_and_the_level_of_its_intervals():
    resampling = Resampling(np.random.default_rng(0), level=0.9)
    table = table_of([{"note": "none", "dataset": "a"}], ["dataset", *ESTIMATE], resampling)
    assert list(table) == ["dataset", "estimate", "low", "high", "level", *ESTIMATE[4:]]
    assert table["level"].tolist() == [0.9]
    assert table_of([], ["dataset", *ESTIMATE], resampling)["estimate"].dtype == float

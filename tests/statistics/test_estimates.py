import numpy as np
import pandas as pd
import pytest
import scipy.stats

from generalization.statistics.estimates import (
    ESTIMATE,
    FEWEST_ENSEMBLES,
    crossed_mean,
    ensemble_weights,
    error_of_mean,
    few_ensembles,
    few_shared,
    groups,
    interval_over_networks,
    mean_over_networks,
    means_of_columns,
    paired_contrast,
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
        found = t_interval(share, [(0.0, 5), (error, 99)], level=0.95, limits=(0.0, 1.0))
        assert found == pytest.approx({"estimate": share, "low": bounds[0], "high": bounds[1]})


def test_table_has_its_columns_in_order_and_the_level_of_its_intervals():
    resampling = Resampling(np.random.default_rng(0), level=0.9)
    table = table_of([{"note": "none", "dataset": "a"}], ["dataset", *ESTIMATE], resampling)
    assert list(table) == ["dataset", "estimate", "low", "high", "level", *ESTIMATE[4:]]
    assert table["level"].tolist() == [0.9]
    assert table_of([], ["dataset", *ESTIMATE], resampling)["estimate"].dtype == float


def test_things_that_networks_share_are_told_if_too_few():
    assert few_shared(0) == few_shared(5) == ""
    assert few_shared(4) == "4 of the 5 shared inputs that a verdict needs"


def test_errors_of_independent_samples_add_up_as_of_welch():
    one, other = np.random.default_rng(0).normal(size=(2, 12)) * [[1], [3]]
    other = other[:7]
    welch = scipy.stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.9)
    errors = [error_of_mean(one), error_of_mean(other)]
    found = t_interval(one.mean() - other.mean(), errors, level=0.9)
    assert (found["low"], found["high"]) == pytest.approx((welch.low, welch.high))


def test_one_value_has_no_error_and_without_freedom_there_is_no_interval():
    assert error_of_mean(np.array([3.0]))[1] == 0
    assert np.isnan(error_of_mean(np.array([3.0]))[0])
    assert error_of_mean(np.array([1.0, 3.0])) == (1.0, 1)
    for errors in ([(0.1, 3), (0.1, 0)], [(np.nan, 3)]):
        assert np.isnan([t_interval(0.5, errors, level=0.95)[end] for end in ("low", "high")]).all()
    exact = t_interval(0.5, [(0.0, 3), (0.0, 4)], level=0.95)
    assert (exact["low"], exact["high"]) == (0.5, 0.5)


def test_share_has_its_interval_on_the_logit_scale():
    found = t_interval(0.2, [(0.01, 8)], level=0.95, limits=(0.0, 1.0))
    # The logit has slope 1/(p (1 − p)).
    half = scipy.stats.t.ppf(0.975, 8) * 0.1 / 0.16
    odds = 0.25 * np.exp([-half, half])
    assert (found["low"], found["high"]) == pytest.approx(tuple(odds / (1 + odds)))


def test_every_ensemble_has_the_same_weight():
    codes = np.array([0, 0, 0, 1, 2, 2])
    weights = ensemble_weights(codes)
    assert weights.tolist() == [1, 1, 1, 3, 1.5, 1.5]


def test_statistic_that_an_ensemble_decides_has_no_interval():
    values = np.array([1.0, 2.0, 4.0])

    def first(weights):
        return np.where(weights[:, 0] > 0, 1.0, np.nan)

    def mean(weights):
        return weights @ values / weights.sum(1)

    resampling = Resampling(np.random.default_rng(0), 20)
    ensembles = pd.Series([*"abc"])
    found = interval_over_networks(first, ensembles, resampling)
    assert found["estimate"] == 1
    assert np.isnan([found["low"], found["high"]]).all()
    # Correlations need three ensembles, means two.
    assert np.isfinite(interval_over_networks(mean, ensembles[:3], resampling)["low"])


def crossed(values, ensembles, **settings):
    resampling = Resampling(np.random.default_rng(0), 20)
    return crossed_mean(np.array(values), pd.Series(ensembles), resampling, **settings)


def test_crossed_mean_has_the_errors_of_ensembles_and_of_things():
    values = np.random.default_rng(0).normal(size=(6, 7)) + np.arange(7)
    values[0, 0] = np.inf
    found = crossed(values, ["a", "a", "b", "c", "d", "e"])
    values[0, 0] = np.nan
    of_ensembles = np.append(np.nanmean(values[:2], axis=1).mean(), values[2:].mean(1))
    of_things = np.vstack([np.nanmean(values[:2], axis=0), values[2:]]).mean(0)
    squares = np.array([scipy.stats.sem(of_ensembles) ** 2, scipy.stats.sem(of_things) ** 2])
    freedom = squares.sum() ** 2 / (squares**2 / [4, 6]).sum()
    half = scipy.stats.t.ppf(0.975, freedom) * squares.sum() ** 0.5
    assert found["estimate"] == pytest.approx(of_ensembles.mean())
    assert (found["low"], found["high"]) == pytest.approx((
        of_ensembles.mean() - half,
        of_ensembles.mean() + half,
    ))
    assert (found["networks"], found["ensembles"], found["shared"], found["note"]) == (6, 5, 7, "")


def test_crossed_mean_says_what_is_too_few():
    found = crossed([[1.0, 2.0], [np.nan, np.nan], [3.0, 5.0]], [*"abc"])
    assert found["note"] == (
        "1 of 3 networks have no finite value; 2 of the 5 ensembles that a verdict needs; "
        "2 of the 5 shared inputs that a verdict needs"
    )
    assert np.isnan(crossed([[1.0], [2.0], [4.0]], [*"abc"])["low"])


def test_contrast_is_of_pairs_within_networks():
    values, control = np.array([3.0, 5.0, 9.0]), np.array([1.0, 2.0, np.nan])
    resampling = Resampling(np.random.default_rng(0), 20)
    of_three = pd.Series([*"abc"])
    found = paired_contrast(values, control, of_three, resampling, name="over")
    half = scipy.stats.t.ppf(0.975, 1) * 0.5
    assert found == pytest.approx({"over": 2.5, "over_low": 2.5 - half, "over_high": 2.5 + half})
    shared = paired_contrast(
        np.log([[4.0, 8.0], [4.0, 8.0]]),
        np.log([[2.0, 4.0], [2.0, 4.0]]),
        of_three[:2],
        resampling,
        name="over",
        scale=np.exp,
    )
    assert shared == pytest.approx(dict.fromkeys(shared, 2.0))


def test_rows_without_a_key_are_left_out_unless_kept():
    table = pd.DataFrame({"dataset": ["a", None, "a"], "value": [1, 2, 3]})
    assert [len(rows) for _, rows in groups(table, ["dataset"])] == [2]
    assert [len(rows) for _, rows in groups(table, ["dataset"], dropna=False)] == [2, 1]
    order = [about["dataset"] for about, _ in groups(table[::-1].fillna("z"), ["dataset"])]
    assert order == ["a", "z"]
    unsorted = pd.DataFrame({"dataset": ["z", "a"]})
    assert [about["dataset"] for about, _ in groups(unsorted, ["dataset"])] == ["z", "a"]


def test_networks_that_are_alone_in_their_ensembles_count_once():
    assert ensemble_weights(np.arange(3)).tolist() == [1, 1, 1]
    assert ensemble_weights(np.array([0, 0, 1])).tolist() == [1, 1, 2]

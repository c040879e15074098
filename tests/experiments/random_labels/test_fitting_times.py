import numpy as np
import pandas as pd
import pytest
import scipy.stats
from oracles.random_data import TIMES, made_courses

from generalization.experiments import claims_of
from generalization.experiments.random_labels.fitting_times import (
    COLUMNS,
    fitting_times,
    steps_to_fit,
)
from generalization.statistics.claims import claims
from generalization.statistics.resampling import Resampling
from generalization.statistics.verdicts import TOO_FEW

ONE = "1 of the 5 ensembles that a verdict needs"


@pytest.fixture
def training():
    return made_courses()


def times_of(training, accuracy=0.5, resamples=200, level=0.95, **settings):
    resampling = Resampling(np.random.default_rng(1), resamples, level)
    return fitting_times(
        training,
        {"accuracy": accuracy},
        {"mnist": 10},
        resampling=resampling,
        **settings,
    )


def of(table, statistic, randomization="none", corruption=0.0, depth=2):
    chosen = (table["statistic"] == statistic) & (table["depth"] == depth)
    kind = (table["randomization"] == randomization) & (table["label_corruption"] == corruption)
    return table[chosen & kind].squeeze()


def test_time_is_interpolated_along_the_logarithm():
    networks = steps_to_fit(made_courses(depths=(2,), seeds=2), 0.5)
    expected = [time * factor for time in TIMES.values() for factor in (1 / 1.1, 1)]
    assert networks["fitting_step"].to_numpy() == pytest.approx(expected)


def test_time_of_a_network_that_is_evaluated_there_is_that_step():
    rows = [(0, 0.1), (10, 0.5), (20, 0.9), (30, 0.8), (40, 1.0)]
    course = pd.DataFrame(rows, columns=["step", "train_accuracy"]).assign(
        ensemble="e", seed=1, final=[False] * 4 + [True], randomization="none", label_corruption=0.0
    )
    for accuracy, step in ((0.05, 0), (0.1, 0), (0.5, 10), (0.9, 20), (1.0, 40)):
        found = steps_to_fit(course, accuracy)["fitting_step"].item()
        assert found == pytest.approx(step), accuracy
    half_way = np.expm1((np.log1p(10) + np.log1p(20)) / 2)
    assert steps_to_fit(course, 0.7)["fitting_step"].item() == pytest.approx(half_way)


def test_random_labels_are_label_corruption_one(training):
    networks = steps_to_fit(training, 0.5)
    random = networks["randomization"] == "random_labels"
    assert (networks.loc[random, "label_corruption"] == 1).all()
    assert set(networks.loc[~random, "label_corruption"]) == {0, 0.5}


def test_training_starts_where_the_accuracy_leaves_chance(training):
    table = times_of(training)
    networks = steps_to_fit(training, 0.1 + 0.1)  # Of ten classes.
    networks = networks[networks["depth"] == 2]
    logs = np.log(networks["fitting_step"].clip(lower=1))
    means = logs.groupby(
        networks["randomization"].where(networks["label_corruption"] != 0.5)
    ).mean()
    started = of(table, "starting_step", "random_labels", 1.0)["estimate"]
    assert started == pytest.approx(np.exp(means["random_labels"]))
    ratio = of(table, "start_over_true_labels", "random_labels", 1.0)["estimate"]
    assert ratio == pytest.approx(np.exp(means["random_labels"] - means["none"]))
    assert ratio > 1


def test_times_and_errors_are_those_that_courses_were_made_of(training):
    table = times_of(training)
    assert list(table) == ["dataset", "depth", *COLUMNS]
    for depth in (2, 4):
        for (kind, corruption), time in TIMES.items():
            corruption = 1.0 if kind == "random_labels" else corruption
            row = of(table, "fitting_step", kind, corruption, depth)
            assert row["estimate"] == pytest.approx(time * depth / 2)
            assert row["low"] < row["estimate"] < row["high"]
            assert (row["networks"], row["fitted"], row["note"]) == (3, 3, ONE)
            if time != 30:
                ratio = of(table, "over_true_labels", kind, corruption, depth)
                assert ratio["estimate"] == pytest.approx(time / 30)
            if time != 120:
                ratio = of(table, "over_random_labels", kind, corruption, depth)
                assert ratio["estimate"] == pytest.approx(time / 120)
    assert of(table, "test_error", corruption=0.5)["estimate"] == pytest.approx(0.5)
    final = training[training["final"] & (training["ensemble"] == "mnist-2-0")]
    error = of(table, "train_error")["estimate"]
    assert error == pytest.approx(1 - final["train_accuracy"].mean())
    chance = of(table, "test_error_over_chance", "random_labels", 1.0)
    assert chance["estimate"] == pytest.approx(1)


def test_nothing_is_compared_with_itself(training):
    table = times_of(training)
    assert of(table, "over_true_labels").empty
    assert of(table, "over_random_labels", "random_labels", 1.0).empty


def test_rise_is_steady_if_its_lowest_interval_is_positive(training):
    """Two settings, one row: the difference between neighbors whose interval begins lowest."""
    table = times_of(training)
    rises = table[table["statistic"].str.startswith("rise_")]
    of_dataset = rises[rises["ensembles"] == 2]
    row = table[(table["statistic"] == "least_rise") & (table["ensembles"] == 2)].squeeze()
    assert row["estimate"] == pytest.approx(0.3)
    assert row["low"] == pytest.approx(of_dataset["low"].min())
    assert row["networks"] == 12
    falling = training.assign(
        test_accuracy=training["test_accuracy"].where(training["label_corruption"] < 0.5, 0.05)
    )
    row = times_of(falling).query("statistic == 'least_rise' and ensembles == 2").squeeze()
    assert row["estimate"] == pytest.approx(-0.05)


def test_rise_of_one_setting_is_too_few_for_a_verdict(training):
    one = training[training["depth"] == training["depth"].min()]
    rows = times_of(one).query("statistic == 'least_rise'")
    assert rows["ensembles"].to_list() == [1]
    assert rows["estimate"].item() == pytest.approx(0.3)
    about = list(claims_of({"zhang_2017": ["random_labels"]}))
    judged = claims(about, {"fitting_times": times_of(one)}).set_index("claim")
    steadily = "The test error rises steadily with label corruption"
    assert judged.loc[steadily, "verdict"] == TOO_FEW


def test_least_rise_rests_on_as_many_settings_as_the_fewest():
    training = made_courses(depths=(2, 3, 4))
    # One setting lacks the level between: what it rises from end to end is of no neighbors.
    some = training[(training["depth"] > 2) | (training["label_corruption"] != 0.5)]
    of_dataset = times_of(some).query("statistic == 'least_rise' and depth.isna()")
    assert of_dataset["ensembles"].to_list() == [2]
    some = training[(training["depth"] == 2) | (training["label_corruption"] != 0.5)]
    of_dataset = times_of(some).query("statistic == 'least_rise' and depth.isna()")
    assert of_dataset["ensembles"].to_list() == [1]


def several_settings(ratios, *, fitted=True):
    """Settings of which each takes so many times as long for random labels."""
    tables = []
    for place, ratio in enumerate(ratios):
        courses = made_courses()
        of_random = courses["randomization"] == "random_labels"
        step = courses["step"].where(~of_random | (courses["step"] == 0), courses["step"] * ratio)
        if not fitted and place == 0:
            accuracy = courses["train_accuracy"].where(~of_random, 0.2)
            courses = courses.assign(train_accuracy=accuracy)
        named = courses["ensemble"] + f"_{place}"
        tables.append(courses.assign(step=step, ensemble=named, width=100 + place))
    return pd.concat(tables, ignore_index=True)


def of_dataset(table, statistic, corruption=1.0):
    rows = table[(table["statistic"] == statistic) & (table["ensembles"] > 1)]
    return rows[rows["label_corruption"] == corruption].iloc[0]


def test_settings_are_the_units_of_a_dataset():
    table = times_of(several_settings([1, 1, 1, 1, 1]))
    single = table[(table["statistic"] == "over_true_labels") & (table["ensembles"] == 1)]
    logs = np.log(single.loc[single["label_corruption"] == 1, "estimate"])
    row = of_dataset(table, "over_true_labels")
    assert row["estimate"] == pytest.approx(np.exp(logs.mean()))
    assert row["ensembles"] == len(logs)
    # Many settings in which fitting takes twice as long show it; few seeds of one setting do not.
    assert row["low"] <= row["estimate"] <= row["high"]


def test_times_of_settings_that_have_not_fitted_have_no_interval():
    table = times_of(several_settings([1, 1, 1, 1, 1], fitted=False))
    row = of_dataset(table, "over_true_labels")
    assert np.isnan(row["low"])
    assert "networks have not fitted" in row["note"]
    # Fitting would have taken more steps than were trained.
    row = of_dataset(table, "over_true_labels_at_least")
    assert np.isfinite(row["low"])


def test_interval_of_a_ratio_is_that_of_the_seeds_of_both(training):
    ratio = of(times_of(training), "over_true_labels", "none", 0.5)
    # ln 1/1.1, 0, ln 1.1: variance ln² 1.1 of three on either side, thus Welch's t with 4 degrees.
    half = scipy.stats.t.ppf(0.975, 4) * np.log(1.1) * (2 / 3) ** 0.5
    assert ratio["low"] == pytest.approx(2 * np.exp(-half))
    assert ratio["high"] == pytest.approx(2 * np.exp(half))


def test_errors_stay_between_0_and_1(training):
    table = times_of(training.assign(test_accuracy=training["test_accuracy"].round(1)))
    rows = table[table["statistic"].isin(["train_error", "test_error"])]
    assert rows["low"].min() >= 0
    assert rows["high"].max() <= 1
    error = of(times_of(training), "test_error")
    half = scipy.stats.t.ppf(0.975, 2) * 0.01 / 3**0.5
    # Of shares, on the scale of logits.
    ends = scipy.special.expit(scipy.special.logit(0.2) + half / 0.16 * np.array([-1, 1]))
    assert [error["low"], error["high"]] == pytest.approx(ends)
    chance = of(times_of(training), "test_error_over_chance")
    assert chance["low"] == pytest.approx((0.2 - half) / 0.9)


def test_share_that_fits_has_an_interval_where_all_do(training):
    table = times_of(training)
    share = of(table, "fitted_share", "random_labels", 1.0)
    # As of three of three networks: Clopper and Pearson's bound.
    assert (share["estimate"], share["high"]) == (1, 1)
    assert share["low"] == pytest.approx(0.025 ** (1 / 3))
    last = training["final"] & (training["randomization"] == "random_labels")
    one = last & (training["depth"] == 2) & (training["seed"] == 1)
    lost = times_of(training.assign(train_accuracy=training["train_accuracy"].mask(one, 0.1)))
    assert of(lost, "fitted_share", "random_labels", 1.0)["estimate"] == pytest.approx(2 / 3)


def test_ratio_has_no_interval_where_times_of_true_labels_are_not_known(training):
    lost = (training["randomization"] == "none") & (training["label_corruption"] == 0)
    training.loc[lost & (training["seed"] == 3), "train_accuracy"] *= 0.1
    row = of(times_of(training), "over_true_labels", "gaussian")
    assert np.isnan(row["low"])
    assert row["note"] == f"not all times of what it is compared with are known; {ONE}"


def test_networks_that_do_not_fit_are_counted(training):
    lost = (training["randomization"] == "gaussian") & (training["seed"] == 3)
    training.loc[lost, "train_accuracy"] *= 0.1
    row = of(times_of(training), "fitting_step", "gaussian")
    assert row["fitted"] == 2
    assert row["note"] == f"1 of 3 networks have not fitted; {ONE}"
    assert np.isnan(row["low"])
    assert row["estimate"] == pytest.approx(50 / 1.1**0.5)


def test_no_network_fits(training):
    training["train_accuracy"] *= 0.1
    table = times_of(training)
    assert table.query("statistic == 'fitting_step'")["estimate"].isna().all()
    assert table.query("statistic == 'test_error'")["estimate"].notna().all()


def test_one_seed_has_no_interval():
    row = of(times_of(made_courses(seeds=1)), "fitting_step")
    assert row["estimate"] == pytest.approx(30 / 1.1)
    assert np.isnan(row["low"])
    assert row["note"] == f"no interval of one network; {ONE}"


def test_without_true_labels_nothing_is_relative_to_them():
    kinds = (("random_labels", 0.0), ("gaussian", 0.0))
    table = times_of(made_courses(kinds=kinds))
    assert "over_true_labels" not in set(table["statistic"])
    assert "least_rise" not in set(table["statistic"])

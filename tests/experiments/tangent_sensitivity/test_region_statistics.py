import numpy as np
import pandas as pd
import pytest
import scipy.stats
from oracles.region_tables import made_regions

from generalization.experiments.tangent_sensitivity.region_statistics import (
    COLUMNS,
    region_statistics,
)
from generalization.statistics.resampling import Resampling


@pytest.fixture
def study():
    return made_regions(np.random.default_rng(0))


def statistics_of(study, resamples=200, level=0.95):
    resampling = Resampling(np.random.default_rng(1), resamples, level)
    return region_statistics(*study, resampling=resampling)


def of(table, statistic, trained=True):
    chosen = (table["statistic"] == statistic) & (table["trained"] == trained)
    return table[chosen].squeeze()


def slow_distance(counts):
    """Between the distribution functions, number by number."""
    mean, deviation = counts.mean(), counts.std(ddof=0)
    return max(
        abs((counts <= k).mean() - scipy.stats.norm.cdf((k + 0.5 - mean) / deviation))
        for k in range(int(counts.min()) - 1, int(counts.max()) + 1)
    )


def test_estimates_are_means_over_networks_of_what_is_defined(study):
    table = statistics_of(study)
    assert list(table) == COLUMNS
    for trained, step in ((False, 0), (True, 50)):
        rows = study[0][study[0]["step"] == step]
        networks = [network for _, network in rows.groupby(["ensemble", "seed"])]
        expected = {
            "active_mean": lambda n: n["active"].mean(),
            "active_variance": lambda n: n["active"].var(),
            "active_share": lambda n: n["active"].mean() / 200,
            "active_skewness": lambda n: scipy.stats.skew(n["active"]),
            "active_excess_kurtosis": lambda n: scipy.stats.kurtosis(n["active"]),
            "active_normal": lambda n: scipy.stats.normaltest(n["active"]).pvalue >= 0.05,
            "active_1_normal": lambda n: scipy.stats.normaltest(n["active_1"]).pvalue >= 0.05,
            "active_2_normal": lambda n: scipy.stats.normaltest(n["active_2"]).pvalue >= 0.05,
            "active_ks": lambda n: slow_distance(n["active"]),
            "active_1_ks": lambda n: slow_distance(n["active_1"]),
            "active_2_ks": lambda n: slow_distance(n["active_2"]),
            "distinct_regions": lambda n: 0.5,
            "log_membership": lambda n: n["log_membership"].mean(),
            "margin": lambda n: n["margin"].median(),
            "inradius": lambda n: n["inradius"].median(),
        }
        rows = table[table["trained"] == trained]
        assert rows["statistic"].tolist() == [*expected]
        for name, function in expected.items():
            mean = np.mean([function(network) for network in networks])
            assert of(table, name, trained)["estimate"] == pytest.approx(mean), name
    assert (table["low"] <= table["estimate"]).all()
    assert (table["estimate"] <= table["high"]).all()
    assert (table["networks"] == 6).all()
    assert (table["ensembles"] == 3).all()
    assert (table["level"] == 0.95).all()
    assert (table["note"] == "3 of the 5 ensembles that a verdict needs").all()


def test_normal_counts_are_rejected_as_often_as_said():
    # Of whole numbers with standard deviations of 6 √2 and 4 √2.
    study = made_regions(np.random.default_rng(2), ensembles=200, seeds=1, points=1000)
    for trained in (False, True):
        row = of(statistics_of(study), "active_normal", trained)
        assert row["estimate"] == pytest.approx(0.95, abs=0.05)
        # Shapiro and Wilk's test would see the steps.
    narrow = study[0][study[0]["step"] == 0].groupby("ensemble")["active"]
    assert narrow.apply(lambda counts: scipy.stats.shapiro(counts).pvalue >= 0.05).mean() < 0.85


def test_skewed_counts_are_not_normal():
    profile, training = made_regions(np.random.default_rng(0))
    trained = profile["step"] > 0
    profile.loc[trained, "active_1"] = np.random.default_rng(1).poisson(2, trained.sum())
    table = statistics_of((profile, training))
    assert of(table, "active_1_normal")["estimate"] == 0
    assert of(table, "active_2_normal")["estimate"] > 0.5


def test_interval_is_of_ensembles_not_of_seeds(study):
    profile, training = study
    # Networks of an ensemble are alike: there are 3 of them, not 6.
    ensemble = profile["ensemble"].map({"e0": 10.0, "e1": 20.0, "e2": 30.0})
    row = of(statistics_of((profile.assign(margin=ensemble), training), resamples=2000), "margin")
    # t with 2 degrees of freedom times the standard error 10 / √3 of three means.
    half = scipy.stats.t.ppf(0.975, 2) * 10 / 3**0.5
    assert row[["estimate", "low", "high"]].tolist() == pytest.approx([20, 20 - half, 20 + half])


def test_networks_count_though_they_have_not_fitted(study):
    profile, training = study
    table = statistics_of((profile, training.assign(train_accuracy=0.3)))
    pd.testing.assert_frame_equal(table, statistics_of(study))


def test_steps_between_the_first_and_the_last_do_not_count(study):
    profile, training = study
    between = profile[profile["step"] == 50].assign(step=20, margin=1e9)
    step = training[training["final"]].assign(step=20, final=False)
    table = statistics_of((pd.concat([profile, between]), pd.concat([training, step])))
    pd.testing.assert_frame_equal(table, statistics_of(study))


def test_a_network_that_is_not_trained_on_is_untrained():
    study = made_regions(np.random.default_rng(0), steps=(0,))
    study[1]["final"] = True
    assert set(statistics_of(study)["trained"]) == {False}


def test_datasets_stay_apart(study):
    profile, training = study
    training.loc[training["ensemble"] == "e1", "dataset"] = "digits"
    table = statistics_of((profile, training))
    assert table.groupby("dataset")["networks"].max().to_dict() == {"digits": 2, "mnist": 4}


def test_missing_values_are_stated(study):
    profile, training = study
    of_tanh = profile["ensemble"] == "e0"
    missing = profile.columns.drop(["ensemble", "seed", "step", "point", "units"])
    profile[missing] = profile[missing].astype(object).mask(of_tanh)
    profile.loc[profile["ensemble"] != "e2", "active_2"] = np.nan
    table = statistics_of((profile, training))
    assert of(table, "margin")["networks"] == 4
    assert of(table, "margin")["note"] == (
        "2 of 6 networks have no finite value; 2 of the 5 ensembles that a verdict needs"
    )
    assert of(table, "active_2_normal")["note"] == (
        "4 of 6 networks have no finite value; 1 of the 5 ensembles that a verdict needs"
    )
    assert (table.groupby("statistic")["networks"].max() > 0).all()


def test_infinite_regions_have_no_mean(study):
    profile, training = study
    profile[["margin", "inradius"]] = np.inf
    row = of(statistics_of((profile, training)), "inradius")
    assert row["networks"] == 0
    assert np.isnan(row["estimate"])
    assert row["note"] == "6 of 6 networks have no finite value; no network is left"


def test_counts_that_do_not_vary_are_not_tested(study):
    profile, training = study
    table = statistics_of((profile.assign(active=7.0), training))
    for name in ("active_normal", "active_skewness", "active_excess_kurtosis"):
        assert of(table, name)["networks"] == 0
    assert of(table, "active_variance")["estimate"] == 0


def test_few_points_are_not_tested():
    table = statistics_of(made_regions(np.random.default_rng(0), points=19))
    assert of(table, "active_normal")["networks"] == 0
    assert of(table, "active_skewness")["networks"] == 6


def test_one_network_has_no_interval():
    table = statistics_of(made_regions(np.random.default_rng(0), ensembles=1, seeds=1))
    row = of(table, "active_mean")
    assert row["estimate"] > 0
    assert np.isnan(row["low"])
    assert row["note"] == "1 of the 5 ensembles that a verdict needs"


def test_no_network_has_no_row(study):
    table = statistics_of((study[0][:0], study[1]))
    assert table.empty
    assert list(table) == COLUMNS


def test_distance_to_a_normal_distribution_does_not_grow_with_points():
    """Planted: binomial counts are close to normal, those of two kinds of points are not."""
    profile, training = made_regions(np.random.default_rng(0), ensembles=6, points=1000)
    generator = np.random.default_rng(1)
    trained = profile["step"] > 0
    profile["active"] = generator.binomial(200, 0.3, len(profile))
    profile.loc[trained, "active"] += 60 * (profile.loc[trained, "point"] % 2)
    table = statistics_of((profile, training))
    assert of(table, "active_ks", trained=False)["high"] < 0.05
    assert of(table, "active_ks")["low"] > 0.05


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_share_of_active_units_is_next_to_that_before_training(share):
    """Planted: half of what it was; and as it was, however few units are active."""
    profile, training = made_regions(np.random.default_rng(0), ensembles=6)
    before = profile["step"] == 0
    profile["active"] = np.where(before, 80, np.round(160 * share)).astype(int)
    profile["active"] += np.random.default_rng(1).integers(-3, 4, len(profile))
    table = statistics_of((profile, training))
    row = of(table, "active_share")
    assert row["high"] < 0.5
    assert row["over_untrained"] == pytest.approx(2 * share, rel=0.02)
    if share == 0.5:
        assert row["over_untrained_low"] < 1 < row["over_untrained_high"]
    else:
        assert row["over_untrained_high"] < 1
    assert np.isnan(of(table, "active_share", trained=False)["over_untrained"])

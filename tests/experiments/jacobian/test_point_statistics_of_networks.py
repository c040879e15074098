import numpy as np
import pytest
import scipy.stats
from oracles.point_tables import made_points
from sklearn.metrics import roc_auc_score

from generalization.experiments.jacobian.point_statistics import point_statistics
from generalization.experiments.jacobian.point_statistics_of_networks import (
    point_statistics_of_networks,
)
from generalization.statistics.resampling import Resampling


@pytest.fixture
def study():
    return made_points(np.random.default_rng(0))


def statistics_of(study, resamples=400, **settings):
    resampling = Resampling(np.random.default_rng(1), resamples)
    return point_statistics_of_networks(*study, resampling=resampling, **settings)


def test_every_network_has_its_own_statistics(study):
    table = statistics_of(study).set_index(["ensemble", "seed", "statistic"])["estimate"]
    networks = study[0].groupby(["ensemble", "seed"])
    assert len(table) == len(networks) * 15
    for network, rows in networks:
        area = roc_auc_score(1 - rows["correct"], rows["jacobian_norm"])
        rank = scipy.stats.spearmanr(rows["jacobian_norm"], rows["cross_entropy"]).statistic
        assert table[*network, "auroc_jacobian_norm"] == pytest.approx(area)
        assert table[*network, "spearman_cross_entropy"] == pytest.approx(rank)


def test_means_are_those_of_all_networks(study):
    each = statistics_of(study).groupby("statistic")["estimate"].mean()
    together = point_statistics(*study, resampling=Resampling(np.random.default_rng(1), 100))
    together = together.set_index("statistic")["estimate"]
    assert each[together.index].to_numpy() == pytest.approx(together.to_numpy())


def test_interval_is_as_wide_as_theory_has_it(study):
    # Hanley and McNeil (1982): the standard error of an area, from U-statistics.
    row = statistics_of(study, resamples=2000).query("statistic == 'auroc_jacobian_norm'").iloc[0]
    network = study[0].query("ensemble == @row.ensemble and seed == @row.seed")
    norm, wrong = network["jacobian_norm"].to_numpy(), network["correct"].to_numpy() == 0
    wins = np.sign(norm[wrong][:, None] - norm[~wrong]) / 2 + 0.5
    error = (wins.mean(1).var() / wrong.sum() + wins.mean(0).var() / (~wrong).sum()) ** 0.5
    half = scipy.stats.norm.ppf(0.975) * error
    assert row["high"] - row["low"] == pytest.approx(2 * half, rel=0.25)
    assert row["low"] < row["estimate"] < row["high"]


def test_network_that_is_always_right_has_no_area(study):
    points, training = study
    first = (points["ensemble"] == points["ensemble"].iloc[0]) & (points["seed"] == 1)
    points.loc[first, "correct"] = 1
    table = statistics_of((points, training))
    rows = table[(table["ensemble"] == points["ensemble"].iloc[0]) & (table["seed"] == 1)]
    none = rows[rows["statistic"].str.startswith("auroc")]
    assert none[["estimate", "low", "high"]].isna().all(axis=None)
    assert rows[rows["statistic"].str.startswith("spearman")]["estimate"].notna().all()

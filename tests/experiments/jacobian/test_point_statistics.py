import numpy as np
import pytest
import scipy.stats
from oracles.point_tables import made_points
from sklearn.metrics import roc_auc_score

from generalization.experiments.jacobian.point_statistics import of_points, point_statistics
from generalization.statistics.resampling import Resampling


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.fixture
def study(generator):
    return made_points(generator)


def networks_of(points):
    return [network for _, network in points.groupby(["ensemble", "seed"])]


def statistics_of(study, **settings):
    resampling = Resampling(np.random.default_rng(1), 200)
    table = point_statistics(*study, resampling=resampling, **settings)
    return table.set_index("statistic")


def with_ties(network):
    return network.assign(jacobian_norm=network["jacobian_norm"].round(1))


@pytest.mark.parametrize("change", [lambda network: network, with_ties])
def test_statistics_of_resamples_are_those_of_points_written_out(study, generator, change):
    network = change(networks_of(study[0])[0])
    counts = generator.multinomial(60, np.full(60, 1 / 60), size=20)
    drawn = of_points(counts.astype(float), network)
    for resample, often in enumerate(counts):
        rows = network.loc[network.index.repeat(often)]
        norm, wrong = rows["jacobian_norm"], 1 - rows["correct"]
        areas = {
            name: roc_auc_score(wrong, rows[name])
            for name in ("jacobian_norm", "least_confidence", "entropy")
        }
        expected = {
            "spearman_cross_entropy": scipy.stats.spearmanr(norm, rows["cross_entropy"]).statistic,
            "spearman_squared_loss": scipy.stats.spearmanr(norm, rows["squared_loss"]).statistic,
            **{f"auroc_{name}": area for name, area in areas.items()},
            **{
                f"auroc_jacobian_norm_minus_{name}": areas["jacobian_norm"] - areas[name]
                for name in ("least_confidence", "entropy")
            },
        }
        assert {name: draws[resample] for name, draws in drawn.items()} == pytest.approx(expected)


def test_estimates_are_means_over_networks(study):
    table = statistics_of(study)
    areas = [
        roc_auc_score(1 - network["correct"], network["jacobian_norm"])
        for network in networks_of(study[0])
    ]
    assert table.loc["auroc_jacobian_norm", "estimate"] == pytest.approx(np.mean(areas))
    assert (table["networks"] == 6).all()
    assert (table["low"] <= table["estimate"]).all()
    assert (table["estimate"] <= table["high"]).all()


def test_norm_that_follows_the_loss_is_perfect(study):
    points, training = study
    points["jacobian_norm"] = points["cross_entropy"]
    table = statistics_of((points, training))
    for statistic in ("spearman_cross_entropy", "auroc_jacobian_norm"):
        row = table.loc[statistic, ["estimate", "low", "high"]]
        assert row.tolist() == pytest.approx([1, 1, 1])


def test_difference_from_itself_is_zero_in_every_resample(study):
    points, training = study
    points["entropy"] = points["jacobian_norm"]
    row = statistics_of((points, training)).loc["auroc_jacobian_norm_minus_entropy"]
    assert row[["estimate", "low", "high"]].tolist() == [0, 0, 0]


@pytest.mark.parametrize("correct", [0, 1])
def test_network_that_is_always_right_or_wrong_has_no_area(study, correct):
    points, training = study
    points.loc[points["ensemble"] == points["ensemble"][0], "correct"] = correct
    table = statistics_of((points, training))
    assert table.loc["auroc_entropy", "networks"] == 4
    assert table.loc["auroc_entropy", "note"] == (
        "not defined for 2 of 6 networks; 2 of the 3 ensembles that an interval needs"
    )
    assert table.loc["spearman_cross_entropy", "networks"] == 6


def test_constant_norm_has_no_correlation_and_tells_nothing(study):
    points, training = study
    table = statistics_of((points.assign(jacobian_norm=0.1), training))
    assert np.isnan(table.loc["spearman_cross_entropy", "estimate"])
    assert table.loc["auroc_jacobian_norm", "estimate"] == 0.5


def test_increasing_maps_change_nothing(study):
    points, training = study
    mapped = points.assign(jacobian_norm=np.log(points["jacobian_norm"]))
    expected = statistics_of(study)["estimate"].to_dict()
    assert statistics_of((mapped, training))["estimate"].to_dict() == pytest.approx(expected)

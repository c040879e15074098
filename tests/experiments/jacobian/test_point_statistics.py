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
    return network.assign(jacobian_norm=network["jacobian_norm"].round(1) + 0.1)


def top_error(rows, column, share):
    """Wrong points among the first, those of one value in their mean order."""
    wanted, error = share * len(rows), 0.0
    for _, tied in sorted(rows.groupby(column), reverse=True):
        taken = min(len(tied), wanted)
        error, wanted = error + taken * (1 - tied["correct"]).mean(), wanted - taken
    return error / (share * len(rows))


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
        rho = {
            (name, loss): scipy.stats.spearmanr(rows[name], rows[loss]).statistic
            for name in ("jacobian_norm", "least_confidence")
            for loss in ("cross_entropy", "squared_loss")
        }
        losses = ("cross_entropy", "squared_loss")
        least = norm[wrong == 1].min()
        expected = {
            **{f"spearman_{loss}": rho["jacobian_norm", loss] for loss in losses},
            **{
                f"spearman_{loss}_minus_least_confidence": rho["jacobian_norm", loss]
                - rho["least_confidence", loss]
                for loss in losses
            },
            "top_error_jacobian_norm": top_error(rows, "jacobian_norm", 0.01),
            "top_error_jacobian_norm_half_percent": top_error(rows, "jacobian_norm", 0.005),
            "top_error_jacobian_norm_5_percent": top_error(rows, "jacobian_norm", 0.05),
            "top_error_over_mean": top_error(rows, "jacobian_norm", 0.01) / wrong.mean(),
            "top_error_least_confidence": top_error(rows, "least_confidence", 0.01),
            "wrong_below_right": np.log10(norm[wrong == 0].median() / least),
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
    # Three ensembles bound a share, or a correlation, that is 1 in all of them.
    share = 0.025 ** (1 / 3)
    lows = {"spearman_cross_entropy": 2 * share - 1, "auroc_jacobian_norm": share}
    for statistic, low in lows.items():
        row = table.loc[statistic, ["estimate", "low", "high"]]
        assert row.tolist() == pytest.approx([1, low, 1])


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
        "not defined for 2 of 6 networks; 2 of the 5 ensembles that a verdict needs"
    )
    assert table.loc["spearman_cross_entropy", "networks"] == 6


def test_constant_norm_has_no_correlation_and_is_uninformative(study):
    points, training = study
    table = statistics_of((points.assign(jacobian_norm=0.1), training))
    assert np.isnan(table.loc["spearman_cross_entropy", "estimate"])
    assert table.loc["auroc_jacobian_norm", "estimate"] == 0.5


def test_increasing_maps_change_nothing(study):
    points, training = study
    mapped = points.assign(jacobian_norm=np.log(points["jacobian_norm"]))
    # How far norms are apart is no matter of ranks.
    expected = statistics_of(study)["estimate"].drop("wrong_below_right").to_dict()
    found = statistics_of((mapped, training))["estimate"].drop("wrong_below_right").to_dict()
    assert found == pytest.approx(expected)


def planted_errors(study, *, at_top):
    """Points that are wrong in a fifth of cases, and those of the largest norms always, or as all.

    Networks agree on what is wrong.
    """
    points, training = study
    rank = points.groupby(["ensemble", "seed"])["jacobian_norm"].rank(ascending=False)
    wrong = np.random.default_rng(3).random(points["point"].max() + 1) < 0.2
    wrong = wrong[points["point"]] | ((rank <= 20) & at_top)
    return points.assign(correct=1 - wrong.astype(int)), training


def test_wrong_points_of_largest_norms_are_distinguished_from_wrong_points():
    study = made_points(np.random.default_rng(0), ensembles=6, points=1000)
    row = statistics_of(planted_errors(study, at_top=True)).loc["top_error_jacobian_norm"]
    # All six ensembles: a share, whose bounds stay within 0 and 1.
    assert row[["estimate", "low", "high"]].tolist() == pytest.approx([1, 0.025 ** (1 / 6), 1])
    assert row["low"] > 0.5
    assert row["over_control_low"] > 3


def test_points_that_are_as_often_wrong_as_all_have_nothing_over_the_mean():
    """A network that is wrong in most cases everywhere: above ½, and its control shows it."""
    points, training = made_points(np.random.default_rng(0), ensembles=6, points=1000)
    wrong = np.random.default_rng(3).random(1000) < 0.9
    points["correct"] = 1 - wrong[points["point"]].astype(int)
    row = statistics_of((points, training)).loc["top_error_jacobian_norm"]
    assert row["low"] > 0.5
    assert row["over_control_low"] < 1 < row["over_control_high"]


@pytest.mark.parametrize("at_top", [False, True])
def test_intervals_of_all_shares_are_shares(at_top):
    table = statistics_of(
        planted_errors(made_points(np.random.default_rng(0), ensembles=6), at_top=at_top)
    )
    shares = table[
        table.index.str.startswith(("auroc", "top_error"))
        & ~table.index.str.contains("minus|over_mean")
    ]
    assert len(shares) == 7
    assert (shares["low"] >= 0).all()
    assert (shares["high"] <= 1).all()
    assert (shares["low"] < shares["high"]).all()


def test_orders_of_magnitude_below_right_points_are_those_that_were_planted(study):
    points, training = study
    points["jacobian_norm"] = np.where(points["correct"] == 1, 1.0, 0.5)
    points.loc[(points["correct"] == 0) & (points["cross_entropy"] > 1.5), "jacobian_norm"] = 1e-3
    assert (
        (points["jacobian_norm"] == 1e-3).groupby([points["ensemble"], points["seed"]]).any().all()
    )
    row = statistics_of((points, training)).loc["wrong_below_right"]
    assert row["estimate"] == pytest.approx(3)


def test_correlations_are_next_to_what_they_have_over_the_confidence_baseline(study):
    table = statistics_of(study)
    row = table.loc["spearman_cross_entropy"]
    contrast = table.loc["spearman_cross_entropy_minus_least_confidence"]
    assert row["over_control"] == contrast["estimate"]
    assert row["over_control_high"] == contrast["high"]
    same = study[0].assign(least_confidence=study[0]["jacobian_norm"])
    assert statistics_of((same, study[1])).loc["spearman_cross_entropy", "over_control"] == 0

import numpy as np
import pandas as pd
import pytest
from oracles.point_tables import made_points

from generalization.experiments.jacobian.single_points import (
    COLUMNS,
    fitted_points,
    means_over_networks,
)
from generalization.statistics.resampling import Resampling


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def mean_norm(counts, network):
    """A statistic whose bootstrap is known."""
    return {"mean": counts @ network["value"].to_numpy() / counts.sum(1)}


def crossed(generator, *, networks, points, of_networks=0.0, of_points=0.0):
    """Values = effect of the network + effect of the point, one ensemble per network."""
    values = (
        of_networks * generator.normal(size=(networks, 1))
        + of_points * generator.normal(size=points)
        + 1e-9 * generator.normal(size=(networks, points))
    )
    return pd.DataFrame({
        "dataset": "mnist",
        "loss": "cross_entropy",
        "ensemble": np.repeat([f"e{i:03d}" for i in range(networks)], points),
        "seed": 1,
        "point": np.tile(np.arange(points), networks),
        "value": values.ravel(),
    })


def of(rows, generator, *, statistic=mean_norm, resamples=2000, level=0.95):
    return means_over_networks(rows, statistic, Resampling(generator, resamples, level))


def test_only_fitted_networks_at_their_last_step_with_true_labels(generator):
    points, training = made_points(generator, ensembles=8, seeds=1)
    for row, (column, value) in enumerate(
        {
            "final": False,
            "train_accuracy": 0.99,
            "label_corruption": 0.5,
            "randomization": "random_labels",
        }.items()
    ):
        training[column] = training[column].astype(object)
        training.loc[row, column] = value
    training["train_accuracy"] = training["train_accuracy"].astype(float)
    training["label_corruption"] = training["label_corruption"].astype(float)
    training["final"] = training["final"].astype(bool)
    points.loc[points["ensemble"] == training["ensemble"][4], "jacobian_norm"] *= np.inf
    rows = fitted_points(points, training, fitted_accuracy=0.999)
    assert rows["ensemble"].unique().tolist() == training["ensemble"][5:].tolist()
    assert (rows.groupby("ensemble")["point"].apply(list).str.len() == 60).all()
    lenient = fitted_points(points, training, fitted_accuracy=0.9)
    assert training["ensemble"][1] in set(lenient["ensemble"])


def test_one_row_per_dataset_and_loss(generator):
    points, training = made_points(generator, datasets=("cifar10", "mnist"), losses=("a", "b"))
    rows = fitted_points(points, training, fitted_accuracy=0.999).rename(
        columns={"jacobian_norm": "value"}
    )
    table = of(rows, generator, resamples=50, level=0.9)
    assert table.columns.tolist() == COLUMNS
    expected = rows.groupby(["dataset", "loss"])["value"].mean()
    assert table.set_index(["dataset", "loss"])["estimate"].to_dict() == pytest.approx(
        expected.to_dict()
    )
    assert (table["low"] < table["estimate"]).all()
    assert (table["estimate"] < table["high"]).all()
    assert table[["level", "networks", "ensembles"]].drop_duplicates().to_numpy().tolist() == [
        [0.9, 6, 3]
    ]


def test_width_is_that_of_the_points_where_these_differ(generator):
    """All networks share the points: that there are 40 of them narrows nothing."""
    rows = crossed(generator, networks=40, points=50, of_points=1)
    row = of(rows, generator).iloc[0]
    error = rows.groupby("point")["value"].mean().std(ddof=0) / 50**0.5
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_width_is_that_of_the_networks_where_these_differ(generator):
    rows = crossed(generator, networks=40, points=50, of_networks=1)
    row = of(rows, generator).iloc[0]
    error = rows.groupby("ensemble")["value"].mean().std(ddof=0) / 40**0.5
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_network_without_the_statistic_is_counted(generator):
    rows = crossed(generator, networks=6, points=10, of_networks=1)
    rows.loc[rows["ensemble"] == "e001", "value"] = np.nan
    row = of(rows, generator, resamples=50).iloc[0]
    assert row["estimate"] == pytest.approx(rows["value"].mean())
    assert (row["networks"], row["ensembles"]) == (5, 5)
    assert row["note"] == "not defined for 1 of 6 networks"
    nobody = of(rows.assign(value=np.nan), generator, resamples=50).iloc[0]
    assert np.isnan(nobody[["estimate", "low", "high"]].astype(float)).all()
    assert (nobody["networks"], nobody["note"]) == (0, "not defined for 6 of 6 networks")


def test_too_few_ensembles_are_reported(generator):
    row = of(crossed(generator, networks=2, points=10), generator, resamples=50).iloc[0]
    assert row["note"] == "2 of the 5 ensembles that a verdict needs"


def test_other_datasets_change_nothing(generator):
    one = crossed(generator, networks=4, points=10, of_networks=1)
    both = pd.concat([one, one.assign(dataset="cifar10", value=one["value"] * 2)])
    alone = of(one, np.random.default_rng(1), resamples=50)
    beside = of(both, np.random.default_rng(1), resamples=50).query("dataset == 'mnist'")
    pd.testing.assert_frame_equal(alone, beside.reset_index(drop=True))


def test_networks_at_different_points_are_refused(generator):
    rows = crossed(generator, networks=2, points=10).iloc[:-3]
    with pytest.raises(
        ValueError,
        match=r"^points must be the same for all networks of a dataset and loss, not 7 and 10 of "
        r"them\.$",
    ):
        of(rows, generator)


def test_no_networks_give_no_rows(generator):
    points, training = made_points(generator)
    rows = fitted_points(points, training.assign(train_accuracy=0.5), fitted_accuracy=0.999)
    assert of(rows, generator).columns.tolist() == COLUMNS
    none = fitted_points(points[["ensemble", "seed", "step"]][:0], training, fitted_accuracy=0.999)
    assert of(none, generator).empty

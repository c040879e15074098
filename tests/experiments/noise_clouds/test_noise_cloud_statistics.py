import numpy as np
import pandas as pd
import pytest
from oracles.cloud_tables import made_clouds

from generalization.experiments.noise_clouds.cloud_courses import courses
from generalization.experiments.noise_clouds.noise_cloud_statistics import (
    COLUMNS,
    CORRELATION,
    DIFFERENCES,
    RATIOS,
    noise_cloud_statistics,
)
from generalization.statistics.resampling import Resampling


@pytest.fixture
def study():
    """All networks with one label corruption."""
    clouds, training = made_clouds(np.random.default_rng(0))
    return clouds, training.assign(label_corruption=0.0)


def statistics_of(study, resamples=200, level=0.95):
    resampling = Resampling(np.random.default_rng(1), resamples, level)
    return noise_cloud_statistics(*study, resampling=resampling)


def of(table, statistic, layer=1, sigma=0.1, part="test"):
    chosen = (table["statistic"] == statistic) & (table["part"] == part)
    return table[chosen & (table["layer"] == layer) & (table["sigma"] == sigma)].squeeze()


def test_estimates_are_means_over_networks(study):
    table = statistics_of(study)
    assert list(table) == ["dataset", *COLUMNS]
    assert len(table) == 2 * 2 * 2 * (len(RATIOS) + len(DIFFERENCES) + 1)
    networks = courses(*study).query("part == 'test' and layer == 2 and sigma == 0.01")
    for name in RATIOS:
        assert of(table, name, 2, 0.01)["estimate"] == pytest.approx(np.exp(networks[name].mean()))
    for name in DIFFERENCES:
        assert of(table, name, 2, 0.01)["estimate"] == pytest.approx(networks[name].mean())
    row = of(table, "noise_over_untrained")
    assert row["low"] < row["estimate"] < row["high"]
    assert (row["networks"], row["ensembles"], row["level"], row["note"]) == (6, 3, 0.95, "")


def with_settled_steps(study):
    """The later the test loss is least, the later the rest settles."""
    clouds, training = study
    order = training["ensemble"].str[1].astype(int) * 2 + training["seed"]
    least = order.clip(upper=4).map({1: 10, 2: 20, 3: 40, 4: 80})
    training["test_loss"] = (training["step"] - least).abs().astype(float)
    about = training.assign(least=least)[["ensemble", "seed", "step", "least"]]
    joined = clouds.merge(about, on=["ensemble", "seed", "step"])
    clouds["ev_rest"] = (joined["step"] < joined["least"]).astype(float)
    return clouds, training


def test_correlation_of_steps(study):
    row = of(statistics_of(with_settled_steps(study)), CORRELATION)
    assert row["estimate"] == pytest.approx(1)
    assert row["high"] == pytest.approx(1)


def test_change_beyond_that_of_the_first_layer(study):
    table = statistics_of(study)
    changes = [of(table, "ev_1_change", layer)["estimate"] for layer in (1, 2)]
    assert np.isnan(of(table, "ev_1_change_beyond_first", 1)["estimate"])
    beyond = of(table, "ev_1_change_beyond_first", 2)
    assert beyond["estimate"] == pytest.approx(changes[1] - changes[0])
    assert beyond["low"] <= beyond["estimate"] <= beyond["high"]


def test_order_of_few_networks_has_no_interval():
    """Of four networks, 1 in 12 orders is that of the others or its opposite."""
    clouds, training = made_clouds(np.random.default_rng(0), ensembles=2)
    study = clouds, training.assign(label_corruption=0.0)
    row = of(statistics_of(with_settled_steps(study)), CORRELATION)
    assert row["estimate"] == pytest.approx(1)
    assert np.isnan(row["low"])
    assert row["note"] == "no interval: too few networks"
    wide = of(statistics_of(with_settled_steps(study), level=0.9), CORRELATION)
    assert wide["high"] == pytest.approx(1)


def test_steps_that_are_all_the_same_have_no_correlation(study):
    row = of(statistics_of(study), CORRELATION)
    assert np.isnan(row["estimate"])
    assert row["note"] == "steps of too few networks differ"


def test_interval_resamples_ensembles_then_seeds(study):
    clouds, _ = study
    # Networks of an ensemble are alike: there are 3 of them, not 6.
    clouds["predicted_noise"] *= clouds["ensemble"].map({"e0": 1, "e1": 2, "e2": 4})
    row = of(statistics_of(study, resamples=2000), "measured_over_predicted")
    assert row[["estimate", "low", "high"]].tolist() == pytest.approx([1 / 4, 1 / 8, 1 / 2])


def test_what_is_swept_over_stays_apart():
    table = statistics_of(made_clouds(np.random.default_rng(0)))
    assert list(table)[:3] == ["dataset", "label_corruption", "part"]
    assert set(table["label_corruption"]) == {0, 0.1, 0.2}
    row = of(table[table["label_corruption"] == 0.1], "ev_1_change")
    assert row["note"] == "1 of the 3 ensembles that an interval needs"


def test_what_networks_lack_is_said(study):
    clouds, training = study
    table = statistics_of((clouds[clouds["step"] > 0], training))
    assert of(table, "ev_1_change")["note"] == (
        "6 of 6 networks have no finite value; no network is left"
    )


def test_no_network_has_no_row(study):
    table = statistics_of((study[0][:0], study[1]))
    assert table.empty
    assert list(table) == ["dataset", *COLUMNS]


def test_same_numbers_again(study):
    pd.testing.assert_frame_equal(statistics_of(study), statistics_of(study))

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from oracles.cloud_tables import made_clouds

from generalization.experiments.noise_clouds.claims import CLAIMS
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
    # What is of the network has no layer.
    there = table["layer"].fillna(layer) == layer
    return table[chosen & there & (table["sigma"] == sigma)].squeeze()


def test_estimates_are_means_over_networks(study):
    table = statistics_of(study)
    assert list(table) == COLUMNS
    # In two layers, but for the change in accuracy, which is one of the network.
    assert len(table) == 2 * 2 * (2 * (len(RATIOS) + len(DIFFERENCES) + 1) - 1)
    networks = courses(*study).query("part == 'test' and layer == 2 and sigma == 0.01")
    for name in RATIOS:
        found = of(table, name, 2, 0.01)["estimate"]
        assert found == pytest.approx(np.exp(networks[name].mean()), nan_ok=True)
    for name in DIFFERENCES:
        found = of(table, name, 2, 0.01)["estimate"]
        assert found == pytest.approx(networks[name].mean(), nan_ok=True)
    row = of(table, "noise_over_untrained")
    assert row["low"] < row["estimate"] < row["high"]
    assert row[["networks", "ensembles", "shared", "level"]].tolist() == [6, 3, 2, 0.95]


def test_images_that_all_networks_share_are_a_source_of_variance(study):
    """Many networks that see the same hard and the same easy image know two images."""
    clouds, _ = study
    clouds["predicted_noise"] *= clouds["class"].map({0: 1.0, 1: 4.0})
    row = of(statistics_of(study), "measured_over_predicted")
    assert row["estimate"] == pytest.approx(1 / 4)
    assert row["low"] < 0.01
    assert row["high"] > 1
    assert "2 of the 5 shared" in row["note"]


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


def test_the_accuracy_with_noise_is_that_of_a_network_and_not_of_a_layer(study):
    rows = statistics_of(study).query("statistic == 'accuracy_change'")
    assert rows["layer"].isna().all() and set(rows["kind"]) == {""}
    settings = ["architecture", "depth", "part", "sigma"]
    assert len(rows) == 4 and not rows.duplicated(settings).any()


def claimed(table, statistic):
    """The rows of the claim in the setting of the blog, and of that beyond it."""
    claims = [claim for claim in CLAIMS["graham_inner_activations"] if statistic in claim.rows]
    return [table.query(claim.rows) for claim in claims if f"'{statistic}'" in claim.rows]


def test_claims_are_about_the_setting_of_the_blog_and_beyond_it(study):
    clouds, training = study
    table = statistics_of((clouds, training.assign(architecture="convolutional")))
    here, beyond = claimed(table, "ev_1_change")
    assert set(here["layer"]) == {1}
    assert set(here["sigma"]) == {0.1, 0.01}
    assert set(here["part"]) == {"train", "test"}
    assert beyond.empty
    corrupted = training.assign(architecture="convolutional", label_corruption=0.5)
    here, beyond = claimed(statistics_of((clouds, corrupted)), "ev_1_change")
    assert here.empty
    assert set(beyond["layer"]) == {1, 2}


def test_no_claim_is_about_filtering_noise_or_about_step_0():
    """The blog expected filtering, and reports that it did not see it."""
    rows = " ".join(claim.rows for claim in CLAIMS["graham_inner_activations"])
    assert "noise_over_input" not in rows
    assert "from_untrained" not in rows


def test_steps_that_are_all_the_same_have_no_correlation(study):
    row = of(statistics_of(study), CORRELATION)
    assert np.isnan(row["estimate"])
    assert row["note"] == "steps of too few networks differ"


def test_interval_is_of_ensembles_not_of_seeds(study):
    clouds, _ = study
    # Networks of an ensemble are alike: there are 3 of them, not 6.
    clouds["predicted_noise"] *= clouds["ensemble"].map({"e0": 1, "e1": 2, "e2": 4})
    row = of(statistics_of(study), "measured_over_predicted")
    half = scipy.stats.t.ppf(0.975, 2) * np.log(2) / 3**0.5
    expected = np.exp(np.log(1 / 4) + half * np.array([0, -1, 1]))
    assert row[["estimate", "low", "high"]].tolist() == pytest.approx(expected.tolist())


def test_what_is_swept_over_stays_apart():
    table = statistics_of(made_clouds(np.random.default_rng(0)))
    assert set(table["label_corruption"]) == {0, 0.1, 0.2}
    row = of(table[table["label_corruption"] == 0.1], "ev_1_change")
    assert row["note"].startswith("1 of the 5 ensembles")
    assert np.isnan(row["low"])


def test_missing_values_are_stated(study):
    clouds, training = study
    table = statistics_of((clouds[clouds["step"] != 10], training))
    assert of(table, "ev_1_change")["note"] == (
        "6 of 6 networks have no finite value; no network is left; "
        "6 networks were not kept at the end of the first epoch"
    )
    assert "first epoch" not in of(table, "ev_1_change_from_untrained")["note"]


def test_no_network_has_no_row(study):
    table = statistics_of((study[0][:0], study[1]))
    assert table.empty
    assert list(table) == COLUMNS


def test_same_numbers_again(study):
    pd.testing.assert_frame_equal(statistics_of(study), statistics_of(study))

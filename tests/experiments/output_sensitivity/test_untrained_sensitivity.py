import numpy as np
import pytest
from oracles.sensitivity_tables import made_sensitivities, made_training

from generalization.experiments.output_sensitivity.untrained_sensitivity import (
    COLUMNS,
    untrained_sensitivity,
)
from generalization.statistics.resampling import Resampling


def table(profile, training):
    resampling = Resampling(np.random.default_rng(0), 300)
    return untrained_sensitivity(profile, training, resampling=resampling)


@pytest.fixture(scope="module")
def training():
    return made_training()


@pytest.fixture(scope="module")
def profile(training):
    return made_sensitivities(training)


def row(found, ratio, variant="per_output"):
    chosen = found[(found["ratio"] == ratio) & (found["variant"] == variant)]
    return chosen[chosen["hyperparameter"].isna()].iloc[0]


def test_estimates_are_means_of_ratios_of_untrained_networks(profile, training):
    found = table(profile, training)
    assert list(found) == COLUMNS
    untrained = profile[(profile["step"] == 0) & (profile["variant"] == "per_output")]
    ratios = untrained["small_noise"] / untrained["expected_before"]
    one = row(found, "little_noise")
    assert one["estimate"] == pytest.approx(ratios.mean())
    assert (one["networks"], one["ensembles"], one["note"]) == (18, 6, "")
    assert one["low"] < one["estimate"] < one["high"]
    assert row(found, "noise")["estimate"] == pytest.approx(ratios.mean())
    limit = row(found, "noise_over_little_noise")
    assert limit[["estimate", "low", "high"]].tolist() == pytest.approx([1.2] * 3)


def test_settings_have_rows_of_their_own(profile, training):
    found = table(profile, training).query("variant == 'mean' and ratio == 'little_noise'")
    rows = found.dropna(subset="hyperparameter").groupby("hyperparameter")["setting"]
    assert rows.agg(list).to_dict() == {"depth": [2, 3], "width": [50, 100, 150]}
    joined = profile.merge(training[["ensemble", "seed", "step", "width"]])
    alike = joined.query("variant == 'mean' and step == 0 and width == 100")
    expected = (alike["small_noise"] / alike["expected_before"]).mean()
    assert found[found["setting"] == 100]["estimate"].item() == pytest.approx(expected)


def test_probabilities_have_no_expectation(profile, training):
    found = table(profile, training).query("variant == 'softmax'")
    assert set(found["ratio"]) == {"noise_over_little_noise"}


def test_networks_without_closed_form_are_counted(profile, training):
    tanh = profile["ensemble"] == "e1"
    lost = profile.assign(expected_before=profile["expected_before"].mask(tanh))
    one = row(table(lost, training), "little_noise")
    assert one["note"] == "3 of 18 networks have no closed form"
    assert one["ensembles"] == 5


def test_no_untrained_networks(profile, training):
    assert table(profile[profile["step"] > 0], training).empty

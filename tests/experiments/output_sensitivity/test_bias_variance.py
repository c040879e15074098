import numpy as np
import pandas as pd
import pytest
from oracles.sensitivity_tables import (
    CLASSES,
    INPUT_RATIO,
    OF_BIASES,
    made_distances,
    made_outputs,
    made_sensitivities,
    made_training,
)

from generalization.experiments.output_sensitivity.bias_variance import COLUMNS, bias_variance
from generalization.statistics.resampling import Resampling

SEEDS = (1, 2, 3, 4, 5)
ONE = "1 of the 5 ensembles that a verdict needs"


@pytest.fixture(scope="module")
def training():
    return made_training(ensembles=3, seeds=SEEDS)


@pytest.fixture(scope="module")
def tables(training):
    outputs, labels = made_outputs(training)
    return made_distances(training, outputs, labels), made_sensitivities(training), training


def derived(distances, sensitivities, training, resamples=300):
    resampling = Resampling(np.random.default_rng(0), resamples)
    return bias_variance(distances, sensitivities, training, resampling=resampling)


def values(table, **chosen):
    """Quantity → estimate of one ensemble."""
    for key, value in chosen.items():
        table = table[table[key] == value]
    return table.set_index("quantity")["estimate"].to_dict()


@pytest.mark.parametrize("trained", [False, True])
def test_the_textbooks_unbiased_estimators(tables, trained):
    """Variance with R − 1, squared bias ‖mean − y‖² − variance / R, from all outputs at hand."""
    outputs, labels = made_outputs(tables[2])
    table = derived(*tables)
    assert list(table) == COLUMNS
    rows = (tables[2]["final"] if trained else tables[2]["step"] == 0) & (
        tables[2]["ensemble"] == "e1"
    )
    f = outputs[rows.to_numpy()]
    variance = f.var(0, ddof=1).sum(-1).mean()
    squared_bias = np.square(f.mean(0) - labels).sum(-1).mean() - variance / len(SEEDS)
    error = np.square(f - labels).sum(-1).mean()
    found = values(table, ensemble="e1", trained=trained, output="probabilities")
    expected = {"error": error, "variance": variance, "squared_bias": squared_bias}
    assert found == pytest.approx(expected | {"variance_share": variance / error})


def test_predictions_are_of_the_mean_sensitivity_of_outputs(tables):
    _, sensitivities, _ = tables
    found = values(derived(*tables), ensemble="e2", trained=False, output="logits")
    rows = sensitivities.query("ensemble == 'e2' and step == 0 and variant == 'per_output'")
    for name, column in {"predicted": "value", "predicted_small_noise": "small_noise"}.items():
        expected = CLASSES * (rows[column].mean() * INPUT_RATIO + OF_BIASES)
        assert found[name] == pytest.approx(expected)
        assert found[f"variance_over_{name}"] == pytest.approx(found["variance"] / expected)


def test_estimates_have_no_bias():
    """Over many ensembles of two networks, whose outputs have a known variance and bias."""
    training = made_training(ensembles=300, seeds=(1, 2), steps=(0,)).assign(width=10)
    outputs, labels = made_outputs(training)
    mean = np.random.default_rng(0).standard_normal((6, CLASSES))
    tables = made_distances(training, outputs, labels), made_sensitivities(training), training
    table = derived(*tables, resamples=1).query("output == 'logits'")
    expected = {"variance": CLASSES, "squared_bias": np.square(mean - labels).sum(-1).mean()}
    for quantity, value in expected.items():
        estimates = table.loc[table["quantity"] == quantity, "estimate"]
        assert 4 * estimates.sem() < 0.2 * value
        assert abs(estimates.mean() - value) < 4 * estimates.sem()


def test_seeds_that_were_trained_apart_have_fewer_pairs(tables):
    _, sensitivities, training = tables
    outputs, labels = made_outputs(training)
    apart = made_distances(training, outputs, labels, blocks=[(1, 2, 3), (4, 5)])
    table = derived(apart, sensitivities, training).query("ensemble == 'e0' and not trained")
    assert set(table["pairs"]) == {4}
    assert set(table["note"]) == {f"6 pairs of networks were not trained together; {ONE}"}
    untrained = (training["ensemble"] == "e0") & (training["step"] == 0)
    f = outputs[untrained.to_numpy()]
    together = [(0, 1), (0, 2), (1, 2), (3, 4)]
    expected = np.mean([np.square(f[r] - f[s]).sum(-1).mean() / 2 for r, s in together])
    assert values(table, output="logits")["variance"] == pytest.approx(expected)


def test_networks_between_do_not_count(tables):
    """Two networks at one step, of which only one is done there, are no pair of the last ones."""
    distances, sensitivities, training = tables
    between = training[training["final"]].assign(final=False, step=13)
    others = (distances["other_step"] > 0) & (distances["other_seed"] != 3)
    other = distances[others].assign(other_step=13, squared_distance=1e9)
    both = derived(
        pd.concat([distances, other]),
        sensitivities,
        pd.concat([training, between[between["seed"] != 3]], ignore_index=True),
    )
    assert both.equals(derived(*tables))


def test_interval_covers_the_estimate_and_shrinks_with_networks():
    widths = {}
    for count in (4, 40):
        training = made_training(ensembles=12, seeds=range(1, count + 1), steps=(0,))
        outputs, labels = made_outputs(training)
        tables = made_distances(training, outputs, labels), made_sensitivities(training), training
        rows = derived(*tables).query("quantity == 'error' and output == 'logits'")
        assert ((rows["low"] < rows["estimate"]) & (rows["estimate"] < rows["high"])).all()
        widths[count] = (rows["high"] - rows["low"]).mean()
    assert widths[40] < widths[4] / 2


def test_one_network_has_an_error_only(tables):
    distances, sensitivities, training = tables
    one = training[training["seed"] == 2]
    alone = distances[(distances["seed"] == 2) & distances["other_seed"].isna()]
    table = derived(alone, sensitivities, one)
    assert set(table["note"]) == {
        "one network has no variance",
        f"one network has no variance; {ONE}",
    }
    there = table.dropna(subset="estimate")
    assert there["note"].str.endswith(ONE).all()
    assert set(there["quantity"]) == {"error", "predicted", "predicted_small_noise"}
    assert table[["low", "high"]].isna().all(axis=None)


def test_what_has_no_closed_form_is_stated(tables):
    distances, sensitivities, training = tables
    tanh = sensitivities.assign(variance_of_biases=np.nan)
    table = derived(distances, tanh, training)
    lost = table[table["estimate"].isna()]
    assert set(lost["note"]) == {"no closed form"}
    assert lost["quantity"].str.contains("predicted").all()


def test_networks_whose_outputs_are_not_finite_are_left_out(tables):
    distances, sensitivities, training = tables
    broken = distances["seed"].eq(2) | distances["other_seed"].eq(2)
    infinite = distances.assign(squared_distance=distances["squared_distance"].mask(broken, np.inf))
    without = derived(distances[~broken], sensitivities, training)
    assert derived(infinite, sensitivities, training).equals(without)
    assert set(without["networks"]) == {4}

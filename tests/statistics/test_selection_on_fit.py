import numpy as np
import pandas as pd
import pytest
from oracles.studies import made_measures
from scipy.stats import spearmanr

from generalization.statistics.design import main_effects
from generalization.statistics.draws import leave_one_out_counts, observed_counts
from generalization.statistics.intervals import correlation_interval, mean_interval
from generalization.statistics.partial import partial_rank_correlation
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection_on_fit import COLUMNS, WARNING, selection_on_fit

LEVELS = np.array(list(np.ndindex(4, 2, 6)))
ENSEMBLES, SEEDS = len(LEVELS), 2
STATISTICS = pd.DataFrame({"measure": ["planted", "other"], "kind": ["candidate", "baseline"]})


def resampling():
    return Resampling(np.random.default_rng(0), 50)


def simulated(generator, depends=1.0):
    """Measure and gap are independent; half of the networks fit, by both of them, or by neither."""
    ensemble = np.repeat(np.arange(ENSEMBLES), SEEDS)
    shape = (2, len(ensemble))
    measure, gap = generator.normal(size=(2, ENSEMBLES))[:, ensemble] + 0.2 * generator.normal(
        size=shape
    )
    fits = depends * (measure + gap) + generator.normal(size=len(ensemble)) > 0
    networks = pd.DataFrame({
        "ensemble": [f"digits-{one:08x}" for one in ensemble],
        "seed": np.tile(np.arange(SEEDS), ENSEMBLES),
        "step": 100,
        "final": True,
        "status": "stopped",
        "dataset": "digits",
        "label_corruption": LEVELS[ensemble, 0] / 4,
        "depth": LEVELS[ensemble, 1],
        "replicate": LEVELS[ensemble, 2],
        "train_loss": 0.1,
        "train_accuracy": np.where(fits, 1.0, 0.9),
        "generalization_gap": 0.1 * gap,
    })
    other = networks.assign(measure="other", value=generator.normal(size=len(ensemble)))
    return pd.concat([networks.assign(measure="planted", value=measure), other])


def table_of(measures, **settings):
    return selection_on_fit(measures, STATISTICS, resampling=resampling(), **settings)


def dependence(measures):
    rows = table_of(measures).query("statistic == 'fitting_given_design'")
    return rows.set_index("measure").loc["planted"]


def correlations(measures):
    """Spearman's ρ of measure and gap among all networks, and among those that fit."""
    rows = measures[measures["measure"] == "planted"]
    fitted = rows[rows["train_accuracy"] == 1]
    return [
        spearmanr(some["value"], some["generalization_gap"]).statistic for some in (rows, fitted)
    ]


def test_half_of_the_networks_fitting_makes_a_relation_out_of_nothing_and_is_warned_of():
    generator = np.random.default_rng(0)
    studies = [simulated(generator) for _ in range(40)]
    everyone, fitted = np.mean([correlations(one) for one in studies], axis=0)
    assert abs(everyone) < 0.05
    assert -0.4 < fitted < -0.16
    assert sum(dependence(one)["note"] == WARNING for one in studies) >= 36


def test_no_warning_where_fitting_depends_on_nothing():
    generator = np.random.default_rng(1)
    studies = [simulated(generator, depends=0.0) for _ in range(60)]
    # Binomial with .05, 1e-3.
    assert sum(dependence(one)["note"] == WARNING for one in studies) <= 9
    assert abs(np.mean([correlations(one)[1] for one in studies])) < 0.05


def test_dependence_by_the_design_alone_is_no_warning():
    measures = simulated(np.random.default_rng(2), depends=0.0)
    corrupted = measures["label_corruption"]
    measures["train_accuracy"] = np.where(corrupted > 0.4, 0.9, 1.0)
    measures["value"] += 10 * corrupted
    row = dependence(measures)
    assert row["note"] == "fitting is a function of the hyper-parameters alone"
    assert np.isnan(row["estimate"])


@pytest.mark.parametrize(
    ("accuracy", "why"),
    [
        (1.0, "all networks fit"),
        (0.5, "the same fraction fits everywhere"),
    ],
)
def test_dependence_needs_networks_that_fit_and_others_that_do_not(accuracy, why):
    row = dependence(simulated(np.random.default_rng(3)).assign(train_accuracy=accuracy))
    assert row["note"] == why


def test_fraction_fitted_is_that_of_ensembles_at_each_level():
    measures = simulated(np.random.default_rng(4))
    table = table_of(measures)
    assert list(table) == COLUMNS
    found = table[table["factor"] == "label_corruption"].set_index("factor_level")
    rows = measures[measures["measure"] == "planted"]
    for level, some in rows.groupby("label_corruption"):
        fits = (some["train_accuracy"] == 1).to_numpy(float)
        codes = pd.factorize(some["ensemble"])[0]
        expected = mean_interval(fits, codes, level=0.95).estimate
        assert found.loc[level, "estimate"] == pytest.approx(float(expected))
        assert 0 <= found.loc[level, "low"] < expected < found.loc[level, "high"] <= 1
        assert found.loc[level, ["networks", "ensembles"]].tolist() == [24, 12]
    assert set(table["factor"].dropna()) == {"label_corruption", "depth", "replicate"}


def test_baselines_and_networks_without_a_gap_do_not_count():
    measures = made_measures()
    kinds = {"training_loss": "baseline"}
    statistics = pd.DataFrame({"measure": measures["measure"].unique()})
    statistics["kind"] = statistics["measure"].map(kinds).fillna("candidate")
    table = selection_on_fit(measures, statistics, resampling=resampling())
    rows = table.query("statistic == 'fitting_given_design'").set_index("measure")
    assert "training_loss" not in rows.index
    assert rows.loc["lost", "note"] == "the measure has no value"
    assert rows.loc["constant", "note"] == "the measure is the same for all ensembles"
    assert rows.loc["jacobian_norm", "ensembles"] == 36


def test_few_ensembles_are_not_tested():
    measures = simulated(np.random.default_rng(5))
    few = measures[measures["ensemble"].isin(measures["ensemble"].unique()[:4])]
    assert dependence(few)["note"] == "4 of the 5 ensembles that a verdict needs"


def test_network_that_has_no_gap_in_the_end_does_not_count_as_one_that_fits():
    measures = simulated(np.random.default_rng(6))
    first = measures["ensemble"] == measures["ensemble"].iloc[0]
    lost = first & (measures["seed"] == 0)
    # Its sibling fits, so that half of the ensemble would.
    accuracy = np.where(lost, 0.9, 1.0)
    measures["train_accuracy"] = measures["train_accuracy"].mask(first, accuracy)
    before = measures[lost].assign(step=50, final=False)
    diverged = measures.assign(
        generalization_gap=measures["generalization_gap"].mask(lost),
    )
    with_course = pd.concat([diverged, before], ignore_index=True)
    found, expected = dependence(with_course), dependence(measures[~lost])
    assert found["estimate"] == pytest.approx(expected["estimate"])
    assert found["p_value"] == expected["p_value"]


def test_interval_spends_a_degree_of_freedom_on_every_column_of_the_design():
    measures = simulated(np.random.default_rng(7))
    row = dependence(measures)
    planted = measures[measures["measure"] == "planted"].assign(
        fits=lambda rows: rows["train_accuracy"] == 1
    )
    means = planted.groupby("ensemble")[["value", "fits"]].mean()
    design = main_effects(LEVELS)
    value, fits = means.to_numpy(float).T
    observed, left_out = (
        partial_rank_correlation(counts, value[None], fits, design)
        for counts in (observed_counts(ENSEMBLES), leave_one_out_counts(ENSEMBLES))
    )
    # An intercept, three levels of corruption, one of depth, five of replicates.
    free = ENSEMBLES - 1 - (1 + 3 + 1 + 5)
    expected = correlation_interval(observed[:, 0], left_out, level=0.95, degrees_of_freedom=free)
    assert row["estimate"] == pytest.approx(expected.estimate.item())
    assert (row["low"], row["high"]) == pytest.approx((expected.low.item(), expected.high.item()))

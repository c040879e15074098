import numpy as np
import pandas as pd
import pytest
import scipy.stats
from oracles.sensitivity_studies import CONSTANTS, made_study

from generalization.experiments.output_sensitivity.sensitivities import alike_but_for, sensitivities
from generalization.experiments.output_sensitivity.sensitivity_statistics import (
    COLUMNS,
    sensitivity_statistics,
)
from generalization.statistics.resampling import Resampling
from generalization.tables import read_table, write_table

S, PER_OUTPUT = "output_sensitivity", "output_sensitivity_per_output"


@pytest.fixture(scope="module")
def study():
    measures, profile, *_ = made_study(np.random.default_rng(0))
    return measures, profile


def statistics_of(measures, profile, resamples=200, level=0.95, **settings):
    resampling = Resampling(np.random.default_rng(1), resamples, level)
    return sensitivity_statistics(measures, profile, resampling=resampling, **settings)


@pytest.fixture(scope="module")
def table(study):
    return statistics_of(*study)


def row_of(table, statistic, measure=S, *, trained=True, selection="fitted", dataset="all"):
    keys = ["dataset", "selection", "measure", "trained", "statistic"]
    wanted = [dataset, selection, measure, trained, statistic]
    (row,) = table[(table[keys] == wanted).all(axis=1)].to_dict("records")
    return row


def ended(measures, measure=S):
    rows = measures[measures["final"] & (measures["measure"] == measure)]
    return rows["value"].to_numpy(), rows["test_loss"].to_numpy()


def test_correlations_are_those_of_scipy(study, table):
    s, loss = ended(study[0])
    expected = {
        "pearson_log": scipy.stats.pearsonr(np.log(s), np.log(loss)).statistic,
        "spearman": scipy.stats.spearmanr(s, loss).statistic,
        "kendall": scipy.stats.kendalltau(s, loss).statistic,
        "slope_log": scipy.stats.linregress(np.log(s), np.log(loss)).slope,
    }
    for statistic, value in expected.items():
        row = row_of(table, statistic)
        assert row["estimate"] == pytest.approx(value), statistic
        assert row["low"] < value < row["high"], statistic
        assert (row["networks"], row["ensembles"]) == (60, 20)
    assert list(table) == COLUMNS


def test_sensitivity_before_training_goes_with_the_loss_after_it(study, table):
    measures, _ = study
    before = measures[(measures["step"] == 0) & (measures["measure"] == S)]["value"]
    expected = scipy.stats.spearmanr(before, ended(measures)[1]).statistic
    assert row_of(table, "spearman", trained=False)["estimate"] == pytest.approx(expected)


def test_correlations_within_an_initialization_are_of_deviations_and_ranks(study, table):
    last = study[0][study[0]["final"] & (study[0]["measure"] == S)]
    logs = pd.DataFrame({"s": np.log(last["value"]), "loss": np.log(last["test_loss"])})
    scales = logs.groupby(last["init_scale"])
    expected = {
        "pearson_log": logs - scales.transform("mean"),
        "spearman": scales.rank() - scales.rank().groupby(last["init_scale"]).transform("mean"),
    }
    for name, deviations in expected.items():
        row = row_of(table, f"{name}_within_initialization")
        value = np.corrcoef(deviations["s"], deviations["loss"])[0, 1]
        assert row["estimate"] == pytest.approx(value), name
        assert row["low"] < value < row["high"], name
        assert (row["networks"], row["ensembles"]) == (60, 20)


def test_scale_of_the_initialization_alone_relates_nothing_within_it():
    measures, profile, *_ = made_study(np.random.default_rng(0))
    # S and the loss depend on nothing but the scale, beside noise of their own.
    generator = np.random.default_rng(3)
    noise = generator.normal(size=(2, len(measures)))
    measures["value"] = np.exp(5 * measures["init_scale"] + noise[0])
    measures["test_loss"] = measures.groupby(["ensemble", "seed", "step"])["init_scale"].transform(
        "first"
    ) * np.exp(0.1 * measures.groupby(["ensemble", "seed"]).ngroup().map(pd.Series(noise[1])))
    found = statistics_of(measures, profile)
    assert row_of(found, "spearman")["low"] > 0.5
    within = row_of(found, "spearman_within_initialization")
    assert within["low"] < 0 < within["high"]


def test_ensemble_alone_in_its_initialization_does_not_count(study):
    measures, profile = study
    alone = measures["ensemble"] == measures["ensemble"][0]
    other = measures.assign(init_scale=measures["init_scale"].mask(alone, 9.0))
    row = row_of(statistics_of(other, profile), "spearman_within_initialization")
    assert (row["networks"], row["ensembles"]) == (57, 19)
    names = measures.drop_duplicates("init_scale")["ensemble"]
    few = measures[measures["ensemble"].isin(names)]
    row = row_of(statistics_of(few, profile), "spearman_within_initialization")
    assert (row["ensembles"], np.isnan(row["estimate"])) == (0, True)


def test_correlations_stand_beside_those_of_their_controls(study, table):
    s, loss = ended(study[0])
    rho = scipy.stats.spearmanr(s, loss).statistic
    before = study[0].query("step == 0 and measure == @S")["value"]
    rho_before = scipy.stats.spearmanr(before, loss).statistic
    trained, untrained = (row_of(table, "spearman", trained=trained) for trained in (True, False))
    assert trained["control"] == "sensitivity before training"
    assert trained["control_estimate"] == pytest.approx(rho - rho_before)
    assert trained["control_low"] < rho - rho_before < trained["control_high"]
    sizes = study[0].query("final and measure == 'number_of_parameters'")["value"]
    rho_sizes = scipy.stats.spearmanr(sizes, loss).statistic
    assert untrained["control"] == "number of parameters"
    assert untrained["control_estimate"] == pytest.approx(abs(rho_before) - abs(rho_sizes))
    depths = [row_of(table, "depth_at_fixed_size", trained=trained) for trained in (True, False)]
    gammas = [row["estimate"] for row in depths]
    assert depths[0]["control_estimate"] == pytest.approx(gammas[0] - gammas[1])
    assert np.isnan(depths[1]["control_estimate"])
    assert np.isnan(row_of(table, "depth_at_fixed_size", "test_loss")["control_estimate"])
    assert np.isnan(row_of(table, "log_ratio")["control_estimate"])


def test_ratio_to_the_line_takes_the_sensitivity_of_its_row(study, table):
    for measure, factor in {S: 1, PER_OUTPUT: 10}.items():
        s, loss = ended(study[0], measure)
        line = np.sqrt(0.5 * 0.9 * s * CONSTANTS["input_ratio"])
        row = row_of(table, "log_ratio", measure)
        assert row["estimate"] == pytest.approx(np.log(loss / line).mean())
        difference = row_of(table, "log_ratio")["estimate"] - row["estimate"]
        assert difference == pytest.approx(np.log(factor) / 2)
    line = np.sqrt(0.5 * 0.9 * (s * CONSTANTS["input_ratio"] + CONSTANTS["variance_of_biases"]))
    row = row_of(table, "log_ratio_with_constant", PER_OUTPUT)
    assert row["estimate"] == pytest.approx(np.log(loss / line).mean())
    softmax = table[table["measure"] == "softmax_output_sensitivity"]
    assert not softmax["statistic"].str.startswith("log_ratio").any()


def test_constant_that_is_not_known_is_left_out(study):
    measures, profile = study
    some = profile["ensemble"] == profile["ensemble"][0]
    unknown = profile.assign(variance_of_biases=profile["variance_of_biases"].mask(some))
    without = row_of(statistics_of(measures, unknown), "log_ratio_with_constant", PER_OUTPUT)
    others = measures[measures["ensemble"] != profile["ensemble"][0]]
    expected = row_of(statistics_of(others, profile), "log_ratio_with_constant", PER_OUTPUT)
    assert without["estimate"] == pytest.approx(expected["estimate"])
    nowhere = profile.assign(variance_of_biases=np.nan)
    row = row_of(statistics_of(measures, nowhere), "log_ratio_with_constant", PER_OUTPUT)
    assert np.isnan(row["estimate"])
    assert row["note"] == "of no network is Σ known"


def test_depth_is_compared_only_at_one_number_of_parameters(study, table):
    measures, _ = study
    # Sizes are 80,000 of depths 2, 3 and 5, and one of another size each at depths 2 and 5.
    last = measures[measures["final"] & (measures["measure"] == S)]
    about = last[["depth", "width", "init_scale", "dropout", "value"]].to_dict("records")
    signs = [
        np.sign(one["depth"] - other["depth"]) * np.sign(one["value"] - other["value"])
        for one in about
        for other in about
        if all(one[key] == other[key] for key in ("init_scale", "dropout"))
        and {one["width"], other["width"]} <= {100, 90, 78}
        and (one["depth"], one["width"]) in {(2, 100), (3, 90), (5, 78)}
        and (other["depth"], other["width"]) in {(2, 100), (3, 90), (5, 78)}
        and one["depth"] != other["depth"]
    ]
    row = row_of(table, "depth_at_fixed_size")
    assert row["estimate"] == pytest.approx(np.mean(signs))
    assert row["high"] < 0
    assert row_of(table, "depth_at_fixed_size", "test_loss")["estimate"] < -0.5
    losses = table[table["measure"] == "test_loss"]
    assert set(losses["statistic"]) == {"depth_at_fixed_size"}


def test_without_numbers_of_parameters_there_is_no_depth_at_fixed_size(study):
    measures, profile = study
    found = statistics_of(measures[measures["measure"] != "number_of_parameters"], profile)
    row = row_of(found, "depth_at_fixed_size")
    assert np.isnan(row["estimate"])
    assert row["note"] == "no two networks differ in depth at a fixed number of parameters"


def test_groups_are_equal_in_all_but_the_factor(study):
    measures, _ = study
    ensembles = measures.drop_duplicates("ensemble").set_index("ensemble")
    groups = alike_but_for(measures, "dropout")
    for _, names in groups.groupby(groups).groups.items():
        rows = ensembles.loc[names]
        assert (rows[["depth", "width", "init_scale"]].nunique() == 1).all()
        assert sorted(rows["dropout"]) == [0, 0.5]
    sizes = alike_but_for(measures, "depth_at_fixed_size")
    assert sorted(sizes.value_counts()) == [1] * 8 + [3] * 4


def test_sizes_that_grow_by_small_steps_are_not_all_one():
    sizes = [1000, 1060, 1120, 1180, 1240, 1300]
    measures = pd.DataFrame({
        "ensemble": list("abcdef"),
        "measure": "number_of_parameters",
        "value": sizes,
        "dataset": "digits",
        "depth": [2, 3, 4, 5, 6, 7],
        "width": [70, 60, 50, 40, 30, 20],
    })
    groups = alike_but_for(measures, "depth_at_fixed_size")
    assert [sorted(names) for names in groups.groupby(groups).groups.values()] == [
        ["a", "b"],
        ["c", "d"],
        ["e", "f"],
    ]


def test_fitted_networks_are_selected(study):
    measures, profile = study
    unfit = measures["ensemble"] == measures["ensemble"][0]
    lower = measures.assign(train_accuracy=measures["train_accuracy"].mask(unfit, 0.9))
    found = statistics_of(lower, profile)
    assert row_of(found, "spearman")["networks"] == 57
    assert row_of(found, "spearman", selection="all")["networks"] == 60


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_network_without_logarithm_does_not_count(study, value):
    measures, profile = study
    lost = measures.copy()
    lost.loc[lost["final"] & (lost["measure"] == S) & (lost["seed"] == 1), "value"] = value
    assert row_of(statistics_of(lost, profile), "kendall")["networks"] == 40
    assert len(sensitivities(lost)) == len(sensitivities(measures)) - 20


def test_each_dataset_of_several_has_its_own_rows():
    measures, profile, *_ = made_study(
        np.random.default_rng(0), datasets=("digits", "mnist_subset"), seeds=(1, 2)
    )
    both = statistics_of(measures, profile)
    assert list(both["dataset"].unique()) == ["all", "digits", "mnist_subset"]
    digits = measures[measures["dataset"] == "digits"]
    alone = statistics_of(digits, profile).drop(columns="dataset")
    found = both[both["dataset"] == "digits"].drop(columns="dataset").reset_index(drop=True)
    pd.testing.assert_frame_equal(found, alone)


def test_two_ensembles_are_too_few(study):
    """Their means have an interval of one degree of freedom, relations have none."""
    measures, profile = study
    names = measures["ensemble"].unique()[:2]
    found = statistics_of(measures[measures["ensemble"].isin(names)], profile)
    of_means = found["statistic"].str.startswith("log_ratio")
    bounds = found[["estimate", "low", "high"]]
    assert np.isfinite(bounds[of_means]).all(axis=None)
    assert bounds.loc[~of_means, ["low", "high"]].isna().all(axis=None)
    few = "2 of the 5 ensembles that a verdict needs"
    exists = found["estimate"].notna()
    assert set(found.loc[exists, "note"]) == {few}
    # Both ensembles have one depth, and one sensitivity before training.
    assert set(found.loc[~exists, "note"]) == {
        f"the sensitivity or the loss is the same for all networks; {few}",
        f"no two networks differ in depth at a fixed number of parameters; {few}",
        f"no two networks of one initialization differ in the sensitivity, or in the loss; {few}",
    }
    related = exists & found["statistic"].isin(["pearson_log", "spearman", "kendall", "slope_log"])
    assert set(found.loc[related, "trained"]) == {True}


def test_tables_that_were_read_say_the_same(study, table, tmp_path):
    read = []
    for name, one in zip(["measures", "output_sensitivities"], study, strict=True):
        write_table(tmp_path / f"{name}.csv", one)
        read.append(read_table(tmp_path / f"{name}.csv"))
    pd.testing.assert_frame_equal(statistics_of(*read), table)

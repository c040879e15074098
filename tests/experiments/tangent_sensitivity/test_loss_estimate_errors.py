import numpy as np
import pandas as pd
import pytest
import scipy.stats

from generalization.experiments.tangent_sensitivity.loss_estimate_errors import (
    COLUMNS,
    group_keys,
    loss_estimate_errors,
)
from generalization.statistics.resampling import Resampling

# Estimator → estimate − truth of a loss, at every step; of an accuracy, a tenth.
ERRORS = {"train": -0.64, "better": 0.32, "worse": -1.28}
STEPS = (1, 2, 4, 8)


def made(ensembles=3, seeds=2, steps=STEPS, noise=0.0, **about):
    """``loss_estimates`` and ``training`` of a study."""
    generator = np.random.default_rng(0)
    estimates, training = [], []
    for ensemble in range(ensembles):
        for seed in range(seeds):
            for step in steps:
                network = {"ensemble": f"e{ensemble}", "seed": seed, "step": step}
                training.append(network | {"final": step == steps[-1], "dataset": "mnist"} | about)
                for quantity, unit in (("loss", 1.0), ("accuracy", 0.1)):
                    for estimator, error in ERRORS.items():
                        here = unit * error * (1 + noise * generator.standard_normal())
                        row = {"estimator": estimator, "estimate": 1 + here, "truth": 1.0}
                        estimates.append(network | {"quantity": quantity} | row)
    return pd.DataFrame(estimates), pd.DataFrame(training)


def errors(study, resamples=200, level=0.95, **settings):
    resampling = Resampling(np.random.default_rng(1), resamples, level)
    return loss_estimate_errors(*study, resampling=resampling, **settings)


def of(table, estimator, quantity="loss"):
    chosen = (table["estimator"] == estimator) & (table["quantity"] == quantity)
    return table[chosen].squeeze()


def test_errors_are_those_that_were_made():
    table = errors(made())
    assert list(table) == ["dataset", *COLUMNS]
    for quantity, unit in (("loss", 1.0), ("accuracy", 0.1)):
        for estimator, error in ERRORS.items():
            row = of(table, estimator, quantity)
            found = row[["estimate", "low", "high"]].to_list()
            assert found == pytest.approx([unit * abs(error)] * 3)
            names = ["difference", "difference_low", "difference_high"]
            difference = unit * (abs(error) - 0.64)
            assert row[names].to_list() == pytest.approx([difference] * 3, abs=1e-12)
    assert (table["networks"] == 6).all()
    assert (table["ensembles"] == 3).all()
    assert (table["level"] == 0.95).all()
    assert (table["note"] == "3 of the 5 ensembles that a verdict needs").all()


def test_unit_of_the_paper_is_a_64th_of_losses():
    table = errors(made())
    assert of(table, "train")["per_batch_of_64"] == pytest.approx(0.01)
    assert table.loc[table["quantity"] == "accuracy", "per_batch_of_64"].isna().all()


@pytest.mark.parametrize(
    ("share", "counted"),
    [(0.0, (1, 2, 4, 8)), (0.25, (2, 4, 8)), (0.5, (4, 8)), (0.6, (4, 8)), (0.99, (8,))],
)
def test_first_steps_are_skipped(share, counted):
    estimates, training = made()
    estimates["estimate"] = estimates["truth"] + estimates["step"]
    row = of(errors((estimates, training), skipped_share=share), "better")
    assert row["estimate"] == pytest.approx(np.mean(counted))


def test_the_only_step_counts():
    assert of(errors(made(steps=(5,))), "better")["estimate"] == pytest.approx(0.32)


def test_signs_of_errors_do_not_cancel():
    estimates, training = made()
    estimates["estimate"] = estimates["truth"] + np.where(estimates["step"] == 4, 1, -3)
    assert of(errors((estimates, training)), "better")["estimate"] == pytest.approx(2)


def test_networks_of_an_ensemble_that_are_alike_are_one():
    estimates, training = made(ensembles=3, seeds=5)
    scale = estimates["ensemble"].map({"e0": 10.0, "e1": 20.0, "e2": 30.0})
    estimates["estimate"] = estimates["truth"] + scale
    row = of(errors((estimates, training), resamples=2000), "better")
    # t with 2 degrees of freedom times the standard error 10 / √3 of three means.
    half = scipy.stats.t.ppf(0.975, 2) * 10 / 3**0.5
    assert row[["estimate", "low", "high"]].to_list() == pytest.approx([20, 20 - half, 20 + half])


def test_difference_is_paired():
    """Errors of a network are as much as those of another apart, but all are 1 above train's."""
    estimates, training = made(seeds=8)
    scale = estimates["seed"] + 10.0 * estimates["ensemble"].str[1:].astype(int)
    estimates["estimate"] = estimates["truth"] + scale + (estimates["estimator"] == "worse")
    row = of(errors((estimates, training)), "worse")
    assert row["high"] - row["low"] > 5
    assert row[["difference", "difference_low", "difference_high"]].to_list() == [1, 1, 1]


def test_difference_is_over_the_steps_that_an_estimator_has():
    estimates, training = made()
    estimates["estimate"] = estimates["truth"] + estimates["step"]
    better = estimates["estimator"] == "better"
    estimates.loc[better & (estimates["step"] == 8), "estimate"] = np.nan
    row = of(errors((estimates, training)), "better")
    assert row[["estimate", "difference"]].to_list() == [4, 0]
    assert row["note"] == (
        "no estimate at 6 of 12 steps; 3 of the 5 ensembles that a verdict needs"
    )


def test_networks_without_an_estimate_are_counted_out():
    estimates, training = made()
    better = estimates["estimator"] == "better"
    estimates.loc[better & (estimates["ensemble"] != "e0"), "estimate"] = np.nan
    row = of(errors((estimates, training)), "better")
    assert row[["estimate", "networks", "ensembles"]].to_list() == pytest.approx([0.32, 2, 1])
    assert row["note"] == (
        "no estimate at 8 of 12 steps; 4 of 6 networks have no estimate; "
        "1 of the 5 ensembles that a verdict needs"
    )
    estimates.loc[better, "estimate"] = np.nan
    row = of(errors((estimates, training)), "better")
    assert row[["estimate", "low", "difference"]].isna().all()
    assert (
        row["note"]
        == "no estimate at 12 of 12 steps; 6 of 6 networks have no estimate; no network is left"
    )


def test_one_network_has_no_interval():
    row = of(errors(made(ensembles=1, seeds=1)), "better")
    assert row["estimate"] == pytest.approx(0.32)
    assert row[["low", "high", "difference_low"]].isna().all()
    assert row["note"] == "1 of the 5 ensembles that a verdict needs"


def test_datasets_and_swept_variants_stay_apart():
    one, other = made(optimizer="momentum", width=10), made(optimizer="adam", width=20)
    for table in other:
        table["ensemble"] += "-other"
    estimates, training = (
        pd.concat(pair, ignore_index=True) for pair in zip(one, other, strict=True)
    )
    assert group_keys(training) == ["dataset", "optimizer"]
    table = errors((estimates, training))
    assert list(table) == ["dataset", "optimizer", *COLUMNS]
    assert table.groupby("optimizer").size().to_dict() == {"adam": 6, "momentum": 6}
    assert (table["networks"] == 6).all()

    training["optimizer"] = "adam"
    training.loc[training["ensemble"].str.endswith("other"), "dataset"] = "digits"
    table = errors((estimates, training))
    assert list(table) == ["dataset", *COLUMNS]
    assert set(table["dataset"]) == {"mnist", "digits"}


def test_a_variant_that_is_missing_is_a_variant():
    estimates, training = made()
    training["normalization"] = training["ensemble"].map({"e0": "batch"})
    table = errors((estimates, training))
    assert table.groupby("normalization", dropna=False)["networks"].max().tolist() == [2, 4]


def test_a_new_estimator_changes_no_interval_of_another():
    estimates, training = made(noise=0.5)
    few = estimates[estimates["estimator"] != "worse"]
    whole = errors((estimates, training)).query("estimator != 'worse'").reset_index(drop=True)
    pd.testing.assert_frame_equal(errors((few, training)), whole)


def test_no_network_has_no_row():
    estimates, training = made()
    for empty in (estimates[:0], estimates[:0].astype(object)):
        table = errors((empty, training))
        assert table.empty
        assert list(table) == ["dataset", *COLUMNS]


def test_skipped_share_out_of_range_is_refused():
    sentence = r"^skipped_share must be from 0 to less than 1, not 1\.0\.$"
    with pytest.raises(ValueError, match=sentence):
        errors(made(), skipped_share=1.0)


def compared(sizes, jitter=0.1, ensembles=6):
    """A study in which the error of every estimator has a size, but for a factor of a network."""
    estimates, training = made(ensembles=ensembles)
    tables = []
    generator = np.random.default_rng(3)
    for estimator, size in sizes.items():
        own = np.exp(jitter * generator.standard_normal((ensembles, 2)))
        rows = estimates[estimates["estimator"] == "train"].assign(estimator=estimator)
        position = rows["ensemble"].str[1:].astype(int), rows["seed"]
        tables.append(rows.assign(estimate=rows["truth"] + size * own[position]))
    return pd.concat(tables), training


def test_estimators_are_compared_by_ratios_of_their_errors():
    table = errors(compared({"train": 1.0, "eq_5_log": 0.8, "eq_6_log": 1.6, "eq_7_log": 0.4}))
    for pair, ratio in {"eq_7_log / eq_5_log": 0.5, "eq_6_log / eq_5_log": 2.0}.items():
        row = of(table, pair)
        assert row["estimate"] == pytest.approx(ratio, rel=0.1)
        assert row["low"] < ratio < row["high"]
        assert row["ensembles"] == 6
    assert of(table, "eq_7_log / eq_5_log")["over_train_high"] < 1 / 1.05
    assert table["estimator"].str.contains("/").sum() == 6 * 2


def test_estimators_that_restate_the_training_loss_have_nothing_over_it():
    """The best of three by far, and no better than the training loss itself."""
    table = errors(compared({"train": 1.0, "eq_5_log": 3.0, "eq_6_log": 3.0, "eq_7_log": 1.0}))
    row = of(table, "eq_7_log / eq_5_log")
    assert row["high"] < 1
    assert row["over_train_low"] < 1 < row["over_train_high"]


def test_comparisons_are_over_all_variants_of_a_dataset():
    sizes = {"train": 1.0, "eq_5_log": 2.0, "eq_6_log": 2.0, "eq_7_log": 1.0}
    estimates, training = compared(sizes)
    variants = training["ensemble"].map(lambda name: "adam" if name < "e3" else "sgd")
    table = errors((estimates, training.assign(optimizer=variants)))
    rows = table[table["estimator"].str.contains("/")]
    assert rows["optimizer"].isna().all()
    assert (rows["ensembles"] == 6).all()

import numpy as np
import pandas as pd
import pytest
from oracles.studies import made_measures, made_measures_of_two

from generalization.errors import InputError
from generalization.statistics.pairs import COLUMNS, PERFORMANCES, pairs

CORRUPTION = {"setting": "label_corruption", "better": 0, "worse": 1}
DEPTH = {"setting": "depth", "better": 3, "worse": 5}


@pytest.fixture(scope="module")
def measures():
    return made_measures()


@pytest.fixture(scope="module")
def compared(measures):
    return pairs(measures, [CORRUPTION, DEPTH | {"fitted": False}])


def study(*ensembles, **same):
    """Measures of ensembles of two seeds, of which the hyper-parameters are given."""
    plain = {
        "dataset": "digits",
        "optimizer": "momentum",
        "learning_rate": 0.01,
        "batch_size": 32,
        "train_size": None,
        "kept_steps": "[0]",
        "test_accuracy": 0.75,
        "test_loss": 0.5,
        "train_accuracy": 1.0,
        "status": "fitted",
        "value": 2.0,
    }
    rows = [
        {"ensemble": f"{place}", "seed": seed, "step": 9, "final": True, "measure": "norm"}
        | plain
        | same
        | about
        for place, about in enumerate(ensembles)
        for seed in (1, 2)
    ]
    table = pd.DataFrame(rows)
    return table.assign(generalization_gap=table["train_accuracy"] - table["test_accuracy"])


def names(table, quantity="generalization_gap"):
    of_quantity = table[table["quantity"] == quantity]
    return list(zip(of_quantity["ensemble_better"], of_quantity["ensemble_worse"], strict=True))


def test_pairs_differ_in_the_setting_and_in_nothing_else(measures, compared):
    assert list(compared) == COLUMNS
    keys = ["dataset", "label_corruption", "depth", "init_scale", "width", "activation"]
    ensembles = measures.drop_duplicates("ensemble").set_index("ensemble")[keys]
    for better, worse in names(compared):
        differ = ensembles.loc[better] != ensembles.loc[worse]
        assert differ.sum() == 1
        setting = differ.idxmax()
        expected = {"label_corruption": (0, 1), "depth": (3, 5)}[setting]
        assert (ensembles.loc[better, setting], ensembles.loc[worse, setting]) == expected


def test_every_pair_there_is_is_found_and_shares_no_ensemble(measures, compared):
    # Depth and init scale cross with corruption; widths of depths 3 and 5 are the same.
    for setting, number in {"label_corruption": 9, "depth": 12}.items():
        found = names(compared[compared["setting"] == setting])
        assert len(found) == number
        assert len({name for pair in found for name in pair}) == 2 * number


@pytest.mark.parametrize(
    "quantity", ["generalization_gap", "test_accuracy", "test_loss", "transitions"]
)
def test_values_are_means_over_the_seeds_that_count(measures, compared, quantity):
    last = measures[measures["final"] & (measures["measure"] == "transitions")]
    last = last.assign(transitions=last["value"])
    for row in compared[compared["quantity"] == quantity].to_dict("records"):
        networks = 0
        for side in ("better", "worse"):
            seeds = last[last["ensemble"] == row[f"ensemble_{side}"]]
            if row["setting"] == "label_corruption":
                seeds = seeds[seeds["train_accuracy"] >= 0.999]
            values = seeds.loc[seeds["status"] != "diverged", quantity].dropna()
            networks += len(values)
            found = [row[f"value_{side}"], row[f"error_{side}"]]
            error = values.std() / np.sqrt(len(values))
            assert found == pytest.approx([values.mean(), error], nan_ok=True)
        assert row["networks"] == networks


def test_both_ensembles_of_a_pair_must_have_fitted(compared):
    corruption = compared[compared["setting"] == "label_corruption"]
    gaps = corruption[corruption["quantity"] == "generalization_gap"]
    unfit = gaps[gaps["value_worse"].isna()]
    assert len(unfit) == 2
    assert (unfit["note"] == "one of the two ensembles has not fitted").all()
    assert (gaps.drop(unfit.index)["note"] == "").all()


def test_excepted_comparison_counts_networks_that_did_not_fit(compared):
    depth = compared[(compared["setting"] == "depth") & (compared["quantity"] == "test_accuracy")]
    assert depth[["value_better", "value_worse"]].notna().all(axis=None)
    # All seeds, but the one that diverged.
    assert sorted(depth["networks"]) == [7, *[8] * 11]


def test_missing_value_has_a_reason(compared):
    lost = compared[(compared["quantity"] == "lost") & (compared["setting"] == "depth")]
    assert lost[["value_better", "value_worse"]].isna().all(axis=None)
    assert (lost["note"] == "one of the two ensembles has no finite value").all()


def test_comparison_without_pairs_says_so(measures):
    activation = {"setting": "activation", "better": "relu", "worse": "hardsigmoid"}
    table = pairs(measures, [activation], quantities=["jacobian_norm"])
    assert list(table["quantity"]) == [*PERFORMANCES, "jacobian_norm"]
    assert (table["note"] == "no two ensembles differ in this setting alone").all()
    missing = ["dataset", "ensemble_better", "ensemble_worse", "value_better", "value_worse"]
    assert table[missing].isna().all(axis=None)
    assert list(table["worse"].unique()) == ["hardsigmoid"]


def test_no_comparison_is_an_empty_table(measures):
    assert list(pairs(measures, [])) == COLUMNS
    assert pairs(measures, []).empty


def test_datasets_are_paired_each_by_itself():
    table = pairs(made_measures_of_two(), [CORRUPTION], quantities=[])
    assert len(names(table)) == 18
    for better, worse in names(table):
        assert better.split("-")[0] == worse.split("-")[0]
    assert set(table["dataset"]) == {"mnist_subset", "digits"}


def test_kept_steps_make_no_difference():
    table = study({"learning_rate": 0.01}, {"learning_rate": 0.1, "kept_steps": "[0, 9]"})
    rates = {"setting": "learning_rate", "better": 0.1, "worse": 0.01}
    assert names(pairs(table, [rates])) == [("1", "0")]


def test_null_is_a_value():
    table = study({"train_size": 500}, {}, {"train_size": 100})
    sizes = {"setting": "train_size", "better": None, "worse": 500}
    compared = pairs(table, [sizes])
    assert names(compared) == [("1", "0")]
    assert set(compared["better"]) == {"null"}


OPTIMIZERS = {"setting": "optimizer", "better": "momentum"}
RATES = [{"learning_rate": 0.1}, {"learning_rate": 0.01}]


def test_what_lbfgs_ignores_is_no_difference_and_makes_no_second_pair():
    lbfgs = [{"optimizer": "lbfgs", "batch_size": 128}, {"optimizer": "lbfgs", "batch_size": 512}]
    compared = pairs(study(*RATES, *lbfgs), [OPTIMIZERS | {"worse": "lbfgs"}])
    assert names(compared) == [("0", "2")]


def test_ensemble_that_counts_stands_for_those_that_do_not():
    unfit = {"train_accuracy": 0.9, "status": "stopped"}
    table = study(RATES[0] | unfit, RATES[1], {"optimizer": "lbfgs"})
    compared = pairs(table, [OPTIMIZERS | {"worse": "lbfgs"}])
    assert names(compared) == [("1", "2")]


def test_learning_rates_distinguish_other_optimizers():
    sgd = [rate | {"optimizer": "sgd"} for rate in reversed(RATES)]
    compared = pairs(study(*RATES, *sgd), [OPTIMIZERS | {"worse": "sgd"}])
    assert names(compared) == [("0", "3"), ("1", "2")]


@pytest.mark.parametrize("setting", ["dataset", "kept_steps", "color"])
def test_setting_that_cannot_be_compared(setting):
    sentence = (
        r"^setting of a comparison must be one of optimizer, learning_rate, batch_size, "
        rf"train_size, not '{setting}'\.$"
    )
    with pytest.raises(InputError, match=sentence):
        pairs(study({}), [{"setting": setting, "better": 0, "worse": 1}])


def test_pairs_that_differ_in_the_dataset_alone_have_one_draw():
    compared = pairs(made_measures_of_two(), [DEPTH | {"fitted": False}])
    gaps = compared[compared["quantity"] == "generalization_gap"]
    sizes = gaps.groupby("draw")["dataset"].agg(["size", "nunique"])
    assert len(sizes) == 12
    assert (sizes == 2).all(axis=None)


def test_what_lbfgs_ignores_makes_no_other_draw():
    settings = [
        {"dataset": dataset, "optimizer": optimizer, "learning_rate": rate}
        for dataset, rate in (("digits", 0.1), ("mnist_subset", 0.2))
        for optimizer in ("momentum", "lbfgs")
    ]
    compared = pairs(
        study(*settings), [{"setting": "optimizer", "better": "momentum", "worse": "lbfgs"}]
    )
    assert set(compared["draw"]) == {0}


def test_measures_before_training_stand_beside():
    measures = study({"depth": 3, "value": 1.0}, {"depth": 5, "value": 3.0})
    before = measures.assign(step=0, final=False, value=10 * measures["value"])
    compared = pairs(pd.concat([measures, before]), [DEPTH])
    (row,) = compared[compared["quantity"] == "norm"].to_dict("records")
    assert (row["value_better"], row["value_worse"]) == (1, 3)
    assert (row["untrained_better"], row["untrained_worse"]) == (10, 30)
    assert compared.loc[compared["quantity"] != "norm", "untrained_better"].isna().all()
    assert pairs(measures, [DEPTH])["untrained_better"].isna().all()


def test_ensembles_of_which_a_seed_has_not_fitted_have_no_pair_if_asked_for():
    measures = study({"label_corruption": 0}, {"label_corruption": 1})
    lost = (measures["ensemble"] == "0") & (measures["seed"] == 1)
    measures.loc[lost, "train_accuracy"] = 0.5
    assert names(pairs(measures, [CORRUPTION])) == [("0", "1")]
    (row,) = (
        pairs(measures, [CORRUPTION], quantities=["norm"], whole_ensembles=True)
        .query("quantity == 'norm'")
        .to_dict("records")
    )
    assert np.isnan(row["value_better"])


def test_networks_that_have_not_fitted_are_counted():
    table = study({"depth": 3}, {"depth": 5, "train_accuracy": 0.9, "status": "not fitted"})
    compared = pairs(table, [DEPTH | {"fitted": False}])
    assert set(compared["unfitted"]) == {2}
    assert set(pairs(table, [DEPTH])["unfitted"]) == {0}

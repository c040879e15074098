import numpy as np
import pandas as pd
import pytest
from oracles.studies import made_measures

from generalization.statistics.selection import (
    before_and_after,
    by_dataset,
    excluded,
    final_networks,
    has_fitted,
    on_true_labels,
    selected,
)


@pytest.fixture(scope="module")
def measures():
    return made_measures()


def test_every_network_is_there_once_at_its_last_step(measures):
    networks = final_networks(measures)
    assert len(networks) == 36 * 4
    assert not networks.duplicated(["ensemble", "seed"]).any()
    assert networks["final"].all()


@pytest.mark.parametrize("selection", ["fitted", "all"])
def test_left_out_and_selected_are_all_networks(measures, selection):
    out = excluded(measures)
    for measure in measures["measure"].unique():
        chosen = selected(measures, measure, selection, fitted_accuracy=0.999)
        lost = out[(out["selection"] == selection) & out["measure"].isin([measure, np.nan])]
        assert len(chosen) + lost["networks"].sum() == 36 * 4


def test_reasons_by_ensemble(measures):
    out = excluded(measures[measures["measure"] != "lost"]).fillna({"measure": ""})
    unfitted = "train accuracy below 0.999"
    found = out[["selection", "label_corruption", "measure", "reason", "networks", "of", "seeds"]]
    assert found.to_numpy().tolist() == [
        ["fitted", 0, "transitions", "no finite value", 1, 4, "3"],
        ["fitted", 1, "", unfitted, 4, 4, "1, 2, 3, 4"],
        ["fitted", 1, "", unfitted, 4, 4, "1, 2, 3, 4"],
        ["fitted", 1, "", "diverged", 1, 4, "3"],
        ["all", 0, "transitions", "no finite value", 1, 4, "3"],
        ["all", 1, "jacobian_norm", "no finite value", 1, 4, "3"],
        ["all", 1, "training_loss", "no finite value", 1, 4, "3"],
    ]


def test_reasons_come_in_order(measures):
    measures = measures.copy()
    first, second, third = measures["ensemble"].unique()[:3]
    measures.loc[measures["ensemble"] == first, "generalization_gap"] = np.nan
    lost = (measures["ensemble"] == second) & (measures["measure"] == "weight_norm")
    diverged = measures["ensemble"] == third
    measures.loc[diverged, ["train_accuracy", "generalization_gap"]] = np.nan
    measures.loc[diverged, "status"] = "diverged"
    out = excluded(measures[~lost]).groupby(["ensemble", "selection"])["reason"].agg(list)
    for selection in ("fitted", "all"):
        assert out[first, selection] == ["no generalization gap"]
        assert out[second, selection] == ["no finite value", "was not measured"]
        assert out[third, selection] == ["diverged"]


def test_lower_threshold_leaves_out_fewer(measures):
    chosen = [
        len(selected(measures, "weight_norm", "fitted", fitted_accuracy=accuracy))
        for accuracy in (0.5, 0.9, 0.999, 1.0)
    ]
    assert chosen == sorted(chosen, reverse=True)
    assert chosen[0] == 143


def test_nothing_left_out_is_an_empty_table(measures):
    good = measures[(measures["measure"] == "random_number") & (measures["label_corruption"] < 1)]
    out = excluded(good)
    assert out.empty
    assert list(out)[:3] == ["selection", "ensemble", "label_corruption"]


def test_network_at_the_threshold_has_fitted():
    networks = pd.DataFrame({"train_accuracy": [0.9989, 0.999, 1.0, np.nan]})
    found = has_fitted(networks, fitted_accuracy=0.999)
    assert found.to_list() == [False, True, True, False]


def test_true_labels_are_neither_corrupted_nor_of_random_inputs():
    networks = pd.DataFrame({
        "label_corruption": [0.0, 0.2, 1.0, 0.0],
        "randomization": ["none", "none", "none", "shuffled_pixels"],
    })
    assert on_true_labels(networks).to_list() == [True, False, False, False]


def test_datasets_stand_alone_where_there_are_several():
    rows = pd.DataFrame({"dataset": ["a", "b", "a"], "value": [1, 2, 3]})
    found = by_dataset(rows, ["a", "b"])
    assert {name: some["value"].to_list() for name, some in found.items()} == {
        "all": [1, 2, 3],
        "a": [1, 3],
        "b": [2],
    }
    assert list(by_dataset(rows[:1], ["a"])) == ["all"]


def test_before_is_step_0_and_after_is_the_last_step():
    keys = {"ensemble": "e", "seed": 1, "step": [0, 1, 2]}
    training = pd.DataFrame(keys | {"final": [False, False, True]})
    profile = pd.DataFrame(keys | {"value": [5.0, 6.0, 7.0]})
    found = before_and_after(profile, training)
    assert found["value"].to_list() == [5, 7]
    assert found["trained"].to_list() == [False, True]


def test_a_measure_that_says_why_it_has_no_value_is_quoted(measures):
    lacking = ~np.isfinite(measures["value"]) & (measures["measure"] == "transitions")
    told = measures.assign(reason=np.where(lacking, "needs 50 eigenvalues", ""))
    out, before = excluded(told), excluded(measures)
    named = (before["measure"] == "transitions") & (before["reason"] == "no finite value")
    assert named.any()
    expected = before["reason"].where(~named, "needs 50 eigenvalues")
    assert out["reason"].tolist() == expected.tolist()
    assert out.drop(columns="reason").equals(before.drop(columns="reason"))


def test_one_seed_decides_over_its_ensemble_only_if_asked_for():
    networks = pd.DataFrame({"ensemble": [*"aabb"], "train_accuracy": [1.0, 0.5, 1.0, 1.0]})
    fitted = has_fitted(networks, fitted_accuracy=1.0)
    assert fitted.tolist() == [True, False, True, True]
    whole = has_fitted(networks, fitted_accuracy=1.0, whole_ensembles=True)
    assert whole.tolist() == [False, False, True, True]

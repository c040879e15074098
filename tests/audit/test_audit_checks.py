"""Measures are checked on the networks of an ensemble at the end of their training."""

import pandas as pd
import pytest
import torch
from oracles.blobs import blobs
from oracles.made_up import kept

import generalization
from generalization.audit.audit_checks import COLUMNS, audit_checks, case_of
from generalization.audit.cases import small_case
from generalization.audit.changes import INVARIANCES
from generalization.audit.check_measure import CHECKS, Battery
from generalization.audit.evaluations import Subject
from generalization.audit.pairs_of_networks import is_of_pairs, mean_over_others
from generalization.catalog import CHECKABLE, place_of
from generalization.signatures import imported

SIZES = {"samples": 12, "train_samples": 20}


def test_networks_are_the_trained_ones_and_one_that_is_random():
    networks = kept()
    data = blobs(height=2, width=3, classes=4)
    case = case_of(networks, data, **SIZES)
    assert case.kinds == ("random", "trained", "trained")
    assert case.inputs.dtype == torch.float64
    assert (len(case.inputs), len(case.train_inputs)) == (12, 20)
    # The first seed ends at the last kept step, the second one before it.
    for position, place, step in ((1, 0, 2), (2, 1, 1)):
        trained = networks.networks[step].weights[0][place].double()
        assert torch.equal(case.networks.weights[0][position], trained)
    begun = networks.networks[0].weights[0]
    assert case.initial_networks.weights[0].shape == (3, *begun.shape[1:])


def test_every_measure_has_every_check():
    data = blobs(height=2, width=3, classes=4)
    names = ("weight_norm", "training_margin")
    measures = {name: getattr(generalization, name) for name in names}
    settings = {"weight_norm": {}, "training_margin": {"samples": 5}}
    table = audit_checks(kept(), data, measures, settings, repeats=2, **SIZES)
    assert list(table) == COLUMNS
    assert table["measure"].unique().tolist() == [*names]
    assert table.groupby("measure").size().tolist() == 2 * [1 + len(CHECKS)]
    assert "failed" not in set(table["outcome"])


KNOWN = pd.read_csv("generalization/audit/audit_checks.csv").set_index(["measure", "check"])
# Those that draw nothing and are quick.
EXACT = [
    name
    for name in CHECKABLE
    if KNOWN.loc[name].at["repeatability", "outcome"] == "exact"
    and KNOWN.loc[name].at["cost", "value"] < 0.01
]


@pytest.mark.parametrize("name", EXACT)
def test_invariances_that_are_known_hold_on_other_networks(name):
    function = imported(place_of(name))
    function = mean_over_others(function) if is_of_pairs(function) else function
    battery = Battery(Subject(function), small_case(networks=1), [0])
    for check, change in INVARIANCES.items():
        known = KNOWN.loc[(name, check)]
        found = battery.under(change).outcome
        if known["outcome"] == "invariant":
            assert found == "same", check
        elif abs(known["value"] - 1) > 0.01:
            assert found != "same", check


def test_everything_that_can_be_checked_was_checked():
    assert {*KNOWN.index.unique("measure")} == {*CHECKABLE}
    assert len(EXACT) > 80

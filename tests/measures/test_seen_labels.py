"""Measures of networks and of pairs see the labels that the catalog says, and no others."""

from dataclasses import replace
from inspect import signature

import pytest
import torch

from generalization.audit.cases import Case, small_case
from generalization.catalog import ENSEMBLE_MEASURES, MEASURES, place_of
from generalization.datasets.dataset import Dataset
from generalization.measure_networks import measure_networks
from generalization.measure_pairs import measure_pairs
from generalization.networks.networks_file import KeptNetworks
from generalization.signatures import imported

QUICK = {
    "worst_case_flatness": {"ascent_steps": 2},
    "magnitude_aware_worst_case_flatness": {"ascent_steps": 2},
    "adaptive_sharpness": {"ascent_steps": 2},
    "local_learning_coefficient": {"chain_steps": 8},
    "gauss_newton_eigenvalue": {"tolerance": 0.1},
    "sampled_transitions": {"grid_points": 64},
    "noise_cloud_slope": {"copies": 8},
    "ablation_auc": {"orders": 2, "increments": 4},
    "normalized_ablation_auc": {"orders": 2, "increments": 4},
}
SAMPLES, TRAIN = 8, 50


def data_of(case: Case) -> Dataset:
    return Dataset(
        name="digits",
        classes=10,
        train_inputs=case.train_inputs[:TRAIN].float(),
        train_labels=case.train_labels[:TRAIN],
        test_inputs=case.inputs.float(),
        test_labels=case.labels,
    )


def kept_of(case: Case) -> KeptNetworks:
    """The trained networks of a case, at initialization and at the end."""
    seeds = tuple(range(1, 1 + case.kinds.count("trained")))
    stacks = (case.initial_networks, case.networks)
    return KeptNetworks(
        hyperparameters=case.hyperparameters,
        seeds=seeds,
        steps=((0,) * len(seeds), (60,) * len(seeds)),
        statuses=("fitted",) * len(seeds),
        networks=tuple(stack[-len(seeds) :].to(torch.float32) for stack in stacks),
    )


def kinds_of(plain: Dataset) -> dict[str, Dataset]:
    """The data as they are, with test labels and with training labels permuted."""
    return {
        "as they are": plain,
        "test": replace(plain, test_labels=plain.test_labels.flip(0)),
        "training": replace(plain, train_labels=plain.train_labels.flip(0)),
    }


@pytest.fixture(scope="module")
def values():
    """Measure → its values as they are, with test labels and with training labels permuted."""
    case = small_case(networks=1)
    kept = kept_of(case)
    measures = {name: imported(place_of(name)) for name in MEASURES}
    settings = {name: dict(QUICK.get(name, {})) for name in MEASURES}
    for name, function in measures.items():
        if "inputs" in signature(function).parameters:
            settings[name]["samples"] = SAMPLES
    return {
        kind: {
            name: table["value"].tolist()
            for name, table in measure_networks(kept, data, measures, settings)
        }
        for kind, data in kinds_of(data_of(case)).items()
    }


@pytest.mark.parametrize("name", MEASURES)
def test_permuted_test_labels_change_no_measure(values, name):
    assert values["test"][name] == pytest.approx(values["as they are"][name], 0, 0, nan_ok=True)


@pytest.mark.parametrize("name", MEASURES)
def test_permuted_training_labels_change_those_that_see_them(values, name):
    one, other = values["as they are"][name], values["training"][name]
    changes = one != pytest.approx(other, 0, 0, nan_ok=True)
    assert changes == (MEASURES[name].sees == "training")


@pytest.fixture(scope="module")
def values_of_pairs():
    """Ensemble measure → its values, by the labels that are permuted."""
    case = small_case(networks=2)
    kept = kept_of(case)
    measures = {name: imported(place_of(name)) for name in ENSEMBLE_MEASURES}
    settings = {name: {"samples": SAMPLES} for name in measures}
    return {
        kind: {
            name: table["value"].tolist()
            for name, table in measure_pairs(kept, kept, data, measures, settings)
        }
        for kind, data in kinds_of(data_of(case)).items()
    }


@pytest.mark.parametrize("name", ENSEMBLE_MEASURES)
def test_ensemble_measures_see_the_labels_that_the_catalog_says(values_of_pairs, name):
    values = {kind: of_kind[name] for kind, of_kind in values_of_pairs.items()}
    assert len(values["as they are"]) == 1
    assert values["test"] == values["as they are"]
    changes = values["training"] != values["as they are"]
    assert changes == (ENSEMBLE_MEASURES[name].sees == "training")


def test_no_measure_is_an_oracle():
    measures = MEASURES | ENSEMBLE_MEASURES
    assert {measure.sees for measure in measures.values()} == {"none", "training"}

"""Values say how they were found: exact ones depend on no amount of work, and on no draw."""

import inspect
import math
from functools import cache

import pytest
import torch
from oracles.made_up import kept

import generalization
from generalization.catalog import MEASURES, place_of
from generalization.datasets.dataset import Dataset
from generalization.measure_networks import measure_networks
from generalization.measures.output_entropy import output_entropy
from generalization.networks.sequences import sequence_of
from generalization.signatures import imported

# Whole numbers that belong to the definition of a measure, of which more is no better.
DEFINING = {
    "class_information": {"bins"},
    "gradient_disparity": {"batch_size"},
    "training_calibration_error": {"confidence_bins"},
}
SEARCHED = {name for name in MEASURES if "worst_case" in name} | {"adaptive_sharpness"}
NETWORKS = kept(seeds=(3, 5))


def amounts(name):
    """Settings of a measure that say how much is computed: whole numbers, such as draws."""
    parameters = inspect.signature(imported(place_of(name))).parameters.items()
    whole = {key for key, one in parameters if type(one.default) is int}
    return sorted(whole - DEFINING.get(name, set()))


def points():
    """A training set that the last network fits, so that its error can rise."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(60, 1, 2, 3, generator=generator)
    labels = NETWORKS.networks[0].logits(inputs)[0].argmax(1)
    return Dataset(
        name="digits",
        classes=4,
        train_inputs=inputs,
        train_labels=labels,
        test_inputs=inputs[:4],
        test_labels=labels[:4],
    )


@cache
def of_study(name, amount, count):
    """Value and method of the first network of a study."""
    measures, chosen = {name: imported(place_of(name))}, {name: {amount: count}}
    ((_, table),) = measure_networks(NETWORKS, points(), measures, chosen)
    return tuple(table.iloc[0][["value", "method"]])


@cache
def of_call(name, amount, count):
    """Value and method of the same network as a module."""
    data = points()
    table = generalization.measure(
        sequence_of(NETWORKS.networks[0][[0]]),
        data.test_inputs,
        measures={name: {amount: count}},
        train=(data.train_inputs, data.train_labels),
        initial=sequence_of(NETWORKS.networks[1][[0]]),
        repeats=2,
    )
    return tuple(table.iloc[0][["value", "method"]])


def found(route, name, amount):
    """Values and methods at an amount and at twice as much."""
    few = 10 if amount in {"train_samples", "rows"} else 3
    return route(name, amount, few), route(name, amount, 2 * few)


def change(case):
    """Whether both values exist and differ beyond rounding."""
    (value, _), (other, _) = case
    return math.isfinite(value + other) and value != pytest.approx(other, rel=1e-9)


CASES = [(name, amount) for name in MEASURES for amount in amounts(name)]


@pytest.mark.parametrize("route", [of_study, of_call])
@pytest.mark.parametrize(("name", "amount"), CASES)
def test_exact_values_do_not_depend_on_an_amount_of_work(name, amount, route):
    case = found(route, name, amount)
    assert not change(case) or "exact" not in {method for _, method in case}


def test_most_amounts_matter():
    # Else the test above would compare nothing.
    assert sum(change(found(of_study, *case)) for case in CASES) > len(CASES) / 2


@pytest.mark.parametrize("route", [of_study, of_call])
@pytest.mark.parametrize("name", sorted(SEARCHED))
def test_the_best_of_a_search_says_so(name, route):
    for value, method in found(route, name, "ascent_steps"):
        assert math.isfinite(value)
        assert method == "searched"


def of_networks(networks, *names):
    """Tables of measures of a study with few points and draws."""
    few = {"train_samples": 60, "grid_points": 8, "draws": 2, "chain_steps": 2}
    chosen = {name: {key: few[key] for key in {*few}.intersection(amounts(name))} for name in names}
    measures = {name: imported(place_of(name)) for name in names}
    return dict(measure_networks(networks, points(), measures, chosen))


def test_random_numbers_make_a_sampled_value_of_a_study():
    sampled = {"random_number", "output_sensitivity", "local_learning_coefficient", "ablation_auc"}
    exact = {"jacobian_norm", "gauss_newton_eigenvalue", "weight_norm", "tic_of_traces"}
    tables = of_networks(NETWORKS, *sampled, *exact)
    assert {
        name for name, table in tables.items() if (table["method"] == "sampled").all()
    } == sampled
    assert {name for name, table in tables.items() if (table["method"] == "exact").all()} == exact


def test_what_has_no_closed_form_is_sampled_and_hands_it_on():
    tables = of_networks(
        kept(activation="tanh"), "transitions", "curvature", "normalized_transitions"
    )
    for table in tables.values():
        assert set(table["method"]) == {"sampled"}
    assert tables["curvature"]["reason"].unique() == ["sampled at 8 points"]


def test_standard_error_is_over_inputs_or_over_draws():
    names = ["output_entropy", "weight_norm", "local_learning_coefficient"]
    entropy, norm, coefficient = of_networks(NETWORKS, *names).values()
    network = NETWORKS.networks[0][[0]].folded()
    of_inputs = output_entropy(network, points().test_inputs)[0].double()
    assert entropy["standard_error"][0] == pytest.approx(
        of_inputs.std().item() / len(of_inputs) ** 0.5
    )
    assert norm["standard_error"].isna().all()
    assert (coefficient["standard_error"] > 0).all()


def test_networks_without_a_value_have_no_method():
    networks = kept()
    networks.networks[1].weights[0][0] = math.nan
    (table,) = of_networks(networks, "output_entropy").values()
    lost = table["value"].isna()
    assert lost.any() and (table["method"] == "").equals(lost)
    assert table["standard_error"].isna().equals(lost)

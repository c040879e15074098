"""Invariances of measures under changes of a network that preserve or scale its function.

Both are tested: that a measure is invariant where it is listed, and that it is not elsewhere.
"""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
import torch
from oracles.blobs import blobs
from oracles.made_up import kept
from oracles.softmax_jacobian import random_networks

from generalization.audit.changes import INVARIANCES
from generalization.catalog import MEASURES, file_of, place_of
from generalization.measure_networks import measure_networks
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.signatures import imported, named_by

# For ReLU networks without biases: hidden units are permuted; a layer is multiplied by 3 and the
# next one divided by 3; the logits are doubled, by the last layer; the inputs are tripled.
CHANGES = ("permutation", "rescaling", "logits", "inputs")
ALL, FUNCTION, UNITS = set(CHANGES), {"permutation", "rescaling"}, {"permutation"}
INVARIANT = {
    "training_margin": FUNCTION,
    "inverse_squared_margin": FUNCTION,
    "lower_normalized_margin": ALL,
    "median_normalized_margin": ALL,
    "upper_normalized_margin": ALL,
    "spectral_product": FUNCTION | {"inputs"},
    "spectral_product_over_margin": FUNCTION | {"logits"},
    "spectral_sum": FUNCTION | {"inputs"},
    "spectral_sum_over_margin": FUNCTION | {"logits"},
    "frobenius_product": FUNCTION | {"inputs"},
    "frobenius_product_over_margin": FUNCTION | {"logits"},
    "frobenius_sum": FUNCTION | {"inputs"},
    "frobenius_sum_over_margin": FUNCTION | {"logits"},
    "stable_rank_sum": ALL,
    "spectral_complexity_from_origin": FUNCTION | {"logits"},
    "spectral_complexity_from_initialization": UNITS,
    "bartlett_complexity": FUNCTION | {"inputs"},
    "bartlett_complexity_from_initialization": {"permutation", "inputs"},
    "bartlett_complexity_over_margin": ALL,
    "spectral_distance": {"permutation", "inputs"},
    "path_norm": FUNCTION | {"inputs"},
    "path_norm_over_margin": FUNCTION | {"logits"},
    "gauss_newton_trace": UNITS,
    "gauss_newton_eigenvalue": UNITS,
    "sample_gradient_norm": UNITS,
    "gradient_norm": UNITS,
    "gradient_variance": UNITS,
    "gradient_noise_scale": UNITS,
    "gradient_disparity": UNITS,
    "stiffness": UNITS,
    "sign_stiffness": UNITS,
    "within_class_stiffness": UNITS,
    "fisher_rao_norm": FUNCTION,
    "empirical_fisher_rao_norm": FUNCTION,
    "tic_of_traces": UNITS,
    "tic_of_diagonals": FUNCTION,
    "takeuchi_criterion": FUNCTION,
    **{name: FUNCTION for name, entry in MEASURES.items() if entry.file == "predictions"},
    "effective_rank": ALL,
    "neural_collapse": ALL,
    "davies_bouldin_index": ALL,
    "label_wise_mixup_error": ALL,
    "davies_bouldin_mixup": ALL,
    "mixup_margin": ALL,
    "power_law_exponent": ALL,
    "weighted_power_law_exponent": UNITS | {"logits", "inputs"},
    "log_alpha_norm": UNITS | {"logits", "inputs"},
    "facet_distance": FUNCTION | {"logits"},
}
FILES = {
    "margins",
    "norms",
    "spectral_complexity",
    "path_norm",
    "gauss_newton_trace",
    "gauss_newton_eigenvalue",
    "fisher_rao_norm",
    "gradient_norm",
    "stiffness",
    "takeuchi",
    "predictions",
    "features",
    "spectra",
    "facet_distance",
}
SETTINGS = {}
# Spectra of fewer than 50 eigenvalues have no value.
NARROW, WIDE = (6, 8, 7, 3), (60, 70, 65, 3)


def data(widths):
    """Points whose labels, except for a few, are those predicted by the first network."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(80, widths[0], generator=generator, dtype=torch.float64)
    networks = random_networks(widths, count=2)
    labels = networks.logits(inputs)[0].argmax(1)
    labels[:4] = (labels[:4] + 1) % 3
    return networks, inputs, labels


def value(name, networks, inputs, labels, initial):
    measure = imported(place_of(name))
    generator, scale = torch.Generator().manual_seed(2), inputs.std()
    features = inputs.shape[1]
    offered = {
        "networks": networks,
        "trained_networks": networks,
        "initial_networks": initial,
        "inputs": scale * torch.randn(3000, features, generator=generator, dtype=torch.float64),
        "train_inputs": inputs,
        "train_labels": labels,
        "generator": torch.Generator().manual_seed(3),
    }
    values = measure(**named_by(measure, offered), **SETTINGS.get(name, {}))
    return values.mean(1) if values.dim() == 2 else values


def permuted(networks):
    first, second, third = networks.weights
    one = torch.arange(first.shape[1]).roll(3)
    two = torch.arange(second.shape[1]).flip(0)
    weights = (first[:, one], second[:, two][:, :, one], third[:, :, two])
    return FullyConnectedNetworks(weights, "relu")


def changed(change, networks, inputs, initial):
    first, second, third = networks.weights
    if change == "permutation":
        return permuted(networks), inputs, permuted(initial)
    if change == "rescaling":
        return FullyConnectedNetworks((3 * first, second / 3, third), "relu"), inputs, initial
    if change == "logits":
        return FullyConnectedNetworks((first, second, 2 * third), "relu"), inputs, initial
    return networks, 3 * inputs, initial


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", INVARIANT)
def test_measure_changes_if_and_only_if_it_is_not_invariant(name, change):
    widths = WIDE if MEASURES[name].file == "spectra" else NARROW
    networks, inputs, labels = data(widths)
    networks = networks[:1]
    initial = networks.map(lambda part: part + 0.3 * torch.sin(7 * part))
    before = value(name, networks, inputs, labels, initial)
    network, moved, begun = changed(change, networks, inputs, initial)
    after = value(name, network, moved, labels, begun)
    assert before.isfinite().all()
    same = torch.allclose(before, after, rtol=1e-9, atol=1e-12)
    assert same == (change in INVARIANT[name]), (before, after)


def test_every_measure_of_these_files_says_what_it_is_invariant_to():
    assert set(INVARIANT) == {name for name in MEASURES if Path(file_of(name)).stem in FILES}


# Change here → check of the audit, which changes networks in the same way.
AUDITED = dict(zip(CHANGES, list(INVARIANCES)[: len(CHANGES)], strict=True))


def test_cards_of_measures_say_the_same():
    checks = pd.read_csv("generalization/audit/audit_checks.csv").set_index(["measure", "check"])
    for name, changes in INVARIANT.items():
        outcomes = {one: checks.at[(name, AUDITED[one]), "outcome"] for one in CHANGES}
        assert {one for one in CHANGES if outcomes[one] == "invariant"} == changes, name


@pytest.mark.parametrize("name", INVARIANT)
def test_permuted_test_labels_change_nothing(name):
    networks = kept()
    of_data = blobs(height=2, width=3, classes=4)
    order = torch.arange(len(of_data.test_labels)).flip(0)
    permuted_labels = dataclasses.replace(of_data, test_labels=of_data.test_labels[order])
    assert not torch.equal(permuted_labels.test_labels, of_data.test_labels)
    measure = {name: imported(place_of(name))}
    one, other = (
        dict(measure_networks(networks, some, measure, {name: {}}))[name]
        for some in (of_data, permuted_labels)
    )
    pd.testing.assert_frame_equal(one, other)

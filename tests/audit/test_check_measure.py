"""Checks say the truth of measures whose properties are known, and catch wrong ones."""

import re
from dataclasses import replace
from math import log, sqrt

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import generalization
from generalization import check_measure
from generalization.audit.cases import small_case
from generalization.audit.changes import (
    INVARIANCES,
    exchanged_test_labels,
    permuted_units,
    rescaled_layers,
    scaled_inputs,
    scaled_logits,
)
from generalization.audit.check_measure import CHECKS, COLUMNS
from generalization.audit.pairs_of_networks import mean_over_others
from generalization.catalog import ENSEMBLE_MEASURES, SIMILARITIES
from generalization.errors import InputError
from generalization.signatures import named_by

NAMES = ["returns", *CHECKS]


@pytest.fixture(scope="module")
def case():
    return small_case(networks=1)


def checked(function, case, settings=None, **chosen):
    table = check_measure(function, settings, case=case, **chosen)
    assert list(table) == COLUMNS
    assert table["check"].tolist() == NAMES
    return table.set_index("check")


@pytest.mark.parametrize(
    ("name", "check", "outcome", "ratio"),
    [
        ("path_norm", "permutation of units", "invariant", 1),
        ("path_norm", "rescaling of layers", "invariant", 1),
        ("path_norm", "scale of logits", "changes", 3),
        ("path_norm", "unit of inputs", "changes", 1 / 3),
        ("weight_norm", "permutation of units", "invariant", 1),
        ("weight_norm", "scale of inputs", "invariant", 1),
        ("training_margin", "rescaling of layers", "invariant", 1),
        ("training_margin", "scale of logits", "changes", 3),
        ("training_margin", "scale of inputs", "changes", 3),
        ("training_margin", "unit of inputs", "invariant", 1),
        ("median_normalized_margin", "scale of logits", "invariant", 1),
        ("median_normalized_margin", "scale of inputs", "invariant", 1),
        ("logit_jacobian_norm", "scale of inputs", "invariant", 1),
        ("logit_jacobian_norm", "unit of inputs", "changes", 1 / 3),
        # Of the noise in pixels, nothing is left of the unit of inputs.
        ("output_sensitivity", "unit of inputs", "invariant", 1),
        ("output_sensitivity", "scale of logits", "changes", 9),
    ],
)
def test_known_properties_of_measures(case, name, check, outcome, ratio):
    row = checked(getattr(generalization, name), case, repeats=2).loc[check]
    assert row["outcome"] == outcome
    assert row["value"] == pytest.approx(ratio)


def test_a_norm_of_weights_is_not_invariant_to_rescaling(case):
    first, second, third = ((one**2).sum((1, 2)) for one in case.networks.weights)
    ratios = ((9 * first + second / 9 + third) / (first + second + third)).sqrt()
    row = checked(generalization.weight_norm, case).loc["rescaling of layers"]
    assert row["outcome"] == "changes"
    assert row["value"] == pytest.approx(ratios[ratios.sub(1).abs().argmax()].item())


@pytest.mark.parametrize(("name", "seen"), [("weight_norm", "none"), ("training_loss", "training")])
def test_labels_that_a_measure_sees(case, name, seen):
    assert checked(getattr(generalization, name), case).loc["labels", "outcome"] == seen


def test_a_measure_without_fault_passes(case):
    table = checked(generalization.jacobian_norm, case)
    checks = ("returns", "leaves networks", "same seed", "stack and modules", "order of inputs")
    assert (table.loc[[*checks, "float32"], "outcome"] == "passed").all()
    assert table.loc["repeatability", "outcome"] == "exact"
    assert "failed" not in set(table["outcome"])


def test_a_measure_of_stacks_says_that_it_refuses_modules(case):
    row = checked(generalization.layerwise_norm, case).loc["stack and modules"]
    assert row["outcome"] == "stacks only"
    assert row["detail"].startswith("layerwise_norm needs a stack of networks")


# Wrong measures, each with the check that catches it.


def noise_of_float32(networks, inputs):
    """Cancel all digits but the last ones."""
    logits = networks.logits(inputs).mean((1, 2))
    return (logits + 1e6) - 1e6


def first_input_only(networks, inputs):
    return networks.logits(inputs[:1]).norm(dim=(1, 2))


def reads_the_test_set(networks, inputs, labels):
    return (networks.logits(inputs).argmax(-1) == labels).double().mean(1)


def unseeded(networks):
    return networks.weights[0].norm(dim=(1, 2)) * (1 + torch.rand(()))


def changes_weights(networks):
    values = networks.weights[0].sum((1, 2))
    networks.weights[0].mul_(1.5)
    return values


def relative_to_the_stack(networks):
    norms = networks.weights[0].norm(dim=(1, 2))
    return norms / norms.max() + norms.sum()


def names_units(networks):
    return networks.weights[0][:, 0].norm(dim=1)


@pytest.mark.parametrize(
    ("function", "check", "outcome"),
    [
        (noise_of_float32, "float32", "failed"),
        (first_input_only, "order of inputs", "failed"),
        (reads_the_test_set, "labels", "test"),
        (unseeded, "same seed", "failed"),
        (changes_weights, "leaves networks", "failed"),
        (relative_to_the_stack, "stack and modules", "failed"),
        (names_units, "permutation of units", "changes"),
    ],
)
def test_a_wrong_measure_is_caught(function, check, outcome):
    # A case of its own, which it may spoil.
    assert checked(function, small_case(networks=1)).loc[check, "outcome"] == outcome


def test_a_label_is_seen_that_the_first_permutation_leaves(case):
    unmoved = (exchanged_test_labels(case).labels == case.labels).nonzero()
    place = unmoved[0].item()

    def one_label(networks, labels):
        return networks.weights[0].norm(dim=(1, 2)) + labels[place]

    assert checked(one_label, case).loc["labels", "outcome"] == "test"


def scalar(networks):
    return networks.weights[0].norm()


def one_number(networks):
    return float(networks.weights[0].norm())


def asks_for_more(networks, phase_of_the_moon):
    return networks.weights[0].norm(dim=(1, 2)) * phase_of_the_moon


def raises(networks):
    raise KeyError("no such layer")


@pytest.mark.parametrize(
    ("function", "detail"),
    [
        (
            scalar,
            "a measure must return a floating-point tensor of shape (2,) or (2, inputs) for 2 "
            "networks, not one of shape ().",
        ),
        (
            one_number,
            "a measure must return a floating-point tensor of shape (2,) or (2, inputs) for 2 "
            "networks, not a float.",
        ),
        (
            asks_for_more,
            "Parameters of a measure must be among networks, trained_networks, initial_networks, "
            "inputs, labels, pixel_deviations, train_inputs, train_labels, hyperparameters, "
            "evaluated_steps, evaluated_losses, init_scale, loss, generator, shared_generator, "
            "module, not 'phase_of_the_moon'.",
        ),
        (raises, "KeyError: 'no such layer'"),
    ],
)
def test_what_returns_no_values_fails_and_skips_the_rest(case, function, detail):
    table = checked(function, case)
    assert table.loc["returns", ["outcome", "detail"]].tolist() == ["failed", detail]
    assert set(table["outcome"][1:]) == {"skipped"}


def test_what_fails_with_other_random_numbers_fails(case):
    calls = []

    def at_first(networks, generator):
        calls.append(torch.rand((), generator=generator))
        if calls[0] != calls[-1]:
            raise RuntimeError("once is enough")
        return networks.weights[0].norm(dim=(1, 2))

    row = checked(at_first, case).loc["returns"]
    assert row[["outcome", "detail"]].tolist() == ["failed", "RuntimeError: once is enough"]


def test_a_function_without_a_signature_fails(case):
    assert checked(max, case).loc["returns", "outcome"] == "failed"


def fails_at_times(networks, inputs):
    if inputs.abs().max() > 8:
        raise ValueError("inputs are too large")
    return networks.logits(inputs).norm(dim=(1, 2))


def test_a_check_that_fails_leaves_the_others(case):
    table = checked(fails_at_times, case)
    row = table.loc["scale of inputs"]
    assert row[["outcome", "detail"]].tolist() == ["failed", "inputs are too large"]
    assert table.loc["scale of logits", "value"] == pytest.approx(3)


def test_a_function_of_a_module_is_checked_on_every_network(case):
    def largest_logit(module, inputs):
        assert isinstance(module, nn.Module)
        return module(inputs).max().detach().reshape(1)

    table = checked(largest_logit, case)
    assert table.loc["returns", "detail"] == "one value per network of each network as a module"
    assert table.loc["stack and modules", "outcome"] == "modules only"
    assert table.loc["scale of logits", "value"] == pytest.approx(3)
    assert table.loc["permutation of units", "outcome"] == "invariant"


def test_number_of_points_follows_from_the_spread_over_points(case):
    def given(networks, inputs):
        values = torch.linspace(1, 3, len(inputs)).double()
        return values.expand(len(networks), -1)

    values = torch.linspace(1, 3, len(case.inputs)).double()
    row = checked(given, case).loc["points for 1 %"]
    assert row["outcome"] == "too few"
    assert row["value"] == -(-((values.std() / values.mean()).item() ** 2) // 1e-4)
    # Of 59 degrees of freedom, χ² is between 39.66 and 82.12 with a probability of 95 %.
    assert row["detail"] == (
        "extrapolated by 1/√n from the spread over 60 points of 60 inputs; "
        "from 630 to 1304 with 95 % confidence"
    )


def test_number_of_draws_follows_from_the_spread_over_seeds(case):
    def drawn(networks, generator):
        return 1 + 0.1 * torch.randn(len(networks), generator=generator).double()

    table = checked(drawn, case, repeats=40)
    assert table.loc["repeatability", "outcome"] == "sampled"
    assert table.loc["repeatability", "value"] == pytest.approx(0.1, rel=0.3)
    expected = (table.loc["repeatability", "value"] / 0.01) ** 2
    assert 0 <= table.loc["draws for 1 %", "value"] - expected < 1
    # Nothing but noise: no change is found, and nothing is called invariant that is drawn anew.
    assert table.loc["permutation of units", "outcome"] == "invariant"


def interval_of(row):
    """Return the interval that a number of points or of draws is told with."""
    low, high = re.search(r"from (\d+) to (\d+) with 95 % confidence", row["detail"]).groups()
    return int(low), int(high)


def test_means_over_the_number_of_points_that_is_told_deviate_by_one_percent(case):
    """The squared norm of a normal vector of 64 entries has mean 64 and variance 128."""

    def squared_norm(networks, inputs):
        return inputs.flatten(1).square().sum(1).expand(len(networks), -1)

    def points(count, seed):
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(count, 1, 8, 8, generator=generator, dtype=torch.float64)

    row = checked(squared_norm, replace(case, inputs=points(60, 0))).loc["points for 1 %"]
    exact = 128 / 64**2 / 0.01**2
    low, high = interval_of(row)
    assert low <= exact <= high
    assert low <= row["value"] <= high
    # Fresh points, as many as it says: the deviation of their mean is 1 %, within its interval.
    count = int(row["value"])
    means = squared_norm([0], points(400 * count, 1))[0].view(400, count).mean(1)
    deviation = (means.std() / 64).item()
    # The deviation of 400 means is known to 1 / √800 itself, of which four are allowed.
    slack = 1 + 4 / sqrt(800)
    assert 0.01 * sqrt(exact / high) / slack <= deviation <= 0.01 * sqrt(exact / low) * slack
    assert deviation == pytest.approx(0.01 * sqrt(exact / count), rel=slack - 1)


def test_means_over_the_number_of_draws_that_is_told_deviate_by_one_percent(case):
    def drawn(networks, generator):
        return 2 + 0.3 * torch.randn(len(networks), generator=generator, dtype=torch.float64)

    row = checked(drawn, case, repeats=30).loc["draws for 1 %"]
    exact = (0.15 / 0.01) ** 2
    low, high = interval_of(row)
    # The larger one of two networks, each with its interval.
    assert 0.9 * low <= exact <= 1.1 * high
    count, generator = int(row["value"]), torch.Generator().manual_seed(0)
    calls = torch.stack([drawn([0], generator) for _ in range(200 * count)])
    deviation = (calls.view(200, count).mean(1).std() / 2).item()
    assert deviation == pytest.approx(0.01 * sqrt(exact / count), rel=4 / sqrt(400))
    assert 0.01 * sqrt(exact / high) / 1.2 <= deviation <= 0.01 * sqrt(exact / low) * 1.2


def test_parts_that_agree_on_another_value_than_all_tell_no_number(case):
    def per_input(networks, inputs):
        return torch.full((len(networks),), 1.0 + 1 / len(inputs), dtype=torch.float64)

    row = checked(per_input, case).loc["points for 1 %"]
    assert row["outcome"] == "biased"
    assert row["value"] != row["value"]
    assert row["detail"] == "by 15 inputs; parts have 1.05 of the value of all"


# Measures that one draw of a change leaves alone by chance, and others do not.


def periodic_in_the_factor(networks):
    """Have the same value where the ratio of two layers changes by a power of 9."""
    first, second, _ = (weight.norm(dim=(1, 2)) for weight in networks.weights)
    return 2 + torch.cos(2 * torch.pi * (first / second).log() / log(9))


def periodic_in_the_logits(networks):
    return 2 + torch.cos(2 * torch.pi * networks.weights[-1].norm(dim=(1, 2)).log() / log(3))


def periodic_in_the_inputs(networks, inputs):
    phases = inputs.abs().mean().log() / log(3)
    return (2 + torch.cos(2 * torch.pi * phases)).expand(len(networks))


def test_a_unit_that_the_first_permutation_leaves_is_moved_by_another():
    # Of random permutations of 52 units, about two in three leave a unit where it is.
    case = small_case(networks=2)
    before, after = case.networks.weights[0], permuted_units(case).networks.weights[0]
    member, unit = (before == after).all(2).nonzero()[0].tolist()

    def of_one_unit(networks):
        norms = networks.weights[0][:, unit].norm(dim=1)
        chosen = torch.arange(len(networks)) == member
        return norms.where(chosen, 1.0) if len(networks) > 1 else norms

    assert_close(of_one_unit(permuted_units(case).networks), of_one_unit(case.networks))
    row = checked(of_one_unit, case).loc["permutation of units"]
    assert row["outcome"] == "changes"


@pytest.mark.parametrize(
    ("function", "check", "change"),
    [
        (periodic_in_the_factor, "rescaling of layers", rescaled_layers),
        (periodic_in_the_logits, "scale of logits", scaled_logits),
        (periodic_in_the_inputs, "scale of inputs", scaled_inputs),
    ],
)
def test_a_measure_that_one_factor_leaves_alone_is_not_called_invariant(
    case, function, check, change
):
    def value(some):
        return function(**named_by(function, some.offered(0)))

    assert_close(value(change(case)), value(case))
    row = checked(function, case).loc[check]
    assert row["outcome"] == "changes"
    assert row["value"] != pytest.approx(1, rel=0.01)


# Measures of pairs of networks, and similarities of layers.


@pytest.mark.parametrize("name", [*ENSEMBLE_MEASURES, *SIMILARITIES])
def test_measures_of_pairs_have_their_invariances(case, name):
    table = checked(getattr(generalization, name), case)
    assert table.loc["stack and modules", "outcome"] == "pairs"
    assert (table.loc[[*INVARIANCES], "outcome"] == "invariant").all()
    assert "failed" not in set(table["outcome"])
    sees = ENSEMBLE_MEASURES[name].sees if name in ENSEMBLE_MEASURES else "none"
    assert table.loc["labels", "outcome"] == sees


def test_the_value_of_pairs_is_the_mean_over_the_other_networks():
    three = small_case(networks=2).networks[:3]
    inputs = small_case().inputs
    classes = three.logits(inputs).argmax(-1)
    slow = [
        sum((classes[i] != classes[j]).double().mean() for j in range(3) if j != i) / 2
        for i in range(3)
    ]
    found = mean_over_others(generalization.disagreement)(three, inputs=inputs)
    assert_close(found, torch.stack(slow))


def test_a_measure_of_pairs_that_names_units_is_caught(case):
    def of_first_units(features_a, features_b):
        return (features_a[:, None, :, 0] * features_b[None, :, :, 0]).double().mean(2) + 1

    row = checked(of_first_units, case).loc["permutation of units"]
    assert row["outcome"] == "changes"


def test_settings_are_passed_on(case):
    def power(networks, *, exponent):
        return networks.weights[-1].norm(dim=(1, 2)) ** exponent

    row = checked(power, case, {"exponent": 2}).loc["scale of logits"]
    assert row["value"] == pytest.approx(9)


def test_one_seed_tells_no_spread(case):
    with pytest.raises(InputError, match=r"^repeats must be at least 2, not 1\.$"):
        check_measure(generalization.weight_norm, case=case, repeats=1)

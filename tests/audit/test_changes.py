"""Changes keep, or scale, what networks compute."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from generalization.audit.cases import small_case
from generalization.audit.changes import (
    exchanged_test_labels,
    exchanged_train_labels,
    permuted_units,
    reordered_points,
    rescaled_layers,
    scaled_inputs,
    scaled_logits,
    scaled_units,
)


@pytest.fixture(scope="module", params=[False, True], ids=["no biases", "biases"])
def case(request):
    plain = small_case(networks=1)
    if not request.param:
        return plain
    biases = tuple(torch.sin(weight.sum(2)) for weight in plain.networks.weights)
    begun = tuple(bias / 2 for bias in biases)
    return replace(
        plain,
        networks=replace(plain.networks, biases=biases),
        initial_networks=replace(plain.initial_networks, biases=begun),
    )


def logits(case):
    return case.networks.logits(case.inputs)


@pytest.mark.parametrize(
    ("change", "factor"),
    [(permuted_units, 1), (rescaled_layers, 1), (scaled_units, 1), (scaled_logits, 3)],
)
def test_logits_are_kept_or_scaled(case, change, factor):
    changed = change(case)
    assert not torch.equal(changed.networks.weights[0], case.networks.weights[0]) or factor == 3
    assert_close(logits(changed), factor * logits(case))


@pytest.mark.parametrize("change", [permuted_units, rescaled_layers, scaled_units])
@pytest.mark.parametrize("draw", [1, 2])
def test_other_draws_keep_what_networks_compute(case, change, draw):
    changed = change(case, draw)
    first = change(case)
    assert not torch.equal(changed.networks.weights[0], first.networks.weights[0])
    assert_close(logits(changed), logits(case))


@pytest.mark.parametrize("draw", [1, 2, 3, 4])
def test_other_draws_have_other_factors_within_their_range(case, draw):
    factor = (scaled_inputs(case, draw).inputs / case.inputs).mean().item()
    assert 0.1 <= factor <= 10
    assert abs(factor - 3) > 0.01
    assert_close(logits(scaled_logits(case, draw)), factor * logits(case))


def test_networks_and_their_beginnings_are_permuted_alike(case):
    one, other = (
        [a - b for a, b in zip(some.networks.weights, some.initial_networks.weights, strict=True)]
        for some in (case, permuted_units(case))
    )
    for before, after in zip(one, other, strict=True):
        assert_close(before.flatten().sort().values, after.flatten().sort().values)


def test_noise_in_pixels_is_the_same_in_another_unit(case):
    changed = scaled_units(case)
    pixels = case.pixel_deviations.view(-1, 1, 1, 1) * case.inputs
    assert_close(changed.pixel_deviations.view(-1, 1, 1, 1) * changed.inputs, pixels)
    assert_close(
        changed.initial_networks.logits(changed.inputs), case.initial_networks.logits(case.inputs)
    )
    assert torch.equal(scaled_inputs(case).pixel_deviations, case.pixel_deviations)


def test_points_take_with_them_what_is_theirs(case):
    changed = reordered_points(case)
    for some in (changed, case):
        assert len(some.inputs) == 60
    places = [(case.inputs == one).flatten(1).all(1).nonzero().item() for one in changed.inputs]
    assert sorted(places) == list(range(60)) != places
    assert torch.equal(changed.labels, case.labels[places])
    assert torch.equal(changed.pixel_deviations, case.pixel_deviations[places])


def test_labels_are_exchanged_alone(case):
    train, test = exchanged_train_labels(case), exchanged_test_labels(case)
    assert torch.equal(train.train_labels.sort().values, case.train_labels.sort().values)
    assert not torch.equal(train.train_labels, case.train_labels)
    assert torch.equal(train.labels, case.labels)
    assert not torch.equal(test.labels, case.labels)
    assert torch.equal(test.train_labels, case.train_labels)

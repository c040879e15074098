"""What measures of flatness, by random noise or at worst, have in common."""

import pytest
import torch
from oracles.flat_networks import learnt, seeded
from oracles.softmax_jacobian import random_networks
from torch.testing import assert_close

from generalization.measures.adaptive_sharpness import adaptive_sharpness
from generalization.measures.pac_bayes import (
    magnitude_aware_flatness,
    magnitude_aware_from_initialization,
    magnitude_aware_from_origin,
    pac_bayes_flatness,
    pac_bayes_from_initialization,
    pac_bayes_from_origin,
)
from generalization.measures.worst_case_flatness import (
    magnitude_aware_worst_case_flatness,
    worst_case_flatness,
)
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.sequences import sequence_of

NOISY = (
    pac_bayes_flatness,
    pac_bayes_from_initialization,
    pac_bayes_from_origin,
    magnitude_aware_flatness,
    magnitude_aware_from_initialization,
    magnitude_aware_from_origin,
)
WORST = (worst_case_flatness, magnitude_aware_worst_case_flatness, adaptive_sharpness)


def measured(measure, networks, inputs, labels, **settings):
    offered = {"train_inputs": inputs, "train_labels": labels}
    if measure in NOISY:
        offered["generator"] = seeded()
    if "initialization" in measure.__name__ or measure is magnitude_aware_from_origin:
        tensors = {k: v + 0.1 * torch.sin(9 * v) for k, v in networks.tensors.items()}
        offered["initial_networks"] = networks.with_tensors(tensors)
    return measure(networks, **offered, **settings)


@pytest.mark.parametrize("measure", NOISY + WORST)
def test_network_is_measured_as_if_it_were_alone(measure):
    networks, inputs, labels = learnt()
    with torch.random.fork_rng():
        together = measured(measure, networks, inputs, labels)
        alone = measured(measure, networks[1:], inputs, labels)
    assert_close(together[1:], alone, equal_nan=True)


@pytest.mark.parametrize("measure", [magnitude_aware_worst_case_flatness, adaptive_sharpness])
def test_rescaling_layers_changes_nothing_that_is_relative(measure):
    networks, inputs, labels = learnt()
    without = FullyConnectedNetworks(networks.weights, "relu")
    labels = without.logits(inputs)[0].argmax(1)
    first, second, third = without.weights
    rescaled = FullyConnectedNetworks((3 * first, second / 3, third), "relu")
    before = measure(without[:1], inputs, labels)
    assert_close(measure(rescaled[:1], inputs, labels), before, rtol=1e-6, atol=0)
    plain = worst_case_flatness(rescaled[:1], inputs, labels)
    assert (plain - worst_case_flatness(without[:1], inputs, labels)).abs().item() > 0.01


@pytest.mark.parametrize("measure", NOISY + WORST)
def test_module_equals_stack(measure):
    networks, inputs, labels = learnt()
    chosen = {"draws": 3} if measure in NOISY else {}
    stack = measured(measure, networks[:1], inputs, labels, **chosen)
    module = sequence_of(networks[:1])
    if measure in (magnitude_aware_from_origin,) or "initialization" in measure.__name__:
        tensors = {k: v + 0.1 * torch.sin(9 * v) for k, v in networks[:1].tensors.items()}
        begun = sequence_of(networks[:1].with_tensors(tensors))
        value = measure(module, begun, inputs, labels, seeded(), **chosen)
    elif measure in NOISY:
        value = measure(module, inputs, labels, seeded(), **chosen)
    else:
        value = measure(module, inputs, labels, **chosen)
    assert_close(value, stack)


def test_too_few_draws_and_inputs_are_refused():
    networks, inputs, labels = learnt()
    with pytest.raises(ValueError, match=r"^draws must be at least 1, not 0\.$"):
        pac_bayes_flatness(networks, inputs, labels, seeded(), draws=0)
    with pytest.raises(ValueError, match=r"^train_samples must be at least 1, not 0\.$"):
        worst_case_flatness(networks, inputs, labels, train_samples=0)
    sentence = (
        r"^initial_networks must have weights of shapes \[\(2, 8, 5\), \(2, 7, 8\), \(2, 3, 7\)\], "
        r"not \[\(2, 3, 5\)\]\.$"
    )
    with pytest.raises(ValueError, match=sentence):
        pac_bayes_from_initialization(
            networks, random_networks((5, 3), count=2), inputs, labels, seeded()
        )

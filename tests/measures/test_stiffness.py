from itertools import combinations

import pytest
import torch
from oracles.sample_gradients import (
    CASES,
    EXACT,
    convolutional,
    data,
    loss_gradients,
    modules,
    stack,
)
from torch import nn
from torch.testing import assert_close

from generalization.measures.stiffness import sign_stiffness, stiffness, within_class_stiffness

MEASURES = (stiffness, sign_stiffness, within_class_stiffness)


def slow(gradients, labels):
    """Measures of a network by their definitions, from all gradients at points."""
    cosine = nn.functional.cosine_similarity
    pairs = list(combinations(range(len(gradients)), 2))
    cosines = torch.stack([cosine(gradients[i], gradients[j], 0, 0.0) for i, j in pairs])
    same = torch.tensor([bool(labels[i] == labels[j]) for i, j in pairs])
    return {
        stiffness: cosines.nanmean(),
        sign_stiffness: cosines[~cosines.isnan()].sign().mean(),
        within_class_stiffness: cosines[same].nanmean(),
    }


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(("activation", "biases"), CASES)
def test_mean_cosines_equal_autograd(activation, biases, measure):
    networks, (inputs, labels) = stack(activation, biases), data()
    values = measure(networks, inputs, labels)
    for module, value in zip(modules(networks), values, strict=True):
        expected = slow(loss_gradients(module, inputs, labels), labels)[measure]
        assert_close(value, expected, **EXACT)


@pytest.mark.parametrize("measure", MEASURES)
def test_mean_cosines_of_a_convolutional_module_equal_autograd(measure):
    module, (inputs, labels) = convolutional(), data(8, 9)
    inputs = inputs.view(8, 1, 3, 3)
    expected = slow(loss_gradients(module, inputs, labels), labels)[measure]
    assert_close(measure(module, inputs, labels)[0], expected, **EXACT)

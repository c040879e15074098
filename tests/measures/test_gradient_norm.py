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
from torch.testing import assert_close

from generalization.devices import BUDGETS, Budget
from generalization.measures.gradient_norm import (
    gradient_noise_scale,
    gradient_norm,
    gradient_variance,
    sample_gradient_norm,
)
from generalization.measures.stiffness import (
    gradient_disparity,
    sign_stiffness,
    stiffness,
    within_class_stiffness,
)
from generalization.measures.takeuchi import tic_of_diagonals, tic_of_traces

OF_LOSS = (
    gradient_norm,
    gradient_variance,
    gradient_noise_scale,
)


def slow(gradients):
    """Measures of a network by their definitions, from all gradients at points."""
    mean = gradients.mean(0)
    variance = (gradients - mean).square().sum(1).mean()
    return {
        gradient_norm: mean.norm(),
        gradient_variance: variance,
        gradient_noise_scale: variance / mean.square().sum(),
    }


@pytest.mark.parametrize("measure", OF_LOSS)
@pytest.mark.parametrize(("activation", "biases"), CASES)
def test_measures_of_gradients_equal_autograd(activation, biases, measure):
    networks, (inputs, labels) = stack(activation, biases), data()
    values = measure(networks, inputs, labels)
    for module, value in zip(modules(networks), values, strict=True):
        expected = slow(loss_gradients(module, inputs, labels))[measure]
        assert_close(value, expected, **EXACT)


@pytest.mark.parametrize("measure", OF_LOSS)
def test_measures_of_gradients_of_a_convolutional_module_equal_autograd(measure):
    module, (inputs, labels) = convolutional(), data(8, 9)
    inputs = inputs.view(8, 1, 3, 3)
    expected = slow(loss_gradients(module, inputs, labels))[measure]
    assert_close(measure(module, inputs, labels)[0], expected, **EXACT)


@pytest.mark.parametrize(("activation", "biases"), CASES)
def test_norms_at_points_equal_autograd(activation, biases):
    networks, (inputs, labels) = stack(activation, biases), data()
    values = sample_gradient_norm(networks, inputs, labels)
    for module, norms in zip(modules(networks), values, strict=True):
        assert_close(norms, loss_gradients(module, inputs, labels).norm(dim=1), **EXACT)


@pytest.mark.parametrize(("count", "size"), [(8, 4), (8, 3), (9, 2), (8, 100)])
def test_disparity_is_the_mean_distance_of_gradients_of_batches(count, size):
    networks, (inputs, labels) = stack(), data(count)
    values = gradient_disparity(networks, inputs, labels, batch_size=size)
    size = min(size, count // 2)
    for module, value in zip(modules(networks), values, strict=True):
        gradients = loss_gradients(module, inputs, labels)
        batches = [gradients[i * size : (i + 1) * size].mean(0) for i in range(count // size)]
        distances = torch.stack([(one - other).norm() for one, other in combinations(batches, 2)])
        assert_close(value, distances.mean(), **EXACT)


@pytest.mark.parametrize(
    "measure",
    [*OF_LOSS, stiffness, sign_stiffness, within_class_stiffness, tic_of_traces, tic_of_diagonals],
)
def test_first_training_inputs_are_used(measure):
    networks, (inputs, labels) = stack(), data(12)
    values = measure(networks, inputs, labels, train_samples=9)
    assert_close(values, measure(networks, inputs[:9], labels[:9]))
    with pytest.raises(ValueError, match=r"^train_samples must be at least 1, not 0\.$"):
        measure(networks, inputs, labels, train_samples=0)


def test_float32_loses_few_digits():
    networks, (inputs, labels) = stack(), data(50)
    rounded = networks.to(torch.float32)
    for measure in (gradient_variance, stiffness, gradient_disparity, tic_of_traces):
        in_float32 = measure(rounded, inputs.float(), labels)
        assert in_float32.dtype == torch.float64
        assert_close(in_float32, measure(networks, inputs, labels), rtol=1e-5, atol=0)


@pytest.mark.parametrize("measure", [gradient_disparity, stiffness, within_class_stiffness])
def test_number_of_networks_at_a_time_changes_nothing(measure, monkeypatch):
    networks, (inputs, labels) = stack(), data()
    expected = measure(networks, inputs, labels)
    monkeypatch.setitem(BUDGETS, "grams", Budget(1, 1))
    assert_close(measure(networks, inputs, labels), expected, **EXACT)

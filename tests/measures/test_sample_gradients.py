from itertools import combinations

import pytest
import torch
from oracles.sample_gradients import gauss_newton_matrix, loss_gradients
from oracles.softmax_jacobian import PlainNetwork, random_networks
from scipy.sparse.linalg import ArpackNoConvergence
from torch import nn
from torch.testing import assert_close

from generalization.measures import sample_gradients
from generalization.measures.sample_gradients import (
    empirical_fisher_rao_norm,
    fisher_rao_norm,
    gauss_newton_eigenvalue,
    gauss_newton_trace,
    gradient_disparity,
    gradient_noise_scale,
    gradient_norm,
    gradient_variance,
    sample_gradient_norm,
    sign_stiffness,
    stiffness,
    tic_of_diagonals,
    tic_of_traces,
    within_class_stiffness,
)

EXACT = {"rtol": 1e-12, "atol": 1e-15}
CASES = [(activation, biases) for activation in ("relu", "tanh") for biases in (False, True)]
OF_LOSS = (
    gradient_norm,
    gradient_variance,
    gradient_noise_scale,
    stiffness,
    sign_stiffness,
    within_class_stiffness,
)


def seeded():
    return torch.Generator().manual_seed(0)


def data(count=8, features=5):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(count, features, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(3, (count,), generator=generator)


def stack(activation="relu", biases=True):
    return random_networks((5, 6, 4, 3), activation, count=2, biases=biases)


def modules(networks):
    return [PlainNetwork(networks, member) for member in range(len(networks))]


def convolutional():
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 2, 2), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(2, 3)]
    return nn.Sequential(*layers).double()


def slow(gradients, labels):
    """Measures of a network by their definitions, from all gradients at points."""
    mean = gradients.mean(0)
    variance = (gradients - mean).square().sum(1).mean()
    cosine = nn.functional.cosine_similarity
    pairs = list(combinations(range(len(gradients)), 2))
    cosines = torch.stack([cosine(gradients[i], gradients[j], 0, 0.0) for i, j in pairs])
    same = torch.tensor([bool(labels[i] == labels[j]) for i, j in pairs])
    return {
        gradient_norm: mean.norm(),
        gradient_variance: variance,
        gradient_noise_scale: variance / mean.square().sum(),
        stiffness: cosines.nanmean(),
        sign_stiffness: cosines[~cosines.isnan()].sign().mean(),
        within_class_stiffness: cosines[same].nanmean(),
    }


@pytest.mark.parametrize("measure", OF_LOSS)
@pytest.mark.parametrize(("activation", "biases"), CASES)
def test_measures_of_gradients_equal_autograd(activation, biases, measure):
    networks, (inputs, labels) = stack(activation, biases), data()
    values = measure(networks, inputs, labels)
    for module, value in zip(modules(networks), values, strict=True):
        expected = slow(loss_gradients(module, inputs, labels), labels)[measure]
        assert_close(value, expected, **EXACT)


@pytest.mark.parametrize("measure", OF_LOSS)
def test_measures_of_gradients_of_a_convolutional_module_equal_autograd(measure):
    module, (inputs, labels) = convolutional(), data(8, 9)
    inputs = inputs.view(8, 1, 3, 3)
    expected = slow(loss_gradients(module, inputs, labels), labels)[measure]
    assert_close(measure(module, inputs, labels)[0], expected, **EXACT)


@pytest.mark.parametrize(("activation", "biases"), CASES)
def test_norms_at_points_equal_autograd(activation, biases):
    networks, (inputs, labels) = stack(activation, biases), data()
    values = sample_gradient_norm(networks, inputs, labels)
    for module, norms in zip(modules(networks), values, strict=True):
        assert_close(norms, loss_gradients(module, inputs, labels).norm(dim=1), **EXACT)


def test_known_values_are_used_at_as_many_points_only():
    networks, (inputs, labels) = stack(), data()
    known = {
        "sample_gradient_norm": torch.full((2, 6), 2.0).double(),
        "gauss_newton_trace": torch.full((2, 6), 8.0).double(),
    }
    values = tic_of_traces(networks, inputs, labels, train_samples=6, **known)
    assert values.tolist() == [0.5, 0.5]
    expected = tic_of_traces(networks, inputs, labels)
    assert_close(tic_of_traces(networks, inputs, labels, **known), expected)


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


@pytest.mark.parametrize(("activation", "biases"), CASES)
def test_trace_and_largest_eigenvalue_are_those_of_the_gauss_newton_matrix(activation, biases):
    networks, (inputs, _) = stack(activation, biases), data()
    traces = gauss_newton_trace(networks, inputs)
    assert traces.shape == (2, 8)
    eigenvalues = gauss_newton_eigenvalue(networks, inputs, seeded(), tolerance=1e-13)
    for member, module in enumerate(modules(networks)):
        matrix = gauss_newton_matrix(module, inputs)
        assert_close(traces[member].mean(), matrix.trace(), **EXACT)
        assert_close(eigenvalues[member], torch.linalg.eigvalsh(matrix)[-1], **EXACT)


def test_curvature_of_a_convolutional_module():
    module, (inputs, _) = convolutional(), data(8, 9)
    inputs = inputs.view(8, 1, 3, 3)
    matrix = gauss_newton_matrix(module, inputs)
    assert_close(gauss_newton_trace(module, inputs).mean(), matrix.trace(), **EXACT)
    value = gauss_newton_eigenvalue(module, inputs, seeded(), tolerance=1e-13)[0]
    assert_close(value, torch.linalg.eigvalsh(matrix)[-1], **EXACT)


def test_iteration_that_does_not_converge_has_no_value(monkeypatch):
    def fail(*_, **__):
        raise ArpackNoConvergence("no convergence", [], [])

    monkeypatch.setattr(sample_gradients, "eigsh", fail)
    assert gauss_newton_eigenvalue(stack(), data()[0], seeded()).isnan().all()


@pytest.mark.parametrize(("activation", "biases"), CASES)
def test_fisher_rao_norms_are_quadratic_forms_of_the_parameters(activation, biases):
    networks, (inputs, labels) = stack(activation, biases), data()
    values = fisher_rao_norm(networks, inputs)
    empirical = empirical_fisher_rao_norm(networks, inputs, labels)
    for member, module in enumerate(modules(networks)):
        w = torch.cat([parameter.detach().flatten() for parameter in module.parameters()])
        expected = w @ gauss_newton_matrix(module, inputs) @ w
        assert_close(values[member].mean(), expected, **EXACT)
        gradients = loss_gradients(module, inputs, labels)
        assert_close(empirical[member], (gradients @ w).square(), **EXACT)


def test_without_biases_fisher_rao_norms_need_the_logits_alone():
    networks, (inputs, labels) = stack(biases=False), data()
    logits = networks.logits(inputs)
    sigma = logits.softmax(-1)
    mean = (sigma * logits).sum(-1)
    variance = (sigma * logits.square()).sum(-1) - mean.square()
    assert_close(fisher_rao_norm(networks, inputs), 9 * variance, rtol=1e-11, atol=0)
    of_labels = logits.gather(2, labels.expand(2, 8).unsqueeze(2)).squeeze(2)
    expected = 9 * (mean - of_labels).square()
    assert_close(empirical_fisher_rao_norm(networks, inputs, labels), expected, rtol=1e-11, atol=0)


@pytest.mark.parametrize(("activation", "biases"), CASES)
def test_takeuchi_criteria_are_those_of_the_matrices(activation, biases):
    networks, (inputs, labels) = stack(activation, biases), data()
    traces = tic_of_traces(networks, inputs, labels)
    diagonals = tic_of_diagonals(networks, inputs, labels)
    for member, module in enumerate(modules(networks)):
        of_loss = loss_gradients(module, inputs, labels).square().mean(0)
        curvature = gauss_newton_matrix(module, inputs).diagonal()
        assert_close(traces[member], of_loss.sum() / curvature.sum(), **EXACT)
        moving = curvature > 0
        assert moving.all() == (activation == "tanh")
        expected = (of_loss[moving] / curvature[moving]).sum()
        assert_close(diagonals[member], expected, rtol=1e-10, atol=0)


def test_full_criterion_of_few_points_is_a_function_of_the_probabilities():
    networks, (inputs, labels) = random_networks((5, 30, 30, 3), "tanh"), data()
    module = PlainNetwork(networks)
    gradients = loss_gradients(module, inputs, labels)
    inverse = torch.linalg.pinv(gauss_newton_matrix(module, inputs), rtol=1e-10, hermitian=True)
    value = torch.einsum("np,pq,nq->", gradients, inverse, gradients) / len(inputs)
    sigma = module(inputs).softmax(-1)[range(8), labels]
    assert_close(value, ((1 - sigma) / sigma).sum(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("measure", [*OF_LOSS, tic_of_traces, tic_of_diagonals])
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
    monkeypatch.setattr(sample_gradients, "GRAM_NUMBERS", 1)
    assert_close(measure(networks, inputs, labels), expected, **EXACT)

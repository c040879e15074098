import pytest
import torch
from oracles.sample_gradients import (
    CASES,
    EXACT,
    data,
    gauss_newton_matrix,
    loss_gradients,
    modules,
    stack,
)
from oracles.softmax_jacobian import PlainNetwork, random_networks
from torch.testing import assert_close

from generalization.measures.gauss_newton_trace import gauss_newton_trace
from generalization.measures.gradient_norm import sample_gradient_norm
from generalization.measures.takeuchi import tic_of_diagonals, tic_of_traces
from generalization.networks.sharing import sharing_results


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


def test_passes_are_shared_at_as_many_points_only():
    networks, (inputs, labels) = stack(), data()
    expected = [
        tic_of_traces(networks, inputs, labels, train_samples=6),
        tic_of_traces(networks, inputs, labels),
        tic_of_diagonals(networks, inputs, labels),
    ]
    results = {}
    with sharing_results(results):
        sample_gradient_norm(networks, inputs, labels, train_samples=6)
        gauss_newton_trace(networks, inputs, train_samples=6)
        values = [tic_of_traces(networks, inputs, labels, train_samples=6)]
        assert len(results) == 2
        values.append(tic_of_traces(networks, inputs, labels))
        assert len(results) == 4
        values.append(tic_of_diagonals(networks, inputs, labels))
    assert len(results) == 4
    for value, alone in zip(values, expected, strict=True):
        assert torch.equal(value, alone)

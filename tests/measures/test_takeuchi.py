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

from generalization.measures.takeuchi import tic_of_diagonals, tic_of_traces


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

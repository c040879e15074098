import pytest
import torch
from oracles.sample_gradients import (
    CASES,
    EXACT,
    data,
    gauss_newton_matrix,
    logit_gradients,
    loss_gradients,
    modules,
    stack,
)
from oracles.softmax_jacobian import PlainNetwork, random_networks
from torch.testing import assert_close

from generalization.errors import Approximated
from generalization.measures.gauss_newton_trace import gauss_newton_trace
from generalization.measures.gradient_norm import sample_gradient_norm
from generalization.measures.takeuchi import takeuchi_criterion, tic_of_diagonals, tic_of_traces
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
        assert_close(diagonals[member], expected, **EXACT)


def slow_criterion(module, inputs, labels):
    """tr(C H⁺) and the rank of H, from the singular values of a root of H."""
    jacobians = logit_gradients(module, inputs)
    sigma = module(inputs).detach().softmax(-1)
    centered = jacobians - torch.einsum("nk,nkp->np", sigma, jacobians).unsqueeze(1)
    root = (centered * sigma.sqrt().unsqueeze(2)).flatten(0, 1)
    _, values, directions = torch.linalg.svd(root, full_matrices=False)
    there = values > 1e-10 * values[0]
    gradients = loss_gradients(module, inputs, labels)
    return (gradients @ directions[there].T / values[there]).square().sum(), int(there.sum())


@pytest.mark.parametrize(("activation", "biases"), CASES)
@pytest.mark.parametrize("widths", [(5, 4, 4, 4), (5, 4, 3), (4, 3)])
def test_criterion_is_that_of_the_pseudoinverse(widths, activation, biases):
    inputs, _ = data(23, widths[0])
    labels = torch.arange(23) % widths[-1]
    networks = random_networks(widths, activation, count=2, biases=biases)
    expected, ranks = zip(
        *(slow_criterion(m, inputs, labels) for m in modules(networks)), strict=True
    )
    assert max(ranks) < 23 * (widths[-1] - 1)
    values = takeuchi_criterion(networks, inputs, labels)
    assert_close(values, torch.stack(expected), **EXACT)
    of_module = takeuchi_criterion(PlainNetwork(networks), inputs, labels)
    assert_close(of_module, values[:1], **EXACT)
    # Weights in single precision are those of a network in double precision.
    single = networks.to(torch.float32)
    found = takeuchi_criterion(single, inputs.float(), labels)
    assert torch.equal(found, takeuchi_criterion(single.to(torch.float64), inputs.float(), labels))


def test_gradients_may_be_dependent_with_more_parameters_than_they_are():
    networks, (inputs, _) = random_networks((5, 7, 6, 4), biases=False), data(23)
    labels = torch.arange(23) % 4
    expected, rank = slow_criterion(PlainNetwork(networks), inputs, labels)
    assert rank < 23 * 3 < sum(weight[0].numel() for weight in networks.weights)
    assert_close(takeuchi_criterion(networks, inputs, labels)[0], expected, **EXACT)
    sigma = networks.logits(inputs)[0].softmax(-1)[range(23), labels]
    assert ((1 - sigma) / sigma).sum() > 1.01 * expected


def test_criterion_of_independent_gradients_is_told_to_be_of_the_probabilities():
    networks, (inputs, labels) = random_networks((5, 30, 30, 3), "tanh", count=2), data()
    sigma = networks.logits(inputs).softmax(-1)[:, range(8), labels]
    with pytest.warns(Approximated) as warned:
        values = takeuchi_criterion(networks, inputs, labels)
    (said,) = [one.message for one in warned]
    how = "a function of the probabilities of labels alone: all gradients are independent"
    assert (str(said), said.networks) == (how, [True, True])
    assert_close(values, ((1 - sigma) / sigma).sum(1), rtol=1e-13, atol=0)


def test_samples_without_gradients_count_nothing():
    networks, (inputs, labels) = stack("relu", biases=False), data()
    inputs[2] = 0
    kept = [0, 1, 3, 4, 5, 6, 7]
    values = takeuchi_criterion(networks, inputs, labels)
    assert_close(values, takeuchi_criterion(networks, inputs[kept], labels[kept]), **EXACT)


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


def test_curvatures_that_underflow_are_not_left_out():
    """The label has the probability e⁻¹²⁰, the other two classes ½ each."""
    network = torch.nn.Linear(1, 3)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[0.0], [0.0], [-120.0]]))
        network.bias.zero_()
    inputs, labels = torch.ones(1, 1), torch.tensor([2])
    assert tic_of_diagonals(network, inputs, labels).isinf()
    found = tic_of_diagonals(network.double(), inputs.double(), labels)
    # Of weight and bias of each class, (1 − σ) / σ of the label and σ / (1 − σ) of the others.
    assert_close(found, 2 * (2 * torch.exp(torch.tensor([120.0]).double()) + 2))


class Shifted(torch.nn.Module):
    """Adds a trained number to all scores of a softmax, which changes nothing."""

    def __init__(self, scale):
        super().__init__()
        self.scores, self.shift = torch.nn.Linear(5, 4), torch.nn.Linear(5, 1)
        self.head, self.scale = torch.nn.Linear(4, 3), scale

    def forward(self, x):
        scores = self.scores(x) + self.scale * self.shift(x)
        return self.head(torch.softmax(scores, 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [0.0, 3.0])
def test_parameters_without_effect_are_left_out_though_their_gradients_are_rounded(dtype, scale):
    torch.manual_seed(0)
    module, (inputs, labels) = Shifted(scale).to(dtype), data()
    plain = torch.nn.Sequential(module.scores, torch.nn.Softmax(1), module.head)
    found, expected = (tic_of_diagonals(one, inputs.to(dtype), labels) for one in (module, plain))
    assert_close(found, expected, rtol=1e-4, atol=0)

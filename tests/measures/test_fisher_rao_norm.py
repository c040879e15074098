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
from torch.testing import assert_close

from generalization.measures.fisher_rao_norm import empirical_fisher_rao_norm, fisher_rao_norm


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
    assert_close(fisher_rao_norm(networks, inputs), 9 * variance, rtol=1e-12, atol=0)
    of_labels = logits.gather(2, labels.expand(2, 8).unsqueeze(2)).squeeze(2)
    expected = 9 * (mean - of_labels).square()
    assert_close(empirical_fisher_rao_norm(networks, inputs, labels), expected, rtol=1e-12, atol=0)

import pytest
import torch
from oracles.sample_gradients import (
    CASES,
    EXACT,
    convolutional,
    data,
    gauss_newton_matrix,
    modules,
    stack,
)
from scipy.sparse.linalg import ArpackNoConvergence
from torch.testing import assert_close

from generalization.measures import gauss_newton_eigenvalue as module_of_eigenvalue
from generalization.measures.gauss_newton_eigenvalue import gauss_newton_eigenvalue


def seeded():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("activation", "biases"), CASES)
def test_value_is_the_largest_eigenvalue_of_the_gauss_newton_matrix(activation, biases):
    networks, (inputs, _) = stack(activation, biases), data()
    eigenvalues = gauss_newton_eigenvalue(networks, inputs, seeded(), tolerance=1e-13)
    for module, value in zip(modules(networks), eigenvalues, strict=True):
        matrix = gauss_newton_matrix(module, inputs)
        assert_close(value, torch.linalg.eigvalsh(matrix)[-1], **EXACT)


def test_largest_eigenvalue_of_a_convolutional_module():
    module, (inputs, _) = convolutional(), data(8, 9)
    inputs = inputs.view(8, 1, 3, 3)
    matrix = gauss_newton_matrix(module, inputs)
    value = gauss_newton_eigenvalue(module, inputs, seeded(), tolerance=1e-13)[0]
    assert_close(value, torch.linalg.eigvalsh(matrix)[-1], **EXACT)


def test_iteration_that_does_not_converge_has_no_value(monkeypatch):
    def fail(*_, **__):
        raise ArpackNoConvergence("no convergence", [], [])

    monkeypatch.setattr(module_of_eigenvalue, "eigsh", fail)
    assert gauss_newton_eigenvalue(stack(), data()[0], seeded()).isnan().all()

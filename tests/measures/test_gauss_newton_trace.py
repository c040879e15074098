import pytest
from oracles.sample_gradients import (
    CASES,
    EXACT,
    convolutional,
    data,
    gauss_newton_matrix,
    modules,
    stack,
)
from torch.testing import assert_close

from generalization.measures.gauss_newton_trace import gauss_newton_trace


@pytest.mark.parametrize(("activation", "biases"), CASES)
def test_mean_is_the_trace_of_the_gauss_newton_matrix(activation, biases):
    networks, (inputs, _) = stack(activation, biases), data()
    traces = gauss_newton_trace(networks, inputs)
    assert traces.shape == (2, 8)
    for module, values in zip(modules(networks), traces, strict=True):
        assert_close(values.mean(), gauss_newton_matrix(module, inputs).trace(), **EXACT)


def test_trace_of_a_convolutional_module():
    module, (inputs, _) = convolutional(), data(8, 9)
    inputs = inputs.view(8, 1, 3, 3)
    matrix = gauss_newton_matrix(module, inputs)
    assert_close(gauss_newton_trace(module, inputs).mean(), matrix.trace(), **EXACT)

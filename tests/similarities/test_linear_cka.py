import numpy as np
import pytest
from oracles.similarities import bases, canonical, kernel_alignment, planted, unbiased_alignment

from generalization.similarities.linear_cka import linear_cka


@pytest.fixture(params=[(3, 7), (7, 3)])
def layers(request):
    p, q = request.param
    generator = np.random.default_rng(0)
    x, y = planted(generator, 30, 2, p - 2, q - 2)
    return x + 5, y + generator.standard_normal(y.shape)


def test_it_is_the_alignment_of_kernels(layers):
    assert linear_cka(*layers).value == pytest.approx(kernel_alignment(*layers), abs=1e-12)


def test_debiased_it_is_that_of_unbiased_estimates(layers):
    found = linear_cka(*layers, debiased=True)
    assert found.value == pytest.approx(unbiased_alignment(*layers), abs=1e-12)
    singles = [layer.astype(np.float32) for layer in layers]
    assert linear_cka(*singles, debiased=True).value == pytest.approx(found.value, abs=1e-6)


def test_of_orthonormal_layers_it_is_the_sum_of_squared_correlations(layers):
    _, correlations, _ = canonical(*layers)
    x, y = (bases(layer) for layer in layers)
    expected = np.sum(correlations**2) / np.sqrt(x.shape[1] * y.shape[1])
    assert linear_cka(x, y).value == pytest.approx(expected)


@pytest.mark.parametrize("debiased", [False, True])
def test_null_level_is_the_mean_over_permutations(layers, debiased):
    x, y = layers
    generator = np.random.default_rng(1)
    values = [
        linear_cka(x, y[generator.permutation(30)], debiased=debiased).value for _ in range(400)
    ]
    null = linear_cka(x, y, debiased=debiased).null
    assert np.mean(values) == pytest.approx(null, abs=4 * np.std(values) / 400**0.5)


def test_debiased_of_too_few_samples_does_not_exist():
    x, y = np.random.default_rng(0).standard_normal((2, 3, 2))
    assert np.isnan(linear_cka(x, y, debiased=True).value)
    assert linear_cka(x, y).value > 0


def test_many_units_bias_it_upward_but_not_the_debiased_one():
    x, y = np.random.default_rng(0).standard_normal((2, 50, 500))
    assert linear_cka(x, y).value > 0.8
    assert abs(linear_cka(x, y, debiased=True).value) < 0.1

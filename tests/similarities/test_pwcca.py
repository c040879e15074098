import numpy as np
import pytest
from oracles.similarities import planted, projection_weighted

from generalization.similarities.mean_cca import mean_cca
from generalization.similarities.pwcca import pwcca


def layers(p, q, seed=0):
    generator = np.random.default_rng(seed)
    x, y = planted(generator, 70, 2, p - 2, q - 2)
    return x, y + generator.standard_normal(y.shape)


@pytest.mark.parametrize(("p", "q"), [(3, 7), (7, 3), (5, 5)])
def test_it_is_the_weighted_mean_of_the_definition(p, q):
    x, y = layers(p, q)
    assert pwcca(x, y).value == pytest.approx(projection_weighted(x, y), abs=1e-12)
    assert pwcca(y, x).value == pytest.approx(projection_weighted(y, x), abs=1e-12)


def test_weights_are_those_of_the_uncentered_mean():
    x, y = layers(4, 6)
    assert pwcca(x + 100, y).value == pytest.approx(pwcca(x, y).value)


def test_units_that_explain_more_of_the_layer_weigh_more():
    generator = np.random.default_rng(0)
    shared, own, other = generator.standard_normal((3, 400, 1))
    y = np.hstack([shared, other])
    large, small = np.hstack([10 * shared, own]), np.hstack([shared, 10 * own])
    assert mean_cca(large, y).value == pytest.approx(mean_cca(small, y).value)
    assert pwcca(large, y).value > 0.9
    assert pwcca(small, y).value < 0.2


def test_on_samples_twice_the_held_out_value_is_the_value():
    x, y = (np.repeat(layer, 2, 0) for layer in layers(4, 6))
    found = pwcca(x, y)
    assert found.held_out == pytest.approx(found.value, abs=1e-12)


def test_chance_is_as_large_as_that_of_the_plain_mean():
    values = []
    for seed in range(300):
        generator = np.random.default_rng(seed)
        x = generator.standard_normal((40, 6)) * 3.0 ** np.arange(6)
        found = pwcca(x, generator.standard_normal((40, 10)))
        values.append(found.value)
    assert np.mean(values) == pytest.approx(found.null, abs=4 * np.std(values) / 300**0.5 + 1e-3)

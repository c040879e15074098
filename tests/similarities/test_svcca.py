import numpy as np
import pytest
from oracles.similarities import canonical, truncated

from generalization.similarities.mean_cca import mean_cca
from generalization.similarities.svcca import svcca


@pytest.fixture
def layers():
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((2, 90, 8))
    y[:, :3] += x[:, :3]
    return x * 0.6 ** np.arange(8), (y * 0.6 ** np.arange(8)) @ generator.standard_normal((8, 5))


@pytest.mark.parametrize("explained_variance", [0.5, 0.9, 0.99, 1.0])
def test_it_is_cca_of_the_leading_singular_vectors(layers, explained_variance):
    x, y = layers
    kept = [truncated(layer, min(explained_variance, 1 - 1e-12)) for layer in (x, y)]
    _, correlations, _ = canonical(*kept)
    found = svcca(x, y, explained_variance=explained_variance)
    assert found.value == pytest.approx(correlations.mean(), abs=1e-12)
    assert found.directions == min(layer.shape[1] for layer in kept)
    # If every sample appears twice, once in each half, nothing is held out.
    twice = [np.repeat(layer, 2, 0) for layer in (x, y)]
    assert svcca(*twice, explained_variance=explained_variance).held_out == pytest.approx(
        correlations.mean(), abs=1e-12
    )


def test_variance_is_the_square_of_singular_values():
    columns = np.linalg.qr(np.random.default_rng(0).standard_normal((40, 5)) - 0).Q
    columns = np.linalg.qr(columns - columns.mean(0)).Q
    x = columns * [3.0, 1.0, 1.0, 1.0, 1.0]
    # The first direction has 9/13 = 0.69 of the variance, but only 3/7 of the singular values.
    assert svcca(x, x, explained_variance=0.69).directions == 1
    assert svcca(x, x, explained_variance=0.70).directions == 2


def test_with_all_variance_it_is_mean_cca(layers):
    assert svcca(*layers, explained_variance=1.0).value == pytest.approx(mean_cca(*layers).value)


def test_rotated_representation_is_identical():
    generator = np.random.default_rng(0)
    x = generator.standard_normal((100, 6))
    rotation = np.linalg.qr(generator.standard_normal((6, 6))).Q
    assert svcca(x, 3 * x @ rotation + 1, explained_variance=1.0).value == pytest.approx(1)


def test_small_noise_directions_are_left_out():
    generator = np.random.default_rng(0)
    signal = generator.standard_normal((500, 3))
    x, y = (np.hstack([signal, 0.01 * generator.standard_normal((500, 9))]) for _ in range(2))
    assert svcca(x, y).value == pytest.approx(1, abs=1e-3)
    assert mean_cca(x, y).value < 0.5

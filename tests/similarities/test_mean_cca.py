import numpy as np
import pytest
from oracles.similarities import canonical, planted, published

from generalization.similarities.mean_cca import mean_cca


@pytest.mark.parametrize(("p", "q"), [(3, 5), (5, 3), (4, 4), (1, 6)])
def test_it_is_the_mean_of_canonical_correlations(p, q):
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((50, p)), generator.standard_normal((50, q))
    y[:, 0] += x[:, 0]
    _, correlations, _ = canonical(x, y)
    found = mean_cca(x, y)
    assert found.value == pytest.approx(correlations.mean(), abs=1e-12)
    assert found.directions == min(p, q)


def test_of_one_unit_each_it_is_the_correlation():
    x, y = np.random.default_rng(0).standard_normal((2, 40, 1))
    assert mean_cca(x, y).value == pytest.approx(abs(np.corrcoef(x.T, y.T)[0, 1]))


@pytest.mark.parametrize("shared", [1, 3])
def test_planted_directions_are_found_on_held_out_samples_too(shared):
    x, y = planted(np.random.default_rng(1), 20_000, shared, 4 - shared, 6 - shared)
    found = mean_cca(x, y)
    assert found.value == pytest.approx(shared / 4, abs=0.03)
    assert found.held_out == pytest.approx(shared / 4, abs=0.02)


def test_what_is_fitted_to_noise_does_not_hold_on_other_samples():
    values = []
    for seed in range(200):
        x, y = np.random.default_rng(seed).standard_normal((2, 60, 5))
        values.append(mean_cca(x, y).held_out)
    assert np.mean(values) == pytest.approx(0, abs=4 * np.std(values) / 200**0.5)


def test_an_invertible_map_leaves_1_however_badly_conditioned():
    generator = np.random.default_rng(0)
    x = generator.standard_normal((300, 8))
    rotation, other = (np.linalg.qr(generator.standard_normal((8, 8))).Q for _ in range(2))
    worse = x @ rotation * np.geomspace(1, 1e-6, 8) @ other
    found = mean_cca(x, worse)
    assert (found.value, found.directions) == (pytest.approx(1, abs=1e-9), 8)
    assert found.held_out == pytest.approx(1, abs=1e-6)
    # The published code is led away from 1 by what it adds to the diagonal.
    assert mean_cca(x, worse, mode="google", epsilon=1e-4).value < 0.9


def test_a_subset_of_units_has_1():
    x = np.random.default_rng(0).standard_normal((50, 6))
    assert mean_cca(x, x[:, [4, 1]]).value == pytest.approx(1)


def test_duplicate_units_do_not_count():
    x, y = np.random.default_rng(0).standard_normal((2, 50, 4))
    found = mean_cca(np.hstack([x, x, x[:, :1] + x[:, 1:2]]), y)
    assert (found.value, found.directions) == (pytest.approx(mean_cca(x, y).value), 4)


@pytest.mark.parametrize(("samples", "p", "q"), [(2, 3, 4), (6, 8, 7), (10, 12, 3)])
def test_with_fewer_samples_than_units_all_is_chance(samples, p, q):
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((samples, p)), generator.standard_normal((samples, q))
    found = mean_cca(x, y)
    assert (found.value, found.null) == (pytest.approx(1), 1)
    assert found.directions == min(samples - 1, p, q)
    assert found.status == "few_samples"


def test_so_many_coefficients_are_1_for_want_of_samples():
    x, y = np.random.default_rng(0).standard_normal((2, 16, 9))
    _, correlations, _ = canonical(x, y)
    assert (correlations > 1 - 1e-9).sum() == 9 + 9 - 15
    assert mean_cca(x, y).value == pytest.approx(correlations.mean())


@pytest.mark.parametrize("epsilon", [0.0, 1e-10, 1e-4, 1e-2])
@pytest.mark.parametrize("threshold", [0.5, 0.98])
def test_google_mode_is_the_published_route(epsilon, threshold):
    generator = np.random.default_rng(2)
    x, y = planted(generator, 80, 2, 3, 5)
    x[:, 1] *= 1e-3
    y += 0.3 * generator.standard_normal(y.shape)
    _, mean = published(x, y, epsilon, threshold)
    found = mean_cca(x, y, mode="google", epsilon=epsilon, threshold=threshold)
    assert found.value == pytest.approx(mean, abs=1e-9)


def test_google_mode_without_its_changes_is_the_exact_one():
    x, y = np.random.default_rng(0).standard_normal((2, 50, 4))
    published_mean = mean_cca(x, y, mode="google", epsilon=0.0, threshold=1.0)
    assert published_mean.value == pytest.approx(mean_cca(x, y).value)


def test_google_mode_states_what_noise_has_there():
    values = []
    for seed in range(50):
        x, y = np.random.default_rng(seed).standard_normal((2, 200, 20))
        found = mean_cca(x, y, mode="google")
        values.append(found.value)
    assert np.mean(values) == pytest.approx(found.null, abs=0.005)
    assert found.null > mean_cca(x, y).null

import numpy as np
import pytest

from generalization.representations.null_levels import null_correlations, null_mean_correlation


def simulated(p, q, datapoints, repeats, complex_valued=False):
    """Canonical correlations of Gaussian layers: those of a fixed subspace and a random one."""
    generator = np.random.default_rng(0)
    found = []
    for _ in range(repeats):
        y = generator.standard_normal((datapoints - 1, q))
        if complex_valued:
            y = y + 1j * generator.standard_normal(y.shape)
        q_y = np.linalg.qr(y).Q
        found.append(np.linalg.svd(q_y[:p], compute_uv=False)[: min(p, q)])
    return np.clip(found, 0, 1)


@pytest.mark.parametrize(
    ("p", "q", "datapoints", "error"),
    [
        (1, 1, 20, 0),
        (1, 5, 100, 0),
        (2, 2, 50, 0.01),
        (2, 3, 200, 0.01),
        (3, 8, 100, 0.002),
        (10, 10, 100, 0.001),
        (20, 10, 200, 0.001),
        (15, 10, 21, 0.001),
        (40, 30, 61, 0.001),
    ],
)
def test_mean_correlation_is_that_of_independent_layers(p, q, datapoints, error):
    means = simulated(p, q, datapoints, 400).mean(1)
    null = null_mean_correlation(p, q, datapoints)
    assert means.mean() == pytest.approx(null, abs=4 * means.std() / 400**0.5 + error)


@pytest.mark.parametrize(("p", "q", "datapoints"), [(1, 3, 30), (4, 4, 60), (4, 9, 60)])
def test_mean_correlation_of_complex_layers(p, q, datapoints):
    means = simulated(p, q, datapoints, 400, complex_valued=True).mean(1)
    null = null_mean_correlation(p, q, datapoints, complex_valued=True)
    assert means.mean() == pytest.approx(null, abs=4 * means.std() / 400**0.5 + 0.005)


@pytest.mark.parametrize(("p", "q", "datapoints"), [(12, 12, 60), (5, 9, 100), (30, 25, 100)])
def test_squared_correlations_sum_to_what_is_known(p, q, datapoints):
    squares = (simulated(p, q, datapoints, 400) ** 2).sum(1)
    assert squares.mean() == pytest.approx(
        p * q / (datapoints - 1), abs=4 * squares.std() / 400**0.5
    )
    typical = (null_correlations(p, q, datapoints) ** 2).sum()
    assert typical == pytest.approx(p * q / (datapoints - 1), rel=0.05)


def test_typical_correlations_are_those_of_simulation():
    mean = simulated(12, 20, 81, 400).mean(0)
    np.testing.assert_allclose(null_correlations(20, 12, 81), mean, atol=0.02)


def test_so_many_typical_correlations_are_1_for_want_of_samples():
    assert (null_correlations(9, 9, 16) == 1).sum() == 3
    assert null_correlations(9, 20, 16).tolist() == 9 * [1]


def test_no_units_have_no_level():
    assert np.isnan(null_mean_correlation(0, 3, 10))
    assert null_mean_correlation(3, 9, 10) == 1

import numpy as np
import pytest
from scipy.stats import chi2, norm, t
from statsmodels.stats.meta_analysis import combine_effects

from generalization.statistics.random_effects import random_effects


@pytest.mark.parametrize("between", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("size", [2, 3, 4, 8])
def test_variance_between_datasets_solves_its_equation(between, size):
    generator = np.random.default_rng(size)
    errors = generator.uniform(0.1, 0.3, size)
    estimates = 0.5 + between * generator.normal(size=size) + errors * generator.normal(size=size)
    found = random_effects(estimates, errors, level=0.95)
    weights = 1 / (errors**2 + found.tau**2)
    squares = weights @ np.square(estimates - found.mean)
    assert squares == pytest.approx(size - 1) if found.tau else squares <= size - 1
    assert found.mean == pytest.approx(weights @ estimates / weights.sum())
    plain = 1 / np.sqrt(weights.sum())
    corrected = plain * np.sqrt(squares / (size - 1))
    widths = norm.ppf(0.975) * plain, t.ppf(0.975, size - 1) * corrected
    assert found.half_width == pytest.approx(max(widths))
    fixed = 1 / errors**2
    q = fixed @ np.square(estimates - fixed @ estimates / fixed.sum())
    assert found.p_value == pytest.approx(chi2.sf(q, size - 1))
    assert found.i_squared == pytest.approx(max(0, 1 - (size - 1) / q))


def test_agrees_with_statsmodels():
    # Where its iteration does not end at a negative variance.
    estimates, errors = np.array([0.1, 0.5, 0.3, 0.9, 0.4]), np.array([0.1, 0.2, 0.15, 0.2, 0.1])
    found = random_effects(estimates, errors, level=0.95)
    theirs = combine_effects(estimates, errors**2, method_re="iterated", atol=1e-12, maxiter=10_000)
    assert found.tau**2 == pytest.approx(theirs.tau2)
    assert found.mean == pytest.approx(theirs.mean_effect_re)
    assert found.i_squared == pytest.approx(theirs.i2)
    assert found.p_value == pytest.approx(theirs.test_homogeneity().pvalue)
    assert found.half_width == pytest.approx(t.ppf(0.975, 4) * theirs.sd_eff_w_re_hksj)


def test_equal_estimates_have_no_heterogeneity_and_no_narrower_interval():
    found = random_effects(np.full(3, 0.4), np.full(3, 0.2), level=0.9)
    assert (found.mean, found.tau, found.i_squared, found.p_value) == (pytest.approx(0.4), 0, 0, 1)
    assert found.half_width == pytest.approx(norm.ppf(0.95) * 0.2 / np.sqrt(3))

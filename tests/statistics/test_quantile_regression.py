import numpy as np
import pytest
import statsmodels.api as sm

from generalization.statistics.quantile_regression import quantile_slopes


def made(networks=90, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=networks)
    return x, 0.02 * x + 0.01 * np.exp(0.5 * x) * generator.normal(size=networks)


def loss(slope, x, y, quantile):
    residuals = np.sort(y - slope * x)
    residuals = residuals - residuals[int(np.ceil(quantile * len(y))) - 1]
    return (residuals * (quantile - (residuals < 0))).sum()


@pytest.mark.parametrize("quantile", [0.5, 0.9])
def test_slopes_are_those_of_statsmodels_in_every_resample(quantile):
    x, y = made()
    counts = np.random.default_rng(1).multinomial(90, np.full(90, 1 / 90), size=10)
    found = quantile_slopes(counts.astype(float), x, y, quantile=quantile)
    for row, slope in zip(counts, found, strict=True):
        again = np.repeat(np.arange(90), row)
        direct = sm.QuantReg(y[again], sm.add_constant(x[again])).fit(q=quantile, max_iter=5000)
        best = loss(direct.params[1], x[again], y[again], quantile)
        assert slope == pytest.approx(direct.params[1], abs=0.02 * y.std())
        assert loss(slope, x[again], y[again], quantile) <= best * (1 + 1e-3)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_points_on_a_line_have_its_slope(quantile):
    x = np.arange(9.0)
    found = quantile_slopes(np.ones((1, 9)), x, 3 - 0.25 * x, quantile=quantile)
    assert found == pytest.approx([-0.25], abs=1e-5)


def test_wedge_has_a_slope_for_every_quantile():
    """y is uniform from 0 to x: its quantile τ is τ·x."""
    x, share = (one.ravel() for one in np.meshgrid(np.arange(1.0, 41), np.arange(0.005, 1, 0.01)))
    for quantile in (0.25, 0.5, 0.9):
        found = quantile_slopes(np.ones((1, len(x))), x, share * x, quantile=quantile)
        assert found == pytest.approx([quantile], abs=0.01)


def test_units_turn_with_the_slope():
    x, y = made()
    once = np.ones((1, 90))
    plain = quantile_slopes(once, x, y, quantile=0.9)
    assert quantile_slopes(once, 10 * x + 3, 5 * y - 1, quantile=0.9) == pytest.approx(
        plain / 2, abs=1e-5
    )
    assert quantile_slopes(once, x, -y, quantile=0.1) == pytest.approx(-plain, abs=1e-5)


def test_resample_without_two_values_has_no_slope():
    counts = np.array([[3.0, 0, 0], [1, 1, 1]])
    found = quantile_slopes(counts, np.arange(3.0), np.arange(3.0), quantile=0.5)
    assert np.isnan(found).tolist() == [True, False]


def test_quantile_outside_of_its_range_is_refused():
    with pytest.raises(ValueError, match=r"^quantile must be between 0 and 1, not 1\.$"):
        quantile_slopes(np.ones((1, 3)), np.arange(3.0), np.arange(3.0), quantile=1)


def test_steep_lines_are_found():
    """Most points lie on a line of slope 1; two far ones make x vary more than y."""
    x = np.concatenate([np.repeat([-10.0, 10.0], 50), [-400, 400]])
    y = np.where(np.abs(x) > 10, 0.0, x)
    assert x.std() / y.std() > 5
    # Of Σ|x|, 1000 pull towards the line, 800 away from it.
    found = quantile_slopes(np.ones((1, 102)), x, y, quantile=0.5)
    assert found == pytest.approx([1], abs=0.01)

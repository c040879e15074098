import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from scipy.optimize import minimize_scalar

from generalization.statistics.intervals import cr2_slope
from generalization.statistics.mixed_models import mixed_slope, slope_within

ENSEMBLES = 24
LEVELS = np.array(list(np.ndindex(4, 3, 2)))
DESIGN = np.column_stack([
    np.ones(ENSEMBLES),
    *(LEVELS[:, f] == v for f, size in enumerate((4, 3, 2)) for v in range(1, size)),
]).astype(float)


def made(generator, slope=0.3, between=1.0, seeds=3, x_between=1.0):
    codes = np.repeat(np.arange(ENSEMBLES), seeds)
    normal = generator.normal
    x = x_between * normal(size=ENSEMBLES)[codes] + normal(size=len(codes))
    effects = DESIGN @ normal(size=DESIGN.shape[1]) + between * normal(size=ENSEMBLES)
    return x, slope * x + effects[codes] + 0.5 * normal(size=len(codes)), codes


def levelled(y, codes):
    """Means of ensembles differ less than seeds alone would make them."""
    means = np.bincount(codes, y) / np.bincount(codes)
    return y - 0.9 * (means - DESIGN @ np.linalg.lstsq(DESIGN, means, rcond=None)[0])[codes]


def profiled(x, y, codes, design):
    """Slope and share of variance at the maximum of the REML likelihood, profiled by hand."""
    columns = np.column_stack([design[codes], x])
    sizes = np.bincount(codes)

    def whitened(values, ratio):
        means = np.bincount(codes, values) / sizes
        return values - ((1 - 1 / np.sqrt(1 + sizes * ratio)) * means)[codes]

    def fit(ratio):
        some = np.stack([whitened(column, ratio) for column in columns.T], axis=1)
        response = whitened(y, ratio)
        slopes = np.linalg.lstsq(some, response, rcond=None)[0]
        return some, slopes, np.square(response - some @ slopes).sum()

    def negative(logarithm):
        ratio = np.exp(logarithm)
        some, _, left = fit(ratio)
        determinants = np.log(1 + sizes * ratio).sum() + np.linalg.slogdet(some.T @ some)[1]
        return determinants + (len(y) - columns.shape[1]) * np.log(left)

    ratio = np.exp(minimize_scalar(negative, bounds=(-12, 12), method="bounded").x)
    return fit(ratio)[1][-1], ratio / (1 + ratio)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("between", [0.3, 1.0])
def test_mixed_slope_is_at_the_maximum_of_the_restricted_likelihood(seed, between):
    x, y, codes = made(np.random.default_rng(seed), between=between)
    found = mixed_slope(x, y, codes, DESIGN, level=0.95)
    slope, share = profiled(x, y, codes, DESIGN)
    if not found.note:
        assert found.estimate == pytest.approx(slope, abs=1e-4)
        assert found.variance_share == pytest.approx(share, abs=1e-3)


def test_mixed_slope_is_that_of_statsmodels():
    x, y, codes = made(np.random.default_rng(7))
    direct = sm.MixedLM(y, np.column_stack([DESIGN[codes], x]), codes).fit(reml=True)
    found = mixed_slope(x, y, codes, DESIGN, level=0.95)
    assert direct.converged
    assert found.note == ""
    assert found.estimate == pytest.approx(direct.fe_params[-1], abs=1e-4)
    half = scipy.stats.t.ppf(0.975, ENSEMBLES - 7 - 1) * direct.bse_fe[-1]
    assert found.high - found.estimate == pytest.approx(half, rel=1e-3)
    assert found.low < 0.3 < found.high


def test_mixed_slope_between_ensembles_is_that_of_means():
    """Closed form of a balanced study in which the measure is the same for all seeds."""
    x, y, codes = made(np.random.default_rng(1))
    means = [np.bincount(codes, values) / np.bincount(codes) for values in (x, y)]
    of_means = sm.OLS(means[1], np.column_stack([DESIGN, means[0]])).fit()
    found = mixed_slope(means[0][codes], y, codes, DESIGN, level=0.95)
    assert found.estimate == pytest.approx(of_means.params[-1], abs=1e-6)
    low, high = of_means.conf_int()[-1]
    assert [found.low, found.high] == pytest.approx([low, high], abs=1e-3)
    assert found.p_value == pytest.approx(of_means.pvalues[-1], rel=0.02)


def test_scale_of_the_gap_scales_the_slope():
    x, y, codes = made(np.random.default_rng(2))
    plain, small = (mixed_slope(x, s * y + 1, codes, DESIGN, level=0.95) for s in (1, 1e-4))
    assert small[:3] == pytest.approx([1e-4 * one for one in plain[:3]], rel=1e-3)
    assert small.variance_share == pytest.approx(plain.variance_share, abs=1e-3)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"seeds": 1}, "one seed per ensemble"),
        ({"between": 0.0}, "the variance of ensembles is estimated as 0"),
    ],
)
def test_singular_model_falls_back_to_least_squares_of_means(change, why):
    generator = np.random.default_rng(1)
    x, y, codes = made(generator, **change)
    if "between" in change:
        y = levelled(y, codes)
    found = mixed_slope(x, y, codes, DESIGN, level=0.95)
    means = [np.bincount(codes, values) / np.bincount(codes) for values in (x, y)]
    of_means = sm.OLS(means[1], np.column_stack([DESIGN, means[0]])).fit()
    assert found.note == f"least squares of ensemble means: {why}"
    assert found.estimate == pytest.approx(of_means.params[-1])
    assert [found.low, found.high] == pytest.approx(of_means.conf_int()[-1])
    assert np.isnan(found.variance_share)


def test_what_has_no_mixed_slope_says_why():
    x, y, codes = made(np.random.default_rng(3))
    of_design = mixed_slope(DESIGN[codes] @ np.arange(7.0), y, codes, DESIGN, level=0.95)
    assert of_design.note == "is a function of the hyper-parameters alone"
    of_gap = mixed_slope(x, DESIGN[codes] @ np.arange(7.0), codes, DESIGN, level=0.95)
    assert of_gap.note == "the gap is a function of the hyper-parameters alone"
    few = codes < 4
    found = mixed_slope(x[few], y[few], codes[few], np.ones((4, 1)), level=0.95)
    assert found.note == "4 ensembles for 2 parameters"
    found = mixed_slope(x, y, codes, np.eye(ENSEMBLES), level=0.95)
    assert found.note == "24 ensembles for 25 parameters"
    alone = np.arange(len(codes)) % 3 - 1.0
    found = mixed_slope(alone, levelled(y, codes), codes, DESIGN, level=0.95)
    assert found.note == (
        "the variance of ensembles is estimated as 0, and its means are a function of the "
        "hyper-parameters alone"
    )


def test_planted_slope_is_covered_and_a_null_is_not_shown():
    generator = np.random.default_rng(11)
    studies = 60
    found = [mixed_slope(*made(generator), DESIGN, level=0.95) for _ in range(studies)]
    assert sum(one.low < 0.3 < one.high for one in found) >= 51  # binomial, 1e-3
    null = [mixed_slope(*made(generator, slope=0.0), DESIGN, level=0.95) for _ in range(studies)]
    assert sum(one.p_value <= 0.05 for one in null) <= 9


def test_slope_within_ensembles_is_that_of_intercepts_for_each():
    x, y, codes = made(np.random.default_rng(4), between=5.0)
    dummies = (codes[:, None] == np.arange(ENSEMBLES)).astype(float)
    direct = sm.OLS(y, np.column_stack([dummies, x])).fit()
    found = slope_within(x, y, codes, level=0.95)
    assert found.estimate == pytest.approx(direct.params[-1])
    assert found.low < 0.3 < found.high


def test_slope_within_ensembles_ignores_what_ensembles_differ_in():
    x, y, codes = made(np.random.default_rng(5))
    moved = slope_within(x, y - 7 * codes, codes, level=0.95)
    assert moved[:4] == pytest.approx(slope_within(x, y, codes, level=0.95)[:4])


def test_single_seeds_do_not_count_within_ensembles():
    x, y, codes = made(np.random.default_rng(6))
    more = [np.append(x, 9.0), np.append(y, -9.0), np.append(codes, ENSEMBLES)]
    assert slope_within(*more, level=0.95)[:4] == pytest.approx(
        slope_within(x, y, codes, level=0.95)[:4]
    )


def test_what_has_no_slope_within_ensembles_says_why():
    x, y, codes = made(np.random.default_rng(6))
    assert slope_within(x[::3], y[::3], codes[::3], level=0.95).note == "one seed per ensemble"
    assert slope_within(codes * 1.0, y, codes, level=0.95).note == (
        "the measure is the same for all seeds of an ensemble"
    )
    few = codes < 4
    found = slope_within(x[few], y[few], codes[few], level=0.95)
    assert found.note == "fewer than 5 ensembles with several seeds"
    assert np.isnan([found.low, found.high, found.p_value]).all()
    assert np.isfinite(found.estimate)


def test_standard_error_within_is_cr2_of_centered_values():
    x, y, codes = made(np.random.default_rng(8))
    inner = [v - (np.bincount(codes, v) / np.bincount(codes))[codes] for v in (x, y)]
    slope, p_value, _ = cr2_slope(*inner, codes, level=0.9)
    found = slope_within(x, y, codes, level=0.9)
    assert found[:4] == pytest.approx([*map(float, slope), p_value])


def test_five_ensembles_have_slopes_and_intervals():
    x, y, codes = made(np.random.default_rng(9))
    few = codes < 5
    found = mixed_slope(x[few], y[few], codes[few], np.ones((5, 1)), level=0.95)
    assert found.low < found.estimate < found.high
    within = slope_within(x[few], y[few], codes[few], level=0.95)
    assert within.note == ""
    assert within.low < within.estimate < within.high


def test_a_large_mean_of_the_measure_leaves_the_slope_within():
    x, y, codes = made(np.random.default_rng(10))
    far = slope_within(x + 1e6, y, codes, level=0.95)
    assert far[:4] == pytest.approx(slope_within(x, y, codes, level=0.95)[:4], rel=1e-6)


def test_one_degree_of_freedom_is_enough():
    x, y, codes = made(np.random.default_rng(9))
    few = codes < 7
    design = np.column_stack([np.ones(7), np.eye(7)[:, :4]])
    found = mixed_slope(x[few], y[few], codes[few], design, level=0.5)
    assert found.low < found.estimate < found.high
    none = np.column_stack([np.ones(7), np.eye(7)[:, :5]])
    found = mixed_slope(x[few], y[few], codes[few], none, level=0.5)
    assert found.note == "7 ensembles for 7 parameters"

import itertools
import math

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import statsmodels.api as sm

from generalization.statistics.correlations import kendall
from generalization.statistics.design import main_effects
from generalization.statistics.draws import (
    leave_one_out_counts,
    observed_counts,
    resampled_counts,
)
from generalization.statistics.intervals import (
    comparison,
    correlation_interval,
    cr2_slope,
    jackknife_error,
    jackknife_interval,
    mean_interval,
    order_bounds,
    perfect_order_bound,
    simultaneous_interval,
    stratified_error,
)
from generalization.statistics.partial import partial_rank_correlation
from generalization.statistics.stratified import stratified_spearman


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def test_jackknife_error_of_a_mean_is_the_textbook_one(generator):
    values = generator.normal(size=12)
    left_out = leave_one_out_counts(12) @ values / 11
    assert jackknife_error(left_out) == pytest.approx(values.std(ddof=1) / np.sqrt(12))
    found = jackknife_interval(values.mean(), left_out, level=0.9)
    expected = scipy.stats.t.interval(0.9, 11, values.mean(), scipy.stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected)
    assert jackknife_interval(values.mean(), left_out, level=0.9, bounds=(0.0, 0.1)).low >= 0


def spearman_interval(x, y, level=0.95):
    strata = np.zeros(len(y), int)
    estimate = stratified_spearman(observed_counts(len(y)), x, y, strata)[:, 0]
    left_out = stratified_spearman(leave_one_out_counts(len(y)), x, y, strata)
    return correlation_interval(estimate, left_out, level=level)


@pytest.mark.parametrize(("ensembles", "rho"), [(8, 0.9), (16, 0.5), (32, 0.0)])
def test_interval_of_a_correlation_covers(ensembles, rho, generator):
    """Coverage of the population's Spearman ρ, (6/π)·asin(r/2) for normal values."""
    truth = 6 / np.pi * np.arcsin(rho / 2)
    covered = 0
    for _ in range(400):
        y, noise = generator.normal(size=(2, ensembles))
        x = rho * y + np.sqrt(1 - rho**2) * noise
        found = spearman_interval(x[None], y)
        covered += found.low[0] <= truth <= found.high[0]
        assert -1 <= found.low[0] <= found.estimate[0] <= found.high[0] <= 1
    assert covered / 400 > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 400)


@pytest.mark.parametrize("ensembles", [5, 6, 10, 40])
def test_perfect_order_has_a_bound_below_itself(ensembles):
    x = np.arange(float(ensembles))
    found = spearman_interval(np.stack([x, -x]), x)
    assert found.high[0] == pytest.approx(1)
    assert found.low[1] == pytest.approx(-1)
    bound = perfect_order_bound(ensembles, 0.95)
    assert (found.low[0], -found.high[1]) == (bound, bound)
    assert 0 < bound < 1


@pytest.mark.parametrize(("ensembles", "level"), [(4, 0.95), (5, 0.95), (5, 0.99), (6, 0.99)])
def test_perfect_order_excludes_0_where_the_permutation_test_does(ensembles, level):
    p_value = 2 / math.factorial(ensembles)
    assert (perfect_order_bound(ensembles, level) > 0) == (p_value < 1 - level)


def test_two_are_in_one_order_as_often_as_sheppard_has_it():
    """With probability ½ + asin(r)/π, which is 0.2 and 0.8 at the bound of 0.6."""
    r = np.sin(np.pi * (0.2 - 0.5))
    assert perfect_order_bound(2, 0.6) == pytest.approx(6 / np.pi * np.arcsin(r / 2), abs=1e-3)


@pytest.mark.parametrize("ensembles", [5, 8, 16])
def test_perfect_order_is_as_rare_at_its_bound_as_its_level_says(ensembles, generator):
    r = 2 * np.sin(np.pi / 6 * perfect_order_bound(ensembles, 0.9))
    y, noise = generator.normal(size=(2, 20_000, ensembles))
    x = r * y + np.sqrt(1 - r**2) * noise
    perfect = (np.argsort(x, 1) == np.argsort(y, 1)).all(1).mean()
    error = np.sqrt(0.05 * 0.95 / 20_000)
    assert perfect < 0.05 + 3 * error
    if ensembles <= 12:
        assert perfect > 0.05 - 3 * error


def kendall_interval(x, y):
    estimate = kendall(observed_counts(len(y)), x, y)
    left_out = kendall(leave_one_out_counts(len(y)), x, y)
    return correlation_interval(estimate, left_out[None], level=0.95, coefficient="kendall")


@pytest.mark.parametrize(
    ("ensembles", "r"), [(5, 0), (5, 0.6), (6, 0.3), (6, 0.9), (6, 0.99), (8, 0.95), (8, 0.98)]
)
def test_interval_of_a_correlation_of_few_ensembles_covers(ensembles, r, generator):
    """Whether the order is perfect, which is common where r is large, or nearly so, or neither."""
    of_spearman, of_kendall = 6 / np.pi * np.arcsin(r / 2), 2 / np.pi * np.arcsin(r)
    covered = []
    for _ in range(400):
        y, noise = generator.normal(size=(2, ensembles))
        x = r * y + np.sqrt(1 - r**2) * noise
        one, other = spearman_interval(x[None], y), kendall_interval(x, y)
        covered.append((
            one.low[0] <= of_spearman <= one.high[0],
            other.low[0] <= of_kendall <= other.high[0],
        ))
    assert np.mean(covered, axis=0).min() > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 400)


@pytest.mark.parametrize("coefficient", ["spearman", "kendall"])
def test_order_bounds_exclude_0_where_the_permutation_test_does(coefficient):
    of = getattr(scipy.stats, {"spearman": "spearmanr", "kendall": "kendalltau"}[coefficient])
    orders = np.array(list(itertools.permutations(range(6))))
    values = np.array([of(order, np.arange(6)).statistic for order in orders])
    told = [one for one in np.unique(values.round(6)) if 0 < one < 1]
    assert len(told) > 5
    for one in told:
        p_value = (values > one - 1e-6).mean()
        if abs(p_value - 0.05) > 0.004:  # three standard errors of 20,000 draws
            low, high = order_bounds(one, (6,), 0.9, coefficient)
            assert (low > 0) == (p_value < 0.05)
            assert low < one < high < 1


def test_orders_are_as_rare_at_their_bounds_as_the_level_says(generator):
    bounds = order_bounds(0.9, (9,), 0.9)
    for bound, sign in zip(bounds, (1, -1), strict=True):
        r = 2 * np.sin(np.pi / 6 * bound)
        y, noise = generator.normal(size=(2, 9, 20_000))
        x = r * y + np.sqrt(1 - r**2) * noise
        ranks = scipy.stats.rankdata(x, axis=0), scipy.stats.rankdata(y, axis=0)
        found = 1 - 6 * np.square(ranks[0] - ranks[1]).sum(0) / (9**3 - 9)
        assert (sign * found > sign * 0.9 - 1e-9).mean() == pytest.approx(0.05, abs=0.007)


@pytest.mark.parametrize(
    ("number", "size", "r"),
    [
        (8, 2, 0.5),
        (8, 2, 0.99),
        (4, 4, 0.5),
        (6, 5, 0.99),
        (2, 24, 0.5),
        (2, 40, 0.99),
        (2, 80, 0.5),
    ],
)
def test_interval_within_strata_covers(number, size, r, generator):
    """Of eight strata of two, a plain jackknife covers .25 where r = .99, of four of 12 .98."""
    strata, ensembles = np.repeat(np.arange(number), size), number * size
    covered = []
    for _ in range(150):
        y, noise = generator.normal(size=(2, ensembles))
        x = (r * y + np.sqrt(1 - r**2) * noise)[None]
        found = correlation_interval(
            *stratified_spearman(observed_counts(ensembles), x, y, strata),
            stratified_spearman(leave_one_out_counts(ensembles), x, y, strata),
            level=0.9,
            degrees_of_freedom=ensembles - 1 - number,
            strata=strata,
        )
        covered.append(found.low[0] <= 6 / np.pi * np.arcsin(r / 2) <= found.high[0])
    assert np.mean(covered) > 0.9 - 3 * np.sqrt(0.9 * 0.1 / 150)
    # Nearly perfect orders, and strata of pairs, which have two, err on the wide side.
    assert np.mean(covered) < 0.9 + 3 * np.sqrt(0.9 * 0.1 / 150) or size == 2 or r > 0.9


def test_error_within_strata_is_that_of_their_correlations(generator):
    """Σ w·ρ has the error √(Σ w²·error²) of independent ρ, with weights n³ − n."""
    sizes = np.array([5, 9, 2])
    strata = np.repeat([0, 1, 2], sizes)
    x, y = generator.normal(size=(2, 1, 16))
    left_out = stratified_spearman(leave_one_out_counts(16), x, y[0], strata)
    weights = (sizes**3 - sizes) / (sizes**3 - sizes).sum()
    squares = [
        weights[stratum]
        * jackknife_error(
            stratified_spearman(
                leave_one_out_counts(sizes[stratum]),
                x[:, strata == stratum],
                y[0, strata == stratum],
                np.zeros(sizes[stratum], int),
            )
        )
        for stratum in (0, 1)
    ]
    assert stratified_error(left_out, strata) == pytest.approx(np.hypot(*squares))
    assert stratified_error(left_out[0], strata) == pytest.approx(np.hypot(*squares)[0])
    gone = np.where(np.arange(16) == 3, np.nan, left_out)
    kept = np.arange(16) != 3
    of_others = stratified_error(gone[:, kept], strata[kept])
    assert stratified_error(gone, strata) == pytest.approx(of_others)


def test_interval_of_a_jackknife_by_groups_is_nearly_that_of_ensembles(generator, monkeypatch):
    x, noise = generator.normal(size=(2, 600))
    strata, y = np.arange(600) % 2, x + noise
    bounds = []
    for groups in (600, 60):
        monkeypatch.setattr("generalization.statistics.draws.MOST_GROUPS", groups)
        counts = leave_one_out_counts(600)
        assert len(counts) == groups
        found = correlation_interval(
            *stratified_spearman(observed_counts(600), x[None], y, strata),
            stratified_spearman(counts, x[None], y, strata),
            level=0.95,
            degrees_of_freedom=597,
            strata=strata,
        )
        bounds.append([found.low[0], found.high[0]])
    assert bounds[0] == pytest.approx(bounds[1], abs=0.02)


def test_interval_given_a_design_covers(generator):
    """Leaving one out refits the design: without its rank, 32 ensembles cover .97 for .95."""
    design = main_effects(np.array(list(np.ndindex(2, 2, 2, 2, 2))))
    covered = []
    for _ in range(300):
        x, y = generator.normal(size=(2, 1, 32))
        y = (x + y) / np.sqrt(2)
        found = correlation_interval(
            *partial_rank_correlation(observed_counts(32), x, y[0], design),
            partial_rank_correlation(leave_one_out_counts(32), x, y[0], design),
            level=0.9,
            degrees_of_freedom=32 - 1 - 6,
        )
        covered.append(found.low[0] <= 6 / np.pi * np.arcsin(np.sqrt(0.5) / 2) <= found.high[0])
    assert abs(np.mean(covered) - 0.9) < 3 * np.sqrt(0.9 * 0.1 / 300)


def test_one_exchange_in_eight_is_told_from_chance():
    """Leaving out one of the two makes the order perfect, at which the jackknife error jumps."""
    order = np.array([0, 1, 2, 4, 3, 5, 6, 7.0])
    found = spearman_interval(np.stack([order, -order]), np.arange(8.0))
    assert found.low[0] == -found.high[1] > 0.7
    jackknifed = correlation_interval(
        *(
            stratified_spearman(counts, order[None], np.arange(8.0), np.zeros(8, int))
            for counts in (observed_counts(8), leave_one_out_counts(8))
        ),
        level=0.95,
        coefficient=None,
    )
    assert jackknifed.low[0, 0] < 0


def test_few_ensembles_have_no_interval(generator):
    x, y = generator.normal(size=(2, 4))
    found = spearman_interval(x[None], y)
    assert np.isnan(found.low).all()
    assert np.isfinite(found.estimate).all()
    with_degrees = correlation_interval(
        np.array([0.5]), np.full((1, 8), 0.4), level=0.95, degrees_of_freedom=0
    )
    assert np.isnan(with_degrees.low).all()


def test_mean_is_the_t_interval_of_ensemble_means(generator):
    ensembles = np.repeat(np.arange(6), [1, 2, 3, 4, 2, 2])
    values = generator.normal(size=(2, 14))
    values[1, 0] = np.nan
    found = mean_interval(values, ensembles, level=0.95)
    means = np.array([values[0, ensembles == e].mean() for e in range(6)])
    expected = scipy.stats.t.interval(0.95, 5, means.mean(), scipy.stats.sem(means))
    assert (found.low[0], found.high[0]) == pytest.approx(expected)
    means = np.array([values[1, ensembles == e].mean() for e in range(1, 6)])
    expected = scipy.stats.t.interval(0.95, 4, means.mean(), scipy.stats.sem(means))
    assert (found.low[1], found.high[1]) == pytest.approx(expected)
    few = mean_interval(values[0, :10], ensembles[:10], level=0.95)
    assert np.isfinite(few.estimate)
    assert np.isnan([few.low, few.high]).all()


def slow_cr2(x, y, ensembles):
    """Everything by matrices over all networks."""
    design = np.column_stack([np.ones_like(x), x])
    inverse = np.linalg.inv(design.T @ design)
    hat = np.eye(len(x)) - design @ inverse @ design.T
    e, columns, variance = hat @ y, [], 0
    for cluster in np.unique(ensembles):
        at = np.flatnonzero(ensembles == cluster)
        root = scipy.linalg.inv(scipy.linalg.sqrtm(hat[np.ix_(at, at)])).real
        u = root @ design[at] @ inverse[:, 1]
        variance += (u @ e[at]) ** 2
        columns.append(hat[:, at] @ u)
    values = np.linalg.eigvalsh(np.array(columns) @ np.array(columns).T)
    return np.sqrt(variance), values.sum() ** 2 / np.square(values).sum()


def test_slope_is_that_of_matrices_over_all_networks(generator):
    ensembles = np.repeat(np.arange(7), [1, 2, 3, 4, 3, 3, 2])
    x = generator.normal(size=7)[ensembles] + 0.3 * generator.normal(size=18) + 5
    y = 2 * x + generator.normal(size=7)[ensembles] + generator.normal(size=18)
    found, p, free = cr2_slope(x, y, ensembles, level=0.95)
    error, expected_free = slow_cr2(x, y, ensembles)
    assert found.estimate == pytest.approx(scipy.stats.linregress(x, y).slope)
    assert free == pytest.approx(expected_free)
    half = scipy.stats.t.ppf(0.975, free) * error
    assert found.high - found.estimate == pytest.approx(half)
    assert p == pytest.approx(2 * scipy.stats.t.sf(abs(found.estimate) / error, free))


def test_slope_of_clusters_of_one_has_the_hc2_error(generator):
    x, y = generator.normal(size=(2, 20))
    found, _, free = cr2_slope(x, y, np.arange(20), level=0.95)
    error = sm.OLS(y, sm.add_constant(x)).fit(cov_type="HC2").bse[1]
    assert found.high - found.estimate == pytest.approx(scipy.stats.t.ppf(0.975, free) * error)


def test_slope_does_not_exist_without_spread_or_ensembles(generator):
    y = generator.normal(size=8)
    assert np.isnan(cr2_slope(np.full(8, 0.1), y, np.arange(8), level=0.95)[0]).all()
    found, p, _ = cr2_slope(y[::-1].copy(), y, np.repeat(np.arange(4), 2), level=0.95)
    assert np.isfinite(found.estimate)
    assert np.isnan([found.low, found.high, p]).all()


@pytest.mark.parametrize("clusters", [8, 16])
def test_type_one_error_of_the_slope_is_nominal(clusters, generator):
    ensembles, rejected = np.repeat(np.arange(clusters), 4), 0
    for _ in range(400):
        x, y = generator.normal(size=(2, clusters))[:, ensembles]
        y = y + 0.3 * generator.normal(size=len(y))
        rejected += (
            cr2_slope(x + 0.1 * generator.normal(size=len(x)), y, ensembles, level=0.95)[1] < 0.05
        )
    assert rejected / 400 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


@pytest.fixture
def resampled(generator):
    gap = generator.normal(size=60)
    noise = generator.normal(size=(4, 60))
    measures = np.array([[1], [0.3], [0], [1]]) * gap + noise * [[0.3], [1], [1], [0.3]]
    strata = np.zeros(60, int)
    counts = resampled_counts(strata, resamples=400, generator=generator)
    estimates = stratified_spearman(observed_counts(60), measures, gap, strata)[:, 0]
    return estimates, stratified_spearman(counts, measures, gap, strata)


def test_paired_difference_is_computed_resample_by_resample(resampled):
    estimates, draws = resampled
    found = comparison(draws[:2], estimates[:2], draws[2:], estimates[2:], level=0.9)
    paired = np.abs(draws[:2]) - np.abs(draws[3])
    assert found.difference.estimate == pytest.approx(np.abs(estimates[:2]) - abs(estimates[3]))
    assert found.difference.low == pytest.approx(np.quantile(paired, 0.05, axis=1))
    assert found.difference.high == pytest.approx(np.quantile(paired, 0.95, axis=1))
    assert found.p_best == pytest.approx([1, 0])
    assert found.rank.estimate.tolist() == [1, 2]


def test_sign_of_a_correlation_does_not_make_a_measure_worse(resampled):
    estimates, draws = resampled
    flipped = np.array([[1], [-1], [1], [-1]])
    plain = comparison(draws, estimates, draws[:1], estimates[:1], level=0.9)
    turned = comparison(
        draws * flipped, estimates * flipped[:, 0], draws[:1], estimates[:1], level=0.9
    )
    for one, other in zip(plain, turned, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other))


def test_equal_measures_share_being_best(resampled):
    estimates, draws = resampled
    twice = [0, 0]
    found = comparison(draws[twice], estimates[twice], draws[2:3], estimates[2:3], level=0.9)
    assert found.p_best == pytest.approx([0.5, 0.5])
    assert found.rank.estimate.tolist() == [1.5, 1.5]


def test_undefined_measure_is_not_ranked(resampled):
    estimates, draws = resampled
    estimates, draws = np.append(estimates, np.nan), np.vstack([draws, np.full(400, np.nan)])
    found = comparison(draws, estimates, draws[-1:], estimates[-1:], level=0.9)
    assert np.isnan(found.difference).all()
    assert np.isnan([found.p_best[-1], found.rank.estimate[-1], found.rank.low[-1]]).all()
    assert found.p_best[:-1].sum() == pytest.approx(1)


def test_simultaneous_interval_covers_the_winner_of_equal_measures(generator):
    """The best of 15 measures with ρ = .5, as normal values of known error."""
    truth, error, covered, plain = np.arctanh(0.5), 0.15, 0, 0
    for _ in range(300):
        z = truth + error * generator.normal(size=15)
        draws = np.tanh(z[:, None] + error * generator.normal(size=(15, 400)))
        found = simultaneous_interval(draws, np.tanh(z), level=0.95)
        winner = np.argmax(z)
        covered += found.low[winner] <= 0.5 <= found.high[winner]
        plain += abs(z[winner] - truth) < 1.96 * error
    assert covered / 300 > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300)
    assert plain < covered


def test_simultaneous_interval_of_what_does_not_vary_is_empty():
    draws = np.stack([np.full(50, 0.5), np.linspace(0.1, 0.3, 50), np.full(50, np.nan)])
    found = simultaneous_interval(draws, np.array([0.5, 0.2, np.nan]), level=0.95)
    assert np.isnan(found.low).tolist() == [True, False, True]


def test_ensembles_without_a_value_do_not_count(generator):
    x, y = generator.normal(size=(2, 12))
    lacking = np.concatenate([x, np.full(3, np.nan)])[None]
    full = np.concatenate([y, generator.normal(size=3)])
    strata = np.zeros(15, int)
    left_out = stratified_spearman(leave_one_out_counts(15), lacking, full, strata)
    left_out[np.isnan(lacking)] = np.nan
    estimate = stratified_spearman(observed_counts(15), lacking, full, strata)[:, 0]
    found = correlation_interval(estimate, left_out, level=0.95)
    assert np.array(found) == pytest.approx(np.array(spearman_interval(x[None], y)))


@pytest.mark.parametrize("ensembles", [5, 8])
def test_interval_of_a_mean_over_few_ensembles_covers(ensembles, generator):
    codes = np.repeat(np.arange(ensembles), 3)
    means = generator.normal(size=(2000, ensembles))
    values = means[:, codes] + generator.normal(size=(2000, 3 * ensembles))
    found = mean_interval(values, codes, level=0.95)
    covered = ((found.low <= 0) & (found.high >= 0)).mean()
    assert covered == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 2000))


def test_simultaneous_interval_is_that_of_the_largest_deviation(generator):
    z, error = np.array([0.2, 0.5, -1.0]), np.array([[0.1], [0.2], [0.4]])
    drawn = z[:, None] + error * generator.normal(size=(3, 60))
    found = simultaneous_interval(np.tanh(drawn), np.tanh(z), level=0.9)
    spread = [np.std(row, ddof=1) for row in drawn]
    largest = [max(abs(drawn[m, r] - z[m]) / spread[m] for m in range(3)) for r in range(60)]
    half = np.quantile(largest, 0.9) * np.array(spread)
    assert found.low == pytest.approx(np.tanh(z - half))
    assert found.high == pytest.approx(np.tanh(z + half))


def test_resamples_in_perfect_order_leave_simultaneous_intervals():
    draws = np.array([[1.0, 0.9, 0.8, 1.0, 0.95], [0.1, 0.2, 0.3, 0.2, 0.1]])
    found = simultaneous_interval(draws, np.array([1.0, 0.2]), level=0.9)
    assert (found.low < found.estimate).all()
    assert (found.high <= 1).all()

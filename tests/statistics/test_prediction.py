import numpy as np
import pytest
import scipy.stats

from generalization.statistics import draws
from generalization.statistics.design import main_effects
from generalization.statistics.draws import observed_counts, resampled_counts
from generalization.statistics.prediction import (
    added_r_squared,
    added_r_squared_by_level,
    added_r_squared_null,
    largest,
    regret_null,
    selection,
    with_baselines,
)
from generalization.statistics.stratified import stratified_spearman

LEVELS = np.array(list(np.ndindex(2, 3, 5)))
DESIGN = main_effects(LEVELS)
ONCE = observed_counts(30)


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.fixture
def study(generator):
    gap = generator.normal(size=30) + LEVELS[:, 1]
    measures = np.round(generator.normal(size=(3, 30)) + [[0], [1], [-3]] * gap, 1)
    return measures, gap


def cross_validated(y, regressors, folds):
    """R² of predictions for every fold from the others."""
    error = alone = 0.0
    for fold in np.unique(folds):
        out = folds == fold
        beta = np.linalg.lstsq(regressors[~out], y[~out], rcond=None)[0]
        error += np.square(y[out] - regressors[out] @ beta).sum()
        alone += np.square(y[out] - y[~out].mean()).sum()
    return 1 - error / alone


def test_agrees_with_refits_in_every_resample(study, generator):
    measures, gap = study
    counts = np.vstack([
        ONCE,
        resampled_counts(LEVELS[:, 1], resamples=30, generator=generator),
    ])
    found = added_r_squared(counts, measures, gap, DESIGN)
    agreed = 0
    for r, held in enumerate(counts.astype(int)):
        z, y, folds = (np.repeat(v, held, axis=0) for v in (DESIGN, gap, np.arange(30)))
        # Where an ensemble alone determines a coefficient, refits have no unique prediction.
        if min(np.linalg.matrix_rank(z[folds != fold]) for fold in folds) < DESIGN.shape[1]:
            continue
        agreed += 1
        for m, x in enumerate(measures):
            more = np.column_stack([z, scipy.stats.rankdata(np.repeat(x, held))])
            expected = cross_validated(y, more, folds) - cross_validated(y, z, folds)
            assert found[m, r] == pytest.approx(expected)
    assert agreed > 10


def test_agrees_with_refits_level_by_level(study, generator):
    measures, gap = study
    baselines = generator.normal(size=(1, 30))
    found = added_r_squared_by_level(measures, gap, LEVELS, baselines)
    for factor in range(3):
        z = main_effects(np.delete(LEVELS, factor, axis=1))
        z = np.column_stack([z, scipy.stats.rankdata(baselines[0])])
        for m, x in enumerate(measures):
            more = np.column_stack([z, scipy.stats.rankdata(x)])
            expected = cross_validated(gap, more, LEVELS[:, factor]) - cross_validated(
                gap, z, LEVELS[:, factor]
            )
            assert found[m, factor] == pytest.approx(expected)


def test_perfect_measure_adds_what_the_design_leaves():
    gap = np.arange(30.0)[np.argsort(np.random.default_rng(1).random(30))]
    base = cross_validated(gap, DESIGN, np.arange(30))
    found = added_r_squared(ONCE, np.stack([gap, -np.exp(gap)]), gap, DESIGN)[:, 0]
    assert found == pytest.approx([1 - base, 1 - base])


def test_random_measure_adds_less_than_nothing_on_average(generator):
    gap = generator.normal(size=30)
    found = added_r_squared(ONCE, generator.normal(size=(300, 30)), gap, DESIGN)
    assert found.mean() < 0


def test_function_of_one_factor_adds_nothing_to_the_design(study):
    _, gap = study
    measure = np.array([3.0, 1.0, 2.0])[LEVELS[:, 1]][None]
    assert added_r_squared(ONCE, measure, gap, DESIGN) == pytest.approx(0)
    copied = with_baselines(DESIGN, study[0][:1])
    assert added_r_squared(ONCE, study[0][:1], gap, copied) == pytest.approx(0)


def test_missing_value_and_blocks(study, monkeypatch, generator):
    measures, gap = study
    measures[1, 4], measures[2, 5] = np.nan, np.inf
    counts = resampled_counts(LEVELS[:, 1], resamples=5, generator=generator)
    whole = added_r_squared(counts, measures, gap, DESIGN)
    monkeypatch.setattr(draws, "BLOCK_NUMBERS", 100)
    assert added_r_squared(counts, measures, gap, DESIGN) == pytest.approx(whole)
    rest = np.arange(30) != 4
    alone = added_r_squared(ONCE[:, rest], measures[1:2, rest], gap[rest], DESIGN[rest])
    assert added_r_squared(ONCE, measures, gap, DESIGN)[1] == pytest.approx(alone[0])
    by_level = added_r_squared_by_level(measures, gap, LEVELS)
    alone = added_r_squared_by_level(measures[1:2, rest], gap[rest], LEVELS[rest])
    assert by_level[1] == pytest.approx(alone[0])
    assert np.isfinite(by_level).all()


def test_constant_gap_cannot_be_predicted(study):
    measures, _ = study
    gap = np.full(30, 0.1)
    assert np.isnan(added_r_squared_by_level(measures, gap, LEVELS)).all()
    assert np.isnan(added_r_squared(ONCE, measures, gap, DESIGN)).all()
    one_level = np.zeros((30, 1), int)
    assert np.isnan(added_r_squared_by_level(measures, np.arange(30.0), one_level)).all()


def test_perfect_reversed_and_constant_measures_select(generator):
    gap = generator.random(40)
    measures = np.stack([np.exp(gap), -gap, np.full(40, 0.1)])
    found = selection(measures, gap)
    worst = (gap.max() - gap.min()) / (gap.mean() - gap.min())
    assert found.regret[:, 0] == pytest.approx([0, worst, 1])
    assert found.hit_rate[:, 0] == pytest.approx([1, 0, 0.2])


def test_ties_are_broken_at_random_in_expectation(generator):
    """Mean over all that an infinitesimal noise would do."""
    gap = generator.random(20)
    measure = generator.integers(0, 3, 20).astype(float)
    noisy = measure + 1e-6 * generator.random((4000, 20))
    found, expected = selection(measure[None], gap), selection(noisy, gap)
    assert found.regret[0, 0] == pytest.approx(expected.regret.mean(), abs=0.03)
    assert found.hit_rate[0, 0] == pytest.approx(expected.hit_rate.mean(), abs=0.02)


def test_environments_are_judged_by_themselves():
    gap = np.array([0.0, 1, 2, 5, 6, 7, 3])
    measure = np.array([0.0, 1, 2, 2, 1, 0, 9])
    found = selection(measure[None], gap, np.array([4, 4, 4, 7, 7, 7, 9]))
    assert found.regret[0] == pytest.approx([0, 2, np.nan], nan_ok=True)
    assert found.hit_rate[0] == pytest.approx([1, 0, np.nan], nan_ok=True)
    lacking = measure.copy()
    lacking[5] = np.nan
    again = selection(lacking[None], gap, np.array([4, 4, 4, 7, 7, 7, 9]))
    assert again.regret[0] == pytest.approx([0, 2, np.nan], nan_ok=True)


def test_null_of_added_r_squared_is_that_of_permuted_residuals(study, generator):
    measures, gap = study
    measures[1, 4] = np.nan
    orders = draws.permuted_orders(np.zeros(30, int), permutations=5, generator=generator)
    found = added_r_squared_null(measures, gap, DESIGN, orders)
    for row, values in enumerate(measures):
        there = ~np.isnan(values)
        some = draws.orders_among(orders, there, np.zeros(30, int))
        z, y = DESIGN[there], gap[there]
        fitted = z @ np.linalg.lstsq(z, y, rcond=None)[0]
        for place, order in enumerate(some):
            again = fitted + (y - fitted)[order]
            expected = added_r_squared(ONCE[:, there], values[None, there], again, z)
            assert found[row, place] == pytest.approx(expected.item())
    assert np.isnan(added_r_squared_null(measures, np.full(30, 0.1), DESIGN, orders)).all()


def test_function_of_the_design_adds_nothing_under_any_permutation(generator):
    orders = draws.permuted_orders(np.zeros(30, int), permutations=5, generator=generator)
    measure = LEVELS[None, :, 0].astype(float)
    found = added_r_squared_null(measure, generator.normal(size=30), DESIGN, orders)
    assert found == pytest.approx(0)


def test_null_of_regret_is_that_of_permuted_gaps_turned_anew(study, generator):
    measures, gap = study
    measures = measures.round(1)
    measures[1, 4] = np.nan
    strata = LEVELS[:, 1]
    orders = draws.permuted_orders(strata, permutations=6, generator=generator)
    found = regret_null(measures, gap, strata, orders)
    for row, values in enumerate(measures):
        there = ~np.isnan(values)
        codes = strata[there]
        for place, order in enumerate(draws.orders_among(orders, there, strata)):
            again, mu = gap[there][order], values[None, there]
            rho = stratified_spearman(ONCE[:, there], mu, again, codes).item()
            turned = -mu if rho < 0 else mu
            whole, within = selection(turned, again), selection(turned, again, codes)
            assert found.whole[row, place] == pytest.approx(whole.regret.item())
            assert found.worst[row, place] == pytest.approx(within.regret.max())


def test_largest_regret_passes_over_environments_without_any():
    regret = np.array([[0.1, np.nan, 0.3], [np.nan] * 3])
    assert largest(regret) == pytest.approx([0.3, np.nan], nan_ok=True)


@pytest.mark.parametrize(("rho", "least"), [(0.5, 0.85), (0.99, 0.2)])
def test_percentiles_of_resampled_regret_do_not_cover(rho, least, generator):
    """Why the league tells no interval of a regret: near a perfect measure, few resamples err."""
    y, noise = generator.normal(size=(2, 4000, 16))
    x = rho * y + np.sqrt(1 - rho**2) * noise
    expected = selection_of_rows(x, y).mean()
    held = []
    for mu, gap in zip(x[:300], y[:300], strict=True):
        some = generator.integers(16, size=(300, 16))
        low, high = np.quantile(selection_of_rows(mu[some], gap[some]), [0.025, 0.975])
        held.append(low <= expected <= high)
    assert least < np.mean(held) < (0.99 if rho < 0.9 else 0.75)


def selection_of_rows(measures, gaps):
    """Regret of the lowest value in every row."""
    chosen = np.take_along_axis(gaps, measures.argmin(1)[:, None], 1)[:, 0]
    return (chosen - gaps.min(1)) / (gaps.mean(1) - gaps.min(1))

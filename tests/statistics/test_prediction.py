import numpy as np
import pytest
import scipy.stats

from generalization.statistics import draws
from generalization.statistics.design import main_effects
from generalization.statistics.draws import observed_counts, resampled_counts
from generalization.statistics.intervals import jackknife_interval
from generalization.statistics.multiplicity import permutation_p_values
from generalization.statistics.prediction import (
    added_r_squared,
    added_r_squared_by_level,
    added_r_squared_by_level_null,
    added_r_squared_null,
    largest,
    resampled_hit_rates,
    selection,
    selection_null,
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


def added_by_refits(y, x, levels, factor):
    """Added R² of predictions of every level from the others, by least squares."""
    z = main_effects(np.delete(levels, factor, axis=1))
    more = np.column_stack([z, scipy.stats.rankdata(x)])
    folds = levels[:, factor]
    return cross_validated(y, more, folds) - cross_validated(y, z, folds)


def test_agrees_with_refits_level_by_level_in_every_resample(study, generator):
    measures, gap = study
    counts = np.vstack([
        ONCE,
        draws.leave_one_out_counts(30)[:3],
        resampled_counts(LEVELS[:, 1], resamples=10, generator=generator),
    ])
    found = added_r_squared_by_level(counts, measures, gap, LEVELS)
    agreed = 0
    for r, held in enumerate(counts.astype(int)):
        y, levels = (np.repeat(v, held, axis=0) for v in (gap, LEVELS))
        for factor in range(3):
            others = main_effects(np.delete(levels, factor, axis=1))
            ranks = np.linalg.matrix_rank(others)
            for m, x in enumerate(measures):
                more = np.column_stack([others, scipy.stats.rankdata(np.repeat(x, held))])
                # Where others say all of a fold, predictions of the measure are not unique; and
                # those of a level that is seen in one fold only are not made.
                least = [
                    np.linalg.matrix_rank(more[levels[:, factor] != code])
                    for code in np.unique(levels[:, factor])
                ]
                if min(least) == ranks + 1:
                    agreed += 1
                    expected = added_by_refits(y, np.repeat(x, held), levels, factor)
                    assert found[factor, m, r] == pytest.approx(expected)
    assert agreed > 90


def test_level_that_nothing_predicts_is_left_out_of_both(generator):
    """At one level of the first factor, the second has a level that it has nowhere else."""
    levels = np.vstack([LEVELS[:, :2], [[1, 3]]])
    gap, measure = generator.normal(size=(2, 31))
    found = added_r_squared_by_level(observed_counts(31), measure[None], gap, levels)[0].item()
    z = main_effects(levels[:, 1:])
    more = np.column_stack([z, scipy.stats.rankdata(measure)])
    sums = np.zeros(3)
    for code in (0, 1):
        out = levels[:, 0] == code
        for place in np.flatnonzero(out & (levels[:, 1] < 3)):
            for column, x in enumerate((z, more)):
                beta = np.linalg.lstsq(x[~out], gap[~out], rcond=None)[0]
                sums[column] += (gap[place] - x[place] @ beta) ** 2
            sums[2] += (gap[place] - gap[~out].mean()) ** 2
    assert found == pytest.approx((sums[0] - sums[1]) / sums[2])


def test_measure_that_knows_a_new_level_adds_what_others_lack(generator):
    """The gap grows with the second factor, and so does the measure, on the same scale."""
    gap = LEVELS[:, 2] + 0.01 * generator.normal(size=30)
    found = added_r_squared_by_level(ONCE, np.stack([gap, -gap]), gap, LEVELS)[2, :, 0]
    assert found == pytest.approx([1, 1], abs=0.3)
    assert found[0] == pytest.approx(found[1])
    # Of a factor that does nothing, the others say it all.
    assert np.abs(added_r_squared_by_level(ONCE, gap[None], gap, LEVELS)[0]).max() < 0.01


def test_null_of_levels_is_that_of_permuted_residuals(study, generator):
    measures, gap = study
    measures[1, 4] = np.nan
    orders = draws.permuted_orders(np.zeros(30, int), permutations=5, generator=generator)
    found = list(added_r_squared_by_level_null(measures, gap, LEVELS, orders))
    for row, values in enumerate(measures):
        there = ~np.isnan(values)
        some = draws.orders_among(orders, there, np.zeros(30, int))
        for place, again in enumerate(permuted_gaps(gap[there], DESIGN[there], some)):
            given = ONCE[:, there], values[None, there], again, LEVELS[there]
            expected = added_r_squared_by_level(*given)[:, 0, 0]
            assert [null[row, place] for null in found] == pytest.approx(expected)
    constant = added_r_squared_by_level_null(measures, np.full(30, 0.1), LEVELS, orders)
    assert all(np.isnan(null).all() for null in constant)


def test_blocks_of_permutations_change_nothing(study, generator, monkeypatch):
    orders = draws.permuted_orders(np.zeros(30, int), permutations=9, generator=generator)
    whole = list(added_r_squared_by_level_null(*study, LEVELS, orders))
    monkeypatch.setattr(draws, "BLOCK_NUMBERS", 100)
    for one, again in zip(
        whole, added_r_squared_by_level_null(*study, LEVELS, orders), strict=True
    ):
        np.testing.assert_allclose(one, again)


@pytest.mark.parametrize("kind", ["random", "main effects"])
@pytest.mark.parametrize("shape", [(4, 4), (2, 2, 2, 2, 2)])
def test_measures_that_know_no_more_than_hyperparameters_are_shown_no_more_often(
    shape, kind, generator
):
    """At most .05 of 400 studies, but for chance, of both predictions."""
    levels = np.array(list(np.ndindex(*shape)))
    size, once = len(levels), observed_counts(len(levels))

    def effects():
        return sum(generator.normal(size=n)[levels[:, f]] for f, n in enumerate(shape))

    design, shown, pooled = main_effects(levels), 0, np.zeros(size, int)
    for _ in range(400):
        gap = effects() + 0.7 * generator.normal(size=size)
        measure = (effects() if kind == "main effects" else generator.normal(size=size))[None]
        orders = draws.permuted_orders(pooled, permutations=39, generator=generator)
        estimates = [
            added_r_squared_by_level(once, measure, gap, levels)[0, :, 0],
            added_r_squared(once, measure, gap, design)[:, 0],
        ]
        nulls = [
            next(added_r_squared_by_level_null(measure, gap, levels, orders)),
            added_r_squared_null(measure, gap, design, orders),
        ]
        p_values = [
            permutation_p_values(np.maximum(estimate, 0), np.maximum(null, 0))
            for estimate, null in zip(estimates, nulls, strict=True)
        ]
        shown += np.concatenate(p_values) <= 0.05
    assert (shown / 400 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)).all()


@pytest.mark.parametrize("shape", [(2, 2, 3), (2, 2, 2, 2, 2)])
def test_jackknife_of_a_prediction_of_levels_covers(shape, generator):
    """The same effects and measure in every study, other networks: .99 or more, nominally .95."""
    levels = np.array(list(np.ndindex(*shape)))
    size = len(levels)
    mean = sum(generator.normal(size=n)[levels[:, f]] for f, n in enumerate(shape))

    def drawn():
        gap = mean + 0.7 * generator.normal(size=size)
        return (gap + 0.5 * generator.normal(size=size))[None], gap, levels

    once, rest = observed_counts(size), draws.leave_one_out_counts(size)
    truth = np.mean([added_r_squared_by_level(once, *drawn()) for _ in range(1500)], axis=0)[
        :, 0, 0
    ]
    held = np.zeros(len(shape))
    for _ in range(200):
        study = drawn()
        found = added_r_squared_by_level(once, *study)[:, 0, 0]
        left_out = added_r_squared_by_level(rest, *study)[:, 0]
        interval = jackknife_interval(found, left_out, level=0.95)
        held += (interval.low <= truth) & (truth <= interval.high)
    print(f"of {size} ensembles, a nominal .95 covers {(held / 200).round(3)}")
    assert (held / 200 > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)).all()


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
    by_level = added_r_squared_by_level(ONCE, measures, gap, LEVELS)
    alone = added_r_squared_by_level(ONCE[:, rest], measures[1:2, rest], gap[rest], LEVELS[rest])
    assert by_level[:, 1, 0] == pytest.approx(alone[:, 0, 0])
    assert np.isfinite(by_level).all()


def test_constant_gap_cannot_be_predicted(study):
    measures, _ = study
    gap = np.full(30, 0.1)
    assert np.isnan(added_r_squared_by_level(ONCE, measures, gap, LEVELS)).all()
    assert np.isnan(added_r_squared(ONCE, measures, gap, DESIGN)).all()
    one_level = np.zeros((30, 1), int)
    assert np.isnan(added_r_squared_by_level(ONCE, measures, np.arange(30.0), one_level)).all()
    orders = np.arange(30)[None]
    (null,) = added_r_squared_by_level_null(measures, np.arange(30.0), one_level, orders)
    assert np.isnan(null).all()


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


def permuted_gaps(y, z, orders):
    """Gaps with the fit of a design and permuted residuals, as large as errors on average."""
    fitted = z @ np.linalg.lstsq(z, y, rcond=None)[0]
    scale = np.sqrt(len(y) / (len(y) - np.linalg.matrix_rank(z)))
    return [fitted + scale * (y - fitted)[order] for order in orders]


def test_null_of_added_r_squared_is_that_of_permuted_residuals(study, generator):
    measures, gap = study
    measures[1, 4] = np.nan
    orders = draws.permuted_orders(np.zeros(30, int), permutations=5, generator=generator)
    found = added_r_squared_null(measures, gap, DESIGN, orders)
    for row, values in enumerate(measures):
        there = ~np.isnan(values)
        some = draws.orders_among(orders, there, np.zeros(30, int))
        z = DESIGN[there]
        for place, again in enumerate(permuted_gaps(gap[there], z, some)):
            expected = added_r_squared(ONCE[:, there], values[None, there], again, z)
            assert found[row, place] == pytest.approx(expected.item())
    assert np.isnan(added_r_squared_null(measures, np.full(30, 0.1), DESIGN, orders)).all()


def test_function_of_the_design_adds_nothing_under_any_permutation(generator):
    orders = draws.permuted_orders(np.zeros(30, int), permutations=5, generator=generator)
    measure = LEVELS[None, :, 0].astype(float)
    found = added_r_squared_null(measure, generator.normal(size=30), DESIGN, orders)
    assert found == pytest.approx(0)


def test_null_of_a_choice_is_that_of_permuted_gaps_turned_anew(study, generator):
    measures, gap = study
    measures = measures.round(1)
    measures[1, 4] = np.nan
    strata = LEVELS[:, 1]
    orders = draws.permuted_orders(strata, permutations=6, generator=generator)
    found = selection_null(measures, gap, strata, orders)
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
            assert found.hit_rate[row, place] == pytest.approx(whole.hit_rate.item())


def test_null_of_a_constant_gap_or_of_one_ensemble_has_no_choice(study):
    measures, _ = study
    orders = np.arange(30)[None]
    found = selection_null(measures, np.full(30, 0.1), LEVELS[:, 1], orders)
    assert np.isnan(found).all()
    alone = np.full((1, 30), np.nan)
    alone[0, 3] = 1.0
    assert np.isnan(selection_null(alone, study[1], LEVELS[:, 1], orders)).all()


def test_hit_rates_of_measures_that_say_nothing_pass_no_test(generator):
    """At most .05 of 300 studies; a measure that knows the gap passes."""
    strata, shown = np.repeat([0, 1], 20), np.zeros(2)
    for _ in range(300):
        gap = generator.normal(size=40) + strata
        measures = np.stack([generator.normal(size=40), gap + 0.3 * generator.normal(size=40)])
        signs = np.sign(stratified_spearman(observed_counts(40), measures, gap, strata))
        found = selection(signs * measures, gap).hit_rate[:, 0]
        orders = draws.permuted_orders(strata, permutations=59, generator=generator)
        null = selection_null(measures, gap, strata, orders).hit_rate
        shown += permutation_p_values(found, null) <= 0.05
    assert shown[0] / 300 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    assert shown[1] / 300 > 0.9


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


def test_resampled_hit_rates_are_those_of_the_copies(study, generator):
    measures, gap = study
    measures = measures.round()
    measures[1, 4] = np.nan
    counts = np.vstack([
        ONCE,
        resampled_counts(LEVELS[:, 1], resamples=12, generator=generator),
    ])
    falls = generator.random((3, 13)) < 0.5
    found = resampled_hit_rates(counts, measures, gap, falls)
    turned = np.where(falls, -1, 1)
    for r, held in enumerate(counts.astype(int)):
        for m, x in enumerate(measures):
            copies = np.repeat(turned[m, r] * x, held)
            expected = selection(copies[None], np.repeat(gap, held)).hit_rate.item()
            assert found[m, r] == pytest.approx(expected)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, 0.99])
def test_percentiles_of_resampled_hit_rates_cover(rho, generator):
    """Of 24 ensembles, a measure that is turned by its own sign: .95 or more of a nominal .95."""
    strata, held = np.zeros(24, int), []

    def drawn(studies):
        y, noise = generator.normal(size=(2, studies, 24))
        return zip(rho * y + np.sqrt(1 - rho**2) * noise, y, strict=True)

    def hit_rates(counts, x, y):
        falls = stratified_spearman(counts, x[None], y, strata) < 0
        return resampled_hit_rates(counts, x[None], y, falls)[0]

    once = observed_counts(24)
    expected = np.mean([hit_rates(once, *one) for one in drawn(3000)])
    for one in drawn(300):
        counts = resampled_counts(strata, resamples=200, generator=generator)
        low, high = np.quantile(hit_rates(counts, *one), [0.025, 0.975])
        held.append(low <= expected <= high)
    print(f"a hit rate of {expected:.2f} is covered by {np.mean(held):.3f}")
    assert np.mean(held) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300)


def selection_of_rows(measures, gaps):
    """Regret of the lowest value in every row."""
    chosen = np.take_along_axis(gaps, measures.argmin(1)[:, None], 1)[:, 0]
    return (chosen - gaps.min(1)) / (gaps.mean(1) - gaps.min(1))

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm

from generalization.statistics import draws
from generalization.statistics.design import main_effects
from generalization.statistics.draws import observed_counts, permuted_orders, resampled_counts
from generalization.statistics.partial import (
    partial_rank_correlation,
    partial_rank_correlation_null,
    reasons,
)


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.fixture
def study(generator):
    """Three measures with ties, a gap, a design of two factors and two covariates."""
    levels = np.stack(np.meshgrid(range(3), range(4), range(3)), axis=-1).reshape(-1, 3)[:, :2]
    gap = generator.normal(size=36) + levels[:, 0] + np.sin(levels[:, 1])
    measures = np.round(generator.normal(size=(3, 36)) + [[0], [1], [-1]] * gap, 1)
    return measures, gap, main_effects(levels), generator.normal(size=(2, 36)) + 0.3 * gap


def by_regressions(x, y, regressors):
    """Correlation of the residuals of two regressions of ranks."""
    left = [sm.OLS(scipy.stats.rankdata(v), regressors).fit().resid for v in (x, y)]
    return np.corrcoef(*left)[0, 1]


@pytest.mark.parametrize("given", [0, 1, 2])
def test_agrees_with_two_regressions_in_every_resample(study, generator, given):
    measures, gap, design, covariates = study
    covariates = covariates[:given]
    counts = resampled_counts(np.zeros(36, int), resamples=10, generator=generator)
    found = partial_rank_correlation(counts, measures, gap, design, covariates)
    for row, x in zip(found, measures, strict=True):
        for r, held in zip(row, counts.astype(int), strict=True):
            ranked = [scipy.stats.rankdata(np.repeat(c, held)) for c in covariates]
            regressors = np.column_stack([np.repeat(design, held, axis=0), *ranked])
            expected = by_regressions(np.repeat(x, held), np.repeat(gap, held), regressors)
            assert r == pytest.approx(expected, abs=1e-9)


def test_given_nothing_is_spearmans(study):
    measures, gap, *_ = study
    found = partial_rank_correlation(observed_counts(36), measures, gap, np.ones((36, 1)))
    expected = [scipy.stats.spearmanr(x, gap).statistic for x in measures]
    assert found[:, 0] == pytest.approx(expected, abs=1e-12)


def test_given_one_number_is_the_textbook_formula(study):
    measures, gap, _, covariates = study
    z = covariates[:1]
    found = partial_rank_correlation(observed_counts(36), measures, gap, np.ones((36, 1)), z)
    for r, x in zip(found[:, 0], measures, strict=True):
        rho = scipy.stats.spearmanr(np.stack([x, gap, z[0]]), axis=1).statistic
        xy, xz, yz = rho[0, 1], rho[0, 2], rho[1, 2]
        assert r == pytest.approx((xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2)))


@pytest.mark.parametrize("given", [0, 2])
def test_null_is_freedman_and_lanes(study, generator, given):
    measures, gap, design, covariates = study
    covariates = covariates[:given]
    orders = permuted_orders(np.zeros(36, int), permutations=8, generator=generator)
    found = partial_rank_correlation_null(measures, gap, design, orders, covariates)
    regressors = np.column_stack([design, *(scipy.stats.rankdata(c) for c in covariates)])
    fit = sm.OLS(scipy.stats.rankdata(gap), regressors).fit()
    for row, x in zip(found, measures, strict=True):
        left = sm.OLS(scipy.stats.rankdata(x), regressors).fit().resid
        for r, order in zip(row, orders, strict=True):
            again = sm.OLS(fit.fittedvalues + fit.resid[order], regressors).fit().resid
            assert r == pytest.approx(np.corrcoef(left, again)[0, 1], abs=1e-12)


def test_blocks_change_nothing(study, generator, monkeypatch):
    measures, gap, design, covariates = study
    measures[0, 5] = np.nan
    counts = resampled_counts(np.zeros(36, int), resamples=7, generator=generator)
    orders = permuted_orders(np.zeros(36, int), permutations=7, generator=generator)
    whole = partial_rank_correlation(counts, measures, gap, design, covariates)
    null = partial_rank_correlation_null(measures, gap, design, orders)
    monkeypatch.setattr(draws, "BLOCK_NUMBERS", 100)
    cut = partial_rank_correlation(counts, measures, gap, design, covariates)
    assert cut == pytest.approx(whole, abs=1e-12)
    cut = partial_rank_correlation_null(measures, gap, design, orders)
    assert cut == pytest.approx(null, abs=1e-12)


def test_missing_value_costs_one_ensemble(study):
    measures, gap, design, _ = study
    measures[1, 7] = np.nan
    found = partial_rank_correlation(observed_counts(36), measures, gap, design)[:, 0]
    rest = np.arange(36) != 7
    assert found[1] == pytest.approx(by_regressions(measures[1, rest], gap[rest], design[rest]))
    assert found[0] == pytest.approx(by_regressions(measures[0], gap, design))


def test_what_has_no_correlation_says_why(study, generator):
    measures, gap, design, covariates = study
    function = 3 * design[:, 1] - 2 * design[:, 4]
    # A sum of effects has ranks that need not be one: a function of one factor has.
    one_factor = design[:, 1] + 2 * design[:, 2]
    rows = np.stack([measures[0], one_factor, np.full(36, 0.1), np.full(36, np.nan), function])
    found = partial_rank_correlation(observed_counts(36), rows, gap, design)[:, 0]
    orders = permuted_orders(np.zeros(36, int), permutations=3, generator=generator)
    null = partial_rank_correlation_null(rows, gap, design, orders)
    assert np.isnan(found).tolist() == np.isnan(null).all(1).tolist()
    assert np.isnan(found).tolist() == [False, True, True, True, False]
    assert reasons(rows, gap, design) == [
        "",
        "is a function of the hyper-parameters alone",
        "the measure is the same for all ensembles",
        "the measure has no value",
        "",
    ]
    assert reasons(covariates[:1], gap, design, covariates) == [
        "is a function of the hyper-parameters and the covariates alone"
    ]
    assert reasons(measures[:1], one_factor, design) == [
        "the gap is a function of the hyper-parameters alone"
    ]


def test_one_degree_of_freedom_or_none_leaves_no_correlation(study, generator):
    """With one, every correlation would be 1 or −1."""
    measures, gap, *_ = study
    orders = permuted_orders(np.zeros(36, int), permutations=3, generator=generator)
    one = np.ones((36, 1))
    for columns, held in ((35, "36"), (34, "35")):
        full = np.hstack([one, np.eye(36)[:, :columns]])
        told = f"36 ensembles for {held} parameters of the design"
        assert reasons(measures[:1], gap, full) == [told]
        assert np.isnan(partial_rank_correlation(observed_counts(36), measures, gap, full)).all()
        assert np.isnan(partial_rank_correlation_null(measures, gap, full, orders)).all()
    enough = np.hstack([one, np.eye(36)[:, :33]])
    assert reasons(measures[:1], gap, enough) == [""]
    assert np.isfinite(partial_rank_correlation(observed_counts(36), measures, gap, enough)).all()

import numpy as np
import pytest
import scipy.stats
import statsmodels.formula.api as smf
from pandas import DataFrame

from generalization.statistics.ceiling import (
    accuracy_variance,
    noise_ceilings,
    reliability,
    share_of_test_set,
)
from generalization.statistics.design import main_effects


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def test_is_one_less_the_inverse_of_the_f_ratio(generator):
    values = generator.normal(size=(20, 4)) + generator.normal(size=(20, 1))
    f = scipy.stats.f_oneway(*values).statistic
    found = reliability(values)
    assert found.reliability == pytest.approx(1 - 1 / f)
    assert found.within == pytest.approx(values.var(axis=1, ddof=1).mean())
    assert found.between == pytest.approx(values.mean(1).var(ddof=1) - found.within / 4)
    ratio = found.between / (found.between + found.within / 4)
    assert found.reliability == pytest.approx(ratio)


def test_is_that_of_a_mixed_model_where_seeds_are_balanced(generator):
    values = generator.normal(size=(30, 3)) + 2 * generator.normal(size=(30, 1))
    data = DataFrame({"value": values.ravel(), "ensemble": np.repeat(np.arange(30), 3)})
    fit = smf.mixedlm("value ~ 1", data, groups="ensemble").fit(reml=True)
    found = reliability(values)
    assert found.between == pytest.approx(fit.cov_re.iloc[0, 0], rel=1e-3)
    assert found.within == pytest.approx(fit.scale, rel=1e-3)


def test_rows_are_independent_and_missing_networks_are_left_out(generator):
    values = generator.normal(size=(2, 12, 3))
    values[1, 0, 1], values[1, 1] = np.nan, np.nan
    found = reliability(values)
    for row in range(2):
        for both, alone in zip(found, reliability(values[row]), strict=True):
            assert both[row] == pytest.approx(float(alone))
    groups = [group[np.isfinite(group)] for group in values[1] if np.isfinite(group).any()]
    free = sum(len(group) - 1 for group in groups)
    within = sum(((group - group.mean()) ** 2).sum() for group in groups) / free
    assert found.within[1] == pytest.approx(within)


def test_interval_covers(generator):
    covered, truth = 0, 1 / (1 + 1 / 2)
    for _ in range(1000):
        values = generator.normal(size=(15, 2)) + generator.normal(size=(15, 1))
        found = reliability(values)
        covered += found.low <= truth <= found.high
    assert covered / 1000 == pytest.approx(0.95, abs=3 * np.sqrt(0.05 * 0.95 / 1000))


def test_design_leaves_the_reliability_of_what_it_does_not_explain(generator):
    levels = np.arange(200)[:, None] % 2
    values = generator.normal(size=(200, 4)) + generator.normal(size=(200, 1))
    shifted = values + 10 * levels
    held_fixed = reliability(shifted, main_effects(levels))
    assert held_fixed.reliability == pytest.approx(float(reliability(values).reliability), abs=0.02)
    assert reliability(shifted).reliability > 0.98


def test_pure_noise_has_none_and_constants_have_no_reliability(generator):
    found = [float(reliability(generator.normal(size=(30, 3))).reliability) for _ in range(50)]
    assert min(found) == 0
    assert np.median(found) < 0.3
    assert np.isnan(reliability(np.full((5, 2), 0.1)).reliability)
    assert np.isnan(reliability(generator.normal(size=(5, 1))).reliability)
    assert np.isnan(reliability(generator.normal(size=(5, 2)), np.eye(5)).reliability)


def test_equal_seeds_are_perfectly_reliable(generator):
    values = np.repeat(generator.normal(size=(6, 1)), 3, axis=1)
    found = reliability(values)
    assert [float(x) for x in found[2:5]] == [1, 1, 1]
    assert found.p_value < 1e-100


def test_ceilings_are_what_the_perfect_measure_reaches(generator):
    """The true value beside itself with noise of half its variance."""
    truth, noise = generator.normal(size=(2, 4000))
    gap = truth + noise / np.sqrt(2)
    found = noise_ceilings(2 / 3)
    assert scipy.stats.pearsonr(truth, gap).statistic == pytest.approx(found.pearson, abs=0.02)
    assert scipy.stats.spearmanr(truth, gap).statistic == pytest.approx(found.spearman, abs=0.02)
    assert scipy.stats.kendalltau(truth, gap).statistic == pytest.approx(found.kendall, abs=0.02)


def test_ceilings_at_the_ends():
    for ceiling in noise_ceilings(np.array([0.0, 1.0])):
        assert ceiling == pytest.approx([0, 1])


def test_variance_of_accuracies_is_split_without_bias(generator):
    """Seeds of known spread on the distribution, each tested on the same 200 images."""
    found = []
    for _ in range(400):
        accuracy = 0.7 + 0.05 * generator.choice([-1, 1], size=(10, 1))
        found.append(accuracy_variance(generator.random((10, 200)) < accuracy))
    total, of_seeds, of_test_set = np.mean(found, axis=0)
    assert of_seeds == pytest.approx(0.05**2, rel=0.1)
    assert of_test_set == pytest.approx((0.7 * 0.3 - 0.05**2) / 200, rel=0.1)
    assert total == pytest.approx(of_seeds + of_test_set)


def test_variance_of_accuracies_agrees_with_pairs_of_images(generator):
    """It is the mean covariance of two different images over seeds."""
    correct = generator.random((6, 5)) < generator.random((6, 1))
    covariance = np.cov(correct.T.astype(float))
    expected = covariance[~np.eye(5, dtype=bool)].mean()
    assert accuracy_variance(correct).of_seeds == pytest.approx(expected)


def test_one_seed_has_no_variance():
    assert np.isnan(accuracy_variance(np.ones((1, 5), bool))).all()


def test_p_value_is_that_of_the_one_way_analysis_of_variance():
    values = np.random.default_rng(0).normal(size=(7, 3)) + np.arange(7)[:, None] / 5
    assert reliability(values).p_value == pytest.approx(scipy.stats.f_oneway(*values).pvalue)
    assert np.isnan(reliability(values[:, :1]).p_value)


def test_two_images_are_enough_to_split_the_variance_and_one_is_not():
    correct = np.array([[1, 1], [1, 0], [0, 0], [1, 1]], bool)
    expected = np.cov(correct.T.astype(float))[0, 1]
    assert accuracy_variance(correct).of_seeds == pytest.approx(expected)
    assert accuracy_variance(correct[:2]).of_seeds == pytest.approx(0)
    assert np.isnan(accuracy_variance(correct[:, :1])).all()


def made_correct(generator, ensembles, seeds, images, spread):
    """Whether networks are right, whose accuracies on the distribution have this spread."""
    accuracy = 0.8 + spread * generator.choice([-1, 1], size=(ensembles, seeds, 1))
    return generator.random((ensembles, seeds, images)) < accuracy


def test_share_of_the_test_set_is_a_ratio_of_sums_with_a_jackknife(generator):
    correct = list(made_correct(generator, 6, 3, 50, 0.05))
    correct[2] = correct[2][:, :20]
    lonely = [np.ones((1, 50), bool), np.ones((0, 50), bool)]
    found, ensembles = share_of_test_set([*correct, *lonely], level=0.9)
    parts = [accuracy_variance(one) for one in correct]

    def ratio(some):
        return sum(one.of_test_set for one in some) / sum(one.total for one in some)

    without = np.array([ratio(parts[:k] + parts[k + 1 :]) for k in range(6)])
    error = np.sqrt(5 / 6 * np.square(without - without.mean()).sum())
    half = scipy.stats.t.ppf(0.95, 5) * error
    assert ensembles == 6
    assert found.estimate == pytest.approx(ratio(parts))
    assert found.low == pytest.approx(max(0, ratio(parts) - half))
    assert found.high == pytest.approx(ratio(parts) + half)


@pytest.mark.parametrize(("ensembles", "spread"), [(16, 0.0), (16, 0.03), (32, 0.03)])
def test_share_of_the_test_set_has_its_level(ensembles, spread, generator):
    of_images = (0.8 * 0.2 - spread**2) / 200
    truth = of_images / (of_images + spread**2)
    found = [
        share_of_test_set(made_correct(generator, ensembles, 4, 200, spread))[0] for _ in range(300)
    ]
    assert np.mean([one.estimate for one in found]) == pytest.approx(truth, rel=0.05)
    covered = np.mean([one.low <= truth <= one.high for one in found])
    print(f"of {ensembles} ensembles, a share of {truth:.2f} is covered by {covered:.3f}")
    assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300) < covered


def test_share_of_the_test_set_needs_seeds_that_differ():
    equal = [np.tile([True, False, True], (2, 1))] * 6
    found, ensembles = share_of_test_set(equal)
    assert ensembles == 6
    assert np.isnan(found.estimate)
    found, ensembles = share_of_test_set([one[:1] for one in equal])
    assert ensembles == 0
    assert np.isnan(found).all()
    assert share_of_test_set([])[1] == 0

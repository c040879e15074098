import tracemalloc
from itertools import product

import numpy as np
import pytest
import scipy.stats
from oracles.sign_errors import slow_sign_errors
from statsmodels.stats.contingency_tables import mcnemar

from generalization.statistics import draws
from generalization.statistics.design import OneFactorPairs, one_factor_pairs
from generalization.statistics.packed_errors import PackedErrors, packed_errors
from generalization.statistics.sign_errors import (
    changes,
    hoeffding_weights,
    mcnemar_weights,
    resampled_summary,
    sign_error_intervals,
    sign_errors,
    sign_errors_left_out,
    sign_errors_null,
    summary,
)

LEVELS = np.array(list(product(range(2), range(3), range(2))))
PAIRS = one_factor_pairs(LEVELS)


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.fixture
def gap(generator):
    return 0.1 * generator.random((12, 4)) + 0.1 * LEVELS[:, [1]]


def certain(a, b):
    return np.ones(np.broadcast(a, b).shape)


def test_agrees_with_double_loops(gap, generator):
    measures = np.round(gap + 0.1 * generator.normal(size=(3, 12, 4)), 2)
    measures[1, 3, 2], measures[1, 4] = np.nan, np.nan
    measures[2, 5, 0] = measures[2, 6, 1] = np.inf
    gap[7, 3] = np.nan
    found = sign_errors(
        measures, gap, PAIRS, hoeffding_weights(gap, 3000), fewest_effective=3
    ).errors
    for row, measure in zip(found, measures, strict=True):
        expected = slow_sign_errors(measure, gap, LEVELS, 3000, 3)
        kept = {
            (a, b): error
            for a, b, error in zip(PAIRS.first, PAIRS.second, row, strict=True)
            if np.isfinite(error)
        }
        assert kept == pytest.approx(expected)
        assert 0 < len(kept) < len(PAIRS.first)


def test_blocks_change_nothing(gap, generator, monkeypatch):
    measures, weights = generator.normal(size=(3, 12, 4)), hoeffding_weights(gap, 3000)
    whole = sign_errors(measures, gap, PAIRS, weights, fewest_effective=3)
    monkeypatch.setattr(draws, "BLOCK_NUMBERS", 200)
    cut = sign_errors(measures, gap, PAIRS, weights, fewest_effective=3)
    for one, other in zip(whole, cut, strict=True):
        assert one == pytest.approx(other, nan_ok=True)


def test_perfect_reversed_and_constant(gap):
    measures = np.stack([np.exp(gap), -gap, np.full(gap.shape, 0.1)])
    found = sign_errors(measures, gap, PAIRS, certain, fewest_effective=1)
    for row, expected in zip(found.errors, (0, 1, 0.5), strict=True):
        assert row == pytest.approx(np.full(len(row), expected))


def test_is_kendalls_tau_where_all_pairs_are_certain(generator):
    """Over all pairs of networks once, the error is (1 − τ)/2."""
    measure, gap = generator.normal(size=(2, 9, 1))
    first, second = np.triu_indices(9, 1)
    pairs = OneFactorPairs(first, second, np.zeros_like(first))
    found = sign_errors(
        measure[None], gap, pairs, certain, environments=np.zeros_like(first), fewest_effective=1
    )
    tau = scipy.stats.kendalltau(measure, gap).statistic
    assert found.errors == pytest.approx(np.array([[(1 - tau) / 2]]))
    assert found.effective == pytest.approx(np.array([[36]]))


def test_does_not_see_increasing_maps(gap, generator):
    measures = generator.normal(size=(2, 12, 4))
    weights = hoeffding_weights(gap, 3000)
    expected = sign_errors(measures, gap, PAIRS, weights, fewest_effective=1).errors
    found = sign_errors(np.exp(measures), gap, PAIRS, weights, fewest_effective=1).errors
    assert np.array_equal(found, expected, equal_nan=True)


def test_effective_sample_size_is_capped_at_one_less_than_the_networks(gap, generator):
    found = sign_errors(generator.normal(size=(1, 12, 4)), gap, PAIRS, certain)
    assert (found.effective == 7).all()
    assert np.isnan(found.errors).all()


def test_pooled_environments_add_their_caps(gap, generator):
    pooled = changes(PAIRS, LEVELS)
    found = sign_errors(generator.normal(size=(1, 12, 4)), gap, PAIRS, certain, environments=pooled)
    # Two levels, three of which every two, two levels: five changes.
    assert found.effective.tolist() == [[6 * 7, 4 * 7, 4 * 7, 4 * 7, 6 * 7]]
    assert np.isfinite(found.errors).all()


def test_weights_are_those_of_the_published_code():
    """More than a half only from a difference of .019602 on at 10 000 test points."""
    gap = np.array([[0.0], [0.0197], [0.0196], [1.0]])
    w = hoeffding_weights(gap, 10_000)(np.zeros(3, int), np.arange(1, 4))
    assert w[0] == pytest.approx((1 - 2 * np.exp(-2e4 * 0.00985**2)) ** 2 - 0.5)
    assert w[0] > 0
    assert w[1] == 0
    assert w[2] == 0.5


def test_each_ensemble_may_have_its_own_test_set():
    gap = np.array([[0.0], [0.1]])
    w = hoeffding_weights(gap, np.array([1000, 2000]))(np.array([0]), np.array([1]))
    bounds = [1 - 2 * np.exp(-2 * n * 0.05**2) for n in (1000, 2000)]
    assert w == pytest.approx([max(0, bounds[0] * bounds[1] - 0.5)])


def test_mcnemar_is_that_of_statsmodels(generator):
    """Training accuracies are equal, so that the gaps differ as the test accuracies do."""
    difficulty = generator.random(20_000)
    correct = difficulty + 0.1 * generator.normal(size=(2, 1, 20_000)) < [[[0.8]], [[0.805]]]
    gap = 1 - correct.mean(2)
    w = mcnemar_weights(gap, packed_errors(~correct))(np.array([0]), np.array([1]))
    only = [(correct[0] & ~correct[1]).sum(), (correct[1] & ~correct[0]).sum()]
    p = mcnemar([[0, only[0]], [only[1], 0]], exact=False, correction=False).pvalue
    assert w == pytest.approx([max(0, 1 - p - 0.5)], abs=0.002)
    assert w > 0
    # Two bounds of the same test set cannot tell them apart.
    assert hoeffding_weights(gap, 20_000)(np.array([0]), np.array([1])) == 0


def test_networks_with_equal_errors_are_certain_if_their_gaps_differ():
    errors = packed_errors(np.zeros((2, 1, 10), bool))
    w = mcnemar_weights(np.array([[0.1], [0.2]]), errors)
    assert w(np.array([0]), np.array([1])) == 0.5


def slow_weight(gaps, wrong, shared):
    """Weight of one pair, image by image: the variance of the mean of n differences of errors."""
    if shared:
        differences = wrong[0].astype(float) - wrong[1]
        variance = np.mean((differences - differences.mean()) ** 2) / len(differences)
    else:
        variance = sum(np.mean((one - one.mean()) ** 2) / len(one) for one in wrong)
    z = abs(gaps[0] - gaps[1]) / np.sqrt(variance)
    return max(0.0, 1 - 2 * scipy.stats.norm.sf(z) - 0.5)


def test_weights_of_any_pairs_agree_with_images_one_by_one(generator, monkeypatch):
    """Ensembles 0 and 1 share 131 images, and 2 has 70 others."""
    wrong = [generator.random((2, n)) < 0.3 for n in (131, 131, 70)]
    bits = np.zeros((3, 2, 24), np.uint8)
    for ensemble, one in enumerate(wrong):
        bits[ensemble, :, : -(-one.shape[1] // 8)] = np.packbits(one, axis=1)
    errors = PackedErrors(bits.view(np.uint64), np.array([131, 131, 70]), np.array([0, 0, 1]))
    gap = np.stack([one.mean(1) for one in wrong])
    a, b = np.array([[0, 0, 1], [2, 3, 0]]), np.array([[2, 3, 2], [4, 5, 1]])
    expected = [
        [
            slow_weight(
                (gap.ravel()[i], gap.ravel()[j]),
                (wrong[i // 2][i % 2], wrong[j // 2][j % 2]),
                shared=i < 4 and j < 4,
            )
            for i, j in zip(*pair, strict=True)
        ]
        for pair in zip(a, b, strict=True)
    ]
    assert (np.array(expected) > 0).sum() == 2
    found = mcnemar_weights(gap, errors)(a, b)
    assert found == pytest.approx(np.array(expected))
    monkeypatch.setattr(draws, "BLOCK_NUMBERS", 10)
    assert mcnemar_weights(gap, errors)(a, b) == pytest.approx(found)


@pytest.fixture
def made(generator):
    """3 × 4 ensembles of 7 networks, tested on 2,000 images of which one in four is hard.

    The first factor costs 3 points of accuracy a level, the second none. Two bounds tell 4.4 points
    apart, and so its outer levels alone.
    """
    levels = np.array(list(np.ndindex(3, 4)))
    hard, share = generator.random(2000) < 0.25, 0.8 + 0.12 * levels[:, 0]
    quantile = (generator.random(2000) + 0.1 * generator.normal(size=(12, 7, 2000))) % 1
    return levels, hard & (quantile < share[:, None, None] / 1.2)


def test_single_errors_keep_more_environments_than_two_bounds(made):
    levels, wrong = made
    gap, pairs = wrong.mean(2), one_factor_pairs(levels)
    environments = changes(pairs, levels)
    compared = 49 * len(pairs.first) / (environments.max() + 1)
    measures = levels[None, :, :1] * np.ones((1, 1, 7))
    kept = {
        name: sign_errors(measures, gap, pairs, weights, environments=environments).errors[0]
        for name, weights in {
            "two bounds": hoeffding_weights(gap, 2000),
            "single images": mcnemar_weights(gap, packed_errors(wrong), comparisons=compared),
            "not corrected": mcnemar_weights(gap, packed_errors(wrong)),
        }.items()
    }
    numbers = {name: int(np.isfinite(errors).sum()) for name, errors in kept.items()}
    print(f"environments of 3 changes that matter and 6 that do not: {numbers}")
    of_first = np.unique(environments[pairs.factor == 0])
    assert numbers["two bounds"] == 1
    # All changes of the first factor and none of the second, which the measure cannot know.
    assert np.flatnonzero(np.isfinite(kept["single images"])).tolist() == of_first.tolist()
    assert kept["single images"][of_first] == pytest.approx(0, abs=1e-6)
    # Without a correction nothing is too uncertain, and a perfect measure is half wrong.
    assert numbers["not corrected"] == 9
    assert np.delete(kept["not corrected"], of_first) == pytest.approx([0.5] * 6)


def test_corrected_weights_are_those_of_a_corrected_p(made):
    _, wrong = made
    gap, errors = wrong.mean(2), packed_errors(wrong)
    ends = np.arange(7), 28 + np.arange(7)
    once = mcnemar_weights(gap, errors)(*ends)
    corrected = mcnemar_weights(gap, errors, comparisons=30)(*ends)
    assert corrected == pytest.approx(np.maximum(0, 0.5 - 30 * (0.5 - once)))
    assert (corrected > 0).any()
    assert (corrected < once).all()


def test_weights_of_many_networks_take_the_memory_of_the_pairs_asked_for(generator):
    """10,000 networks and images: a matrix of all pairs would take 400 MB, images 400 MB more."""
    bits = generator.integers(2**63, size=(10_000, 1, 157), dtype=np.uint64)
    bits[:, :, -1] &= np.uint64(0xFFFF)
    errors = PackedErrors(bits, np.full(10_000, 10_000), np.zeros(10_000, int))
    gap, ends = errors.wrong / 1e4, generator.integers(10_000, size=(2, 30_000))
    tracemalloc.start()
    found = mcnemar_weights(gap, errors)(*ends)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.shape == (30_000,)
    assert peak < 300e6


def test_summary_is_over_the_environments_that_are_left():
    nan = np.nan
    errors = np.array([[0.1, 0.2, nan, 0.6], [nan] * 4, [0.5, nan, nan, nan]])
    found = summary(errors)
    assert found.environments.tolist() == [3, 0, 1]
    assert found.mean == pytest.approx([0.3, nan, 0.5], nan_ok=True)
    assert found.high == pytest.approx([0.6, nan, 0.5], nan_ok=True)
    assert found.worst == pytest.approx([0.6, nan, 0.5], nan_ok=True)


def test_resampled_summary_is_that_of_environments_written_out(generator):
    errors = generator.random((2, len(PAIRS.first))).round(1)
    errors[1, ::3] = np.nan
    counts = generator.multinomial(12, np.full(12, 1 / 12), size=8).astype(float)
    found = resampled_summary(counts, errors, PAIRS)
    for r, held in enumerate(counts.astype(int)):
        often = held[PAIRS.first] * held[PAIRS.second]
        expected = summary(np.repeat(errors, often, axis=1))
        for one, other in zip(found[:3], expected[:3], strict=True):
            assert one[:, r] == pytest.approx(other, nan_ok=True)
    once = resampled_summary(np.ones((1, 12)), errors, PAIRS)
    for one, other in zip(once[:3], summary(errors)[:3], strict=True):
        assert one[:, 0] == pytest.approx(other)


def test_study_without_one_factor_pairs_has_no_environment():
    none = one_factor_pairs(np.array([[0, 0], [1, 1]]))
    found = sign_errors(np.zeros((2, 2, 3)), np.zeros((2, 3)), none, certain)
    assert found.errors.shape == (2, 0)
    assert summary(found.errors).environments.tolist() == [0, 0]
    assert np.isnan(summary(found.errors).worst).all()


@pytest.mark.parametrize("faster", [0, 1000])
def test_null_is_the_error_of_permuted_measures(faster, gap, generator, monkeypatch):
    monkeypatch.setattr("generalization.statistics.sign_errors.PRODUCT_IS_FASTER", faster)
    measures = np.round(generator.normal(size=(2, 12, 4)), 1)
    weights = hoeffding_weights(gap, 3000)
    orders = draws.permuted_orders(np.zeros(12, int), permutations=6, generator=generator)
    found = sign_errors_null(measures, gap, PAIRS, weights, orders, fewest_effective=3)
    for p, order in enumerate(orders):
        permuted = sign_errors(measures[:, order], gap, PAIRS, weights, fewest_effective=3)
        expected = summary(permuted.errors)
        assert found.mean[:, p] == pytest.approx(expected.mean, abs=1e-6)
        assert found.worst[:, p] == pytest.approx(expected.worst, abs=1e-6)
    many = draws.permuted_orders(np.zeros(12, int), permutations=2000, generator=generator)
    null = sign_errors_null(measures[:1], gap, PAIRS, weights, many, fewest_effective=3)
    assert null.mean.mean() == pytest.approx(0.5, abs=0.02)


def test_measure_without_environments_has_no_null(gap, generator):
    measures, orders = np.full((1, 12, 4), np.nan), np.arange(12)[None]
    found = sign_errors_null(measures, gap, PAIRS, certain, orders)
    assert np.isnan(found).all()


def test_left_out_means_are_those_of_studies_without_an_ensemble(gap, generator):
    measures = np.round(generator.normal(size=(3, 12, 4)), 1)
    measures[1, 3, 2], measures[1, 4] = np.nan, np.nan
    gap[7, 3] = np.nan
    settings = {"environments": changes(PAIRS, LEVELS), "fewest_effective": 9}
    found = sign_errors_left_out(measures, gap, PAIRS, hoeffding_weights(gap, 3000), **settings)
    for out in range(12):
        rest = np.arange(12) != out
        pairs = one_factor_pairs(LEVELS[rest])
        weights = hoeffding_weights(gap[rest], 3000)
        settings["environments"] = changes(pairs, LEVELS[rest])
        expected = sign_errors(measures[:, rest], gap[rest], pairs, weights, **settings)
        assert found[:, out] == pytest.approx(summary(expected.errors).mean, nan_ok=True)


def test_null_of_pooled_environments_is_the_error_of_permuted_measures(gap, generator):
    measures = np.round(generator.normal(size=(3, 12, 4)), 1)
    measures[2, 4] = np.nan
    weights, settings = hoeffding_weights(gap, 3000), {"environments": changes(PAIRS, LEVELS)}
    orders = draws.permuted_orders(np.zeros(12, int), permutations=6, generator=generator)
    found = sign_errors_null(measures, gap, PAIRS, weights, orders, **settings)
    rest = np.arange(12) != 4
    among = draws.orders_among(orders, rest, np.zeros(12, int))
    for p, order in enumerate(orders):
        moved = measures[:, order]
        # An ensemble without any value stays where it is.
        moved[2, 4], moved[2, rest] = np.nan, measures[2, rest][among[p]]
        expected = summary(sign_errors(moved, gap, PAIRS, weights, **settings).errors)
        for one, other in zip(found, expected[:3], strict=True):
            assert one[:, p] == pytest.approx(other, abs=1e-6)


def interval_of(measures, gap, levels, **settings):
    pairs = one_factor_pairs(levels)
    settings = {"environments": changes(pairs, levels), "level": 0.95} | settings
    return sign_error_intervals(measures, gap, pairs, hoeffding_weights(gap, 10_000), **settings)


def test_worst_of_one_environment_has_the_interval_of_a_share():
    """Sixteen pairs of certain sign, three of which are predicted wrong: Clopper and Pearson."""
    levels = np.array(list(product(range(2), range(16))))
    gap = np.repeat([[0.0], [1.0]], 16, axis=0)
    gap[16:19] = -1
    pairs = OneFactorPairs(np.arange(16), np.arange(16, 32), np.zeros(16, int))
    weights = hoeffding_weights(gap, 10_000)
    settings = {"environments": np.zeros(16, int), "level": 0.95}
    _, worst = sign_error_intervals(levels[None, :, :1] * 1.0, gap, pairs, weights, **settings)
    size = 15 * (scipy.stats.norm.ppf(0.975) / scipy.stats.t.ppf(0.975, 15)) ** 2
    low = scipy.stats.beta.ppf(0.025, 3 / 16 * size, 13 / 16 * size + 1)
    high = scipy.stats.beta.ppf(0.975, 3 / 16 * size + 1, 13 / 16 * size)
    assert np.ravel(worst) == pytest.approx([3 / 16, low, high])


def test_perfect_and_reversed_measures_have_bounds_of_their_pairs():
    levels = np.array(list(product(range(2), repeat=4)))
    gap = (levels @ [0.4, 0.2, 0.1, 0.05])[:, None] + np.zeros((16, 2))
    high, worst = interval_of(np.stack([gap, -gap]), gap, levels)
    size = 8 * (scipy.stats.norm.ppf(0.975) / scipy.stats.t.ppf(0.975, 7)) ** 2
    bound = 1 - 0.025 ** (1 / size)
    for found in (high, worst):
        assert found.estimate.tolist() == [0, 1]
        assert found.low[0] == 0
        assert found.high[1] == 1
    assert worst.high[0] == pytest.approx(bound)
    # The other bound is for any of four environments.
    size = 8 * (scipy.stats.norm.ppf(0.025 / 4) / scipy.stats.t.ppf(0.025 / 4, 7)) ** 2
    assert worst.low[1] == pytest.approx((0.025 / 4) ** (1 / size))


def test_measure_without_environments_has_no_interval(gap):
    for found in interval_of(np.full((1, 12, 4), np.nan), gap, LEVELS):
        assert np.isnan(found).all()


@pytest.mark.parametrize("strength", [(1, 1, 1, 1), (1, -1, 1, 0), (0, 0, 0, 0)])
def test_interval_of_the_worst_covers_the_worst_of_what_studies_expect(strength, generator):
    """Settings differ in errors of their own; truth is the ratio of sums over many studies."""
    levels = np.array(list(product(range(2), repeat=4)))
    pairs = one_factor_pairs(levels)
    settings = {"environments": changes(pairs, levels), "fewest_effective": 0}
    effects = [0.3, 0.1, 0.06, 0.03]
    studies, held, wrong, total = 400, [], 0, 0
    for _ in range(studies):
        own, noise = 0.05 * generator.normal(size=(2, 16))
        gap = (levels @ effects + own)[:, None] + 0.02 * generator.normal(size=(16, 3))
        mu = levels @ np.multiply(strength, effects) + own / 2 + noise
        measure = (mu[:, None] + 0.02 * generator.normal(size=(16, 3)))[None]
        weights = hoeffding_weights(gap, 10_000)
        errors = sign_errors(measure, gap, pairs, weights, **settings).errors[0]
        a, b = pairs.first, pairs.second
        certain = [
            sum(weights(3 * x + i, 3 * y + j) for i in range(3) for j in range(3))
            for x, y in zip(a, b, strict=True)
        ]
        share = np.bincount(settings["environments"], certain)
        wrong, total = wrong + share * errors, total + share
        held.append(interval_of(measure, gap, levels, fewest_effective=0))
    errors = np.sort(wrong / total)
    for place in (0, 1):
        covered = np.mean([one[place].low[0] <= errors[-1] <= one[place].high[0] for one in held])
        assert covered > 0.95 - 3 * np.sqrt(0.95 * 0.05 / studies)

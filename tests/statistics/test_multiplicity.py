import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from generalization.statistics.multiplicity import holm, permutation_p_values, westfall_young


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def by_definition(observed, null):
    order = sorted(range(len(observed)), key=lambda m: -abs(observed[m]))
    adjusted, largest = {}, 0.0
    for position, m in enumerate(order):
        rest = order[position:]
        hits = sum(
            max(abs(null[k, p]) for k in rest) >= abs(observed[m]) for p in range(null.shape[1])
        )
        largest = max(largest, (1 + hits) / (1 + null.shape[1]))
        adjusted[m] = largest
    return [adjusted[m] for m in range(len(observed))]


@pytest.mark.parametrize("size", [0, 1, 2, 7, 30])
def test_holm_is_that_of_statsmodels(generator, size):
    p_values = generator.random(size).round(1) ** 3
    expected = multipletests(p_values, method="holm")[1] if size else []
    np.testing.assert_allclose(holm(p_values), expected, rtol=1e-12)


def test_p_values_count_permutations_that_are_as_large():
    null = np.array([[0.1, -0.5, 0.3], [np.nan] * 3])
    assert permutation_p_values(np.array([-0.3, np.nan]), null)[0] == 3 / 4
    assert np.isnan(permutation_p_values(np.array([-0.3, np.nan]), null)[1])


def test_agrees_with_the_definition(generator):
    null = generator.normal(size=(6, 50)) + generator.normal(size=50)
    observed = generator.normal(size=6) * 2
    assert westfall_young(observed, null) == pytest.approx(by_definition(observed, null))


def test_is_between_the_plain_p_value_and_holms(generator):
    null = generator.normal(size=(8, 5000))
    observed = np.linspace(0.5, 3, 8)
    plain, adjusted = permutation_p_values(observed, null), westfall_young(observed, null)
    holm = np.minimum(1, plain * np.arange(8, 0, -1)[np.argsort(np.argsort(-observed))])
    assert (adjusted >= plain).all()
    assert (adjusted <= np.maximum.accumulate(holm[::-1])[::-1] + 0.02).all()


def test_duplicates_cost_nothing(generator):
    null = generator.normal(size=(2, 999))
    observed = np.array([2.5, 1.0])
    alone = westfall_young(observed, null)
    copied = westfall_young(np.repeat(observed, 5), np.repeat(null, 5, axis=0))
    assert copied[::5] == pytest.approx(alone)


def test_is_monotone_and_leaves_out_what_is_not_defined(generator):
    null = generator.normal(size=(5, 200))
    null[3] = np.nan
    observed = np.array([1.0, -2.0, 0.1, np.nan, 3.0])
    adjusted = westfall_young(observed, null)
    assert np.isnan(adjusted).tolist() == [False, False, False, True, False]
    rest = [4, 1, 0, 2]
    assert (np.diff(adjusted[rest]) >= 0).all()
    assert adjusted[rest] == pytest.approx(westfall_young(observed[rest], null[rest]))


def test_family_error_rate_is_held(generator):
    """Under the null every statistic is one of its own permutations: 5 % of families are hit."""
    hits = 0
    for _ in range(400):
        draws = generator.normal(size=(5, 100)) + generator.normal(size=100)
        hits += np.nanmin(westfall_young(draws[:, 0], draws[:, 1:])) <= 0.05
    assert hits <= 400 * 0.05 + 3 * np.sqrt(400 * 0.05 * 0.95)


def test_statistics_without_a_value_or_a_null_are_not_in_the_family(generator):
    null = generator.normal(size=(4, 99))
    observed = np.array([2.0, np.nan, 1.5, 1.0])
    null[2] = np.nan
    adjusted = westfall_young(observed, null)
    assert np.isnan(adjusted).tolist() == [False, True, True, False]
    assert adjusted[[0, 3]] == pytest.approx(westfall_young(observed[[0, 3]], null[[0, 3]]))
    plain = permutation_p_values(observed, null)
    assert np.isnan(plain).tolist() == [False, True, True, False]

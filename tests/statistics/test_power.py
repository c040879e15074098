import numpy as np
import pytest

from generalization.statistics.design import main_effects, orthonormal_basis
from generalization.statistics.draws import observed_counts, permuted_orders
from generalization.statistics.multiplicity import permutation_p_values
from generalization.statistics.partial import (
    partial_rank_correlation,
    partial_rank_correlation_null,
)
from generalization.statistics.power import least_correlation, power_of
from generalization.statistics.stratified import stratified_spearman, stratified_spearman_null


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def test_is_what_has_the_stated_power():
    for ensembles, rank, family in [(32, 1, 1), (64, 7, 15), (250, 20, 1)]:
        least = least_correlation(ensembles, rank, family=family)
        assert power_of(least, ensembles, rank, family=family) == pytest.approx(0.8, abs=1e-3)
    assert power_of(0, 40) == pytest.approx(0.05)


def test_textbook_value():
    """(1.96 + 0.84)/√(n − 3) at n = 35, with Spearman's larger variance."""
    assert least_correlation(35) == pytest.approx(np.tanh(2.8016 * np.sqrt(1.06 / 32)), abs=1e-4)


def test_four_ensembles_are_the_fewest_with_a_least_correlation():
    assert least_correlation(4) == pytest.approx(np.tanh(2.8016 * np.sqrt(1.06)), abs=1e-4)
    assert np.isnan(least_correlation(3))
    assert power_of(least_correlation(4), 4) == pytest.approx(0.8, abs=1e-3)
    assert np.isnan(power_of(0.5, 3))


def test_falls_with_ensembles_and_rises_with_what_is_held_fixed():
    assert least_correlation(64) < least_correlation(32) < least_correlation(32, 8)
    assert least_correlation(32) < least_correlation(32, family=10)
    assert np.isnan(least_correlation(8, 6))
    assert np.isnan(power_of(0.5, 8, 6))


def test_permutation_tests_find_the_minimum_correlation_in_four_of_five_studies(
    generator,
):
    """The stratified and the partial test, of normal values with this Spearman correlation."""
    levels = np.array(list(np.ndindex(2, 3, 8)))
    design = main_effects(levels)
    orders = permuted_orders(levels[:, 0], permutations=299, generator=generator)
    free = permuted_orders(np.zeros(48, int), permutations=299, generator=generator)
    once = observed_counts(48)
    for rank, within in [(2, True), (orthonormal_basis(design).shape[1], False)]:
        # Spearman's ρ of normal values with Pearson's r is (6/π)·asin(r/2).
        r = 2 * np.sin(np.pi / 6 * least_correlation(48, rank))
        found = 0
        for g, noise in generator.normal(size=(400, 2, 48)):
            x = (r * g + np.sqrt(1 - r**2) * noise)[None]
            if within:
                rho = stratified_spearman(once, x, g, levels[:, 0])[:, 0]
                null = stratified_spearman_null(x, g, levels[:, 0], orders)
            else:
                rho = partial_rank_correlation(once, x, g, design)[:, 0]
                null = partial_rank_correlation_null(x, g, design, free)
            found += permutation_p_values(rho, null)[0] <= 0.05
        assert found / 400 == pytest.approx(0.8, abs=3 * np.sqrt(0.16 / 400) + 0.03)

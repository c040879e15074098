from itertools import product

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from generalization.statistics.design import (
    adjusted_r_squared,
    allows_interactions,
    explained_by_design,
    level_codes,
    main_effects,
    most_explaining_factor,
    one_factor_pairs,
    orthonormal_basis,
    pairwise_interactions,
    r_squared,
    residuals,
    strata_codes,
    weighted_grams,
)

LEVELS = np.array(list(product(range(2), range(3), range(4))))


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def test_levels_are_numbered_in_their_order():
    codes = level_codes([[0.5, 0.1, 0.5], ["relu", "tanh", "gelu"]])
    assert codes.tolist() == [[1, 1], [0, 2], [1, 0]]
    assert strata_codes(codes).tolist() == [2, 0, 1]
    assert strata_codes(codes[:, :1]).tolist() == [1, 0, 1]
    assert strata_codes(codes[:, :0]).tolist() == [0, 0, 0]


def test_main_effects_span_one_dummy_per_level():
    every = np.hstack([LEVELS[:, [f]] == np.arange(LEVELS[:, f].max() + 1) for f in range(3)])
    design = main_effects(LEVELS)
    assert design.shape == (24, 1 + 1 + 2 + 3)
    assert residuals(every.T.astype(float), design) == pytest.approx(np.zeros((9, 24)), abs=1e-12)


@pytest.mark.parametrize("held", [0.2, 0.9])
def test_grams_weight_ensembles_by_how_often_they_count(held, generator):
    design = pairwise_interactions(LEVELS)
    counts = np.where(generator.random((5, 24)) < held, 1, generator.integers(0, 4, size=(5, 24)))
    expected = [design.T @ np.diag(row) @ design for row in counts]
    assert weighted_grams(counts.astype(float), design) == pytest.approx(np.array(expected))


def test_interactions_are_those_of_statsmodels(generator):
    gap = generator.normal(size=24)
    data = pd.DataFrame(LEVELS, columns=list("abc")).assign(gap=gap)
    fit = smf.ols("gap ~ C(a) * C(b) + C(a) * C(c) + C(b) * C(c)", data).fit()
    design = pairwise_interactions(LEVELS)
    assert residuals(gap, design) == pytest.approx(fit.resid, abs=1e-12)
    assert orthonormal_basis(design).shape[1] == 1 + fit.df_model


def test_projection_of_a_deficient_design_is_that_of_the_pseudoinverse(generator):
    design = np.hstack([main_effects(LEVELS), main_effects(LEVELS) @ generator.normal(size=(7, 3))])
    h = np.eye(24) - design @ np.linalg.pinv(design)
    values = generator.normal(size=(2, 24))
    assert residuals(values, design) == pytest.approx(values @ h, abs=1e-12)


def test_r_squared_is_that_of_statsmodels(generator):
    gap = generator.normal(size=24) + LEVELS[:, 1]
    fit = sm.OLS(gap, main_effects(LEVELS)).fit()
    assert r_squared(gap, main_effects(LEVELS)) == pytest.approx(fit.rsquared)
    assert adjusted_r_squared(fit.rsquared, 24, 7) == pytest.approx(fit.rsquared_adj)
    assert np.isnan(r_squared(np.full(24, 0.1), main_effects(LEVELS)))
    assert np.isnan(adjusted_r_squared(0.5, 7, 7))


def test_adjusted_r_squared_of_noise_is_unbiased(generator):
    noise = generator.normal(size=(4000, 24))
    plain = r_squared(noise, main_effects(LEVELS))
    assert plain.mean() == pytest.approx(6 / 23, abs=0.01)
    assert adjusted_r_squared(plain, 24, 7).mean() == pytest.approx(0, abs=0.01)


def test_additive_gap_is_explained_factor_by_factor():
    gap = 4.0 * LEVELS[:, 0] + np.array([0, 5, 1])[LEVELS[:, 1]]
    entries = explained_by_design(gap, LEVELS, ["depth", "width", "rate"])
    assert [entry.term for entry in entries] == [
        "depth",
        "width",
        "rate",
        "main effects",
        "main effects and interactions",
    ]
    # Variances of a balanced design add up: 4 of depth, 14/3 of width.
    found = [entry.r_squared for entry in entries]
    assert found == pytest.approx([6 / 13, 7 / 13, 0, 1, 1])
    assert [entry.degrees_of_freedom for entry in entries] == [1, 2, 3, 6, 17]
    assert [entry.contrasts for entry in entries] == [12, 24, 36, 72, 72]
    assert most_explaining_factor(gap, LEVELS) == 1


def test_share_of_a_factor_is_what_it_adds_to_blocks(generator):
    """As sequential sums of squares; of the blocks themselves, what they explain."""
    gap = generator.normal(size=17) + 9 * LEVELS[:17, 0]
    names, some = ["dataset", "width", "rate"], LEVELS[:17]
    found = explained_by_design(gap, some, names, some[:, [0]])
    first, width = (r_squared(gap, main_effects(some[:, held])) for held in ([0], [0, 1]))
    assert found[0].r_squared == pytest.approx(first)
    assert found[1].r_squared == pytest.approx(width - first)
    assert found[1].degrees_of_freedom == 2
    assert found[1].adjusted < found[1].r_squared


def test_numeric_order_of_levels_does_not_matter(generator):
    gap = np.array([0, 1, 0])[LEVELS[:, 1]] + 0.01 * generator.normal(size=24)
    assert explained_by_design(gap, LEVELS[:, [1]], ["width"])[0].r_squared > 0.99


def test_saturated_interactions_are_not_mentioned(generator):
    levels = np.array(list(product(range(2), range(3))))
    assert not allows_interactions(levels)
    assert allows_interactions(LEVELS)
    last = explained_by_design(generator.normal(size=6), levels, ["depth", "width"])[-1]
    assert np.isnan([last.r_squared, last.adjusted]).all()


def test_pairs_are_those_of_a_double_loop(generator):
    levels = generator.permutation(LEVELS)[:17]
    expected = set()
    for a, b in product(range(17), repeat=2):
        differ = np.flatnonzero(levels[a] != levels[b])
        if len(differ) == 1 and levels[a, differ[0]] < levels[b, differ[0]]:
            expected.add((a, b, differ[0]))
    assert set(zip(*one_factor_pairs(levels), strict=True)) == expected
    assert len(one_factor_pairs(levels).first) == len(expected)


def test_half_fraction_has_no_contrast():
    half = np.array([row for row in product(range(2), repeat=3) if sum(row) % 2 == 0])
    assert len(one_factor_pairs(half).first) == 0


def test_most_explaining_factor_needs_one():
    with pytest.raises(ValueError, match=r"^levels must have at least 1 factor, not 0\.$"):
        most_explaining_factor(np.zeros(3), np.zeros((3, 0), int))


@pytest.mark.parametrize(("ensembles", "allowed"), [(8, False), (9, True)])
def test_interactions_leave_five_residual_degrees_of_freedom(ensembles, allowed):
    # Two factors of two levels spend four.
    levels = np.array(list(product(range(2), repeat=2)) * 3)[:ensembles]
    assert allows_interactions(levels) is allowed
    entries = explained_by_design(np.arange(ensembles) ** 2.0, levels, ["a", "b"])
    assert [entry.degrees_of_freedom for entry in entries] == [1, 1, 2, 3]

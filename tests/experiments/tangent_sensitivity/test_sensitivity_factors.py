from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from generalization.experiments.tangent_sensitivity.sensitivity_factors import (
    COLUMNS,
    FACTORS,
    importances,
    sensitivities,
    sensitivity_factors,
)
from generalization.statistics.resampling import Resampling


def made_tables(effects, *, noise=0.0, seeds=3, datasets=("mnist",), steps=(0, 50)):
    """ln of the bound is the sum of effects times the factors, of ensembles on a full grid."""
    generator = np.random.default_rng(0)
    training = [
        {
            "ensemble": f"{dataset}-{hidden}-{norm}-{variance}-{width}",
            "seed": seed,
            "step": step,
            "final": step == steps[-1],
            "dataset": dataset,
            "depth": hidden + 1,
            "width": width,
            "log_norm": norm,
            "active_variance": variance,
        }
        for dataset in datasets
        for hidden in (1, 3)
        for norm in (-1.0, 0.5)
        for variance in (2.0, 30.0)
        for width in (10, 20)
        for seed in range(seeds)
        for step in steps
    ]
    training = pd.DataFrame(training)
    hidden, variance = np.log(training["depth"] - 1), np.log(training["active_variance"])
    factors = [hidden, training["log_norm"], variance, np.log(training["width"])]
    logarithm = sum(
        effect * factor / factor.std(ddof=0)
        for effect, factor in zip(effects, factors, strict=True)
    )
    logarithm += noise * generator.standard_normal(len(training))
    profile = training[["ensemble", "seed", "step", "log_norm", "active_variance"]].assign(
        bound="theorem_3_2", log_bound=logarithm, log_exact=-logarithm
    )
    return profile, training.drop(columns=["log_norm", "active_variance"])


def factors(profile, training, resamples=100, level=0.95):
    resampling = Resampling(np.random.default_rng(0), resamples, level)
    return sensitivity_factors(profile, training, resampling=resampling)


def estimates(table, sensitivity="theorem_3_2", trained=True):
    rows = table[(table["sensitivity"] == sensitivity) & (table["trained"] == trained)]
    return dict(zip(rows["factor"], rows["estimate"], strict=True))


def test_shares_of_factors_that_do_not_correlate_are_their_variances():
    table = factors(*made_tables((3.0, 2.0, 1.0, 0.0)))
    assert list(table) == COLUMNS
    expected = {"depth": 9 / 14, "norm": 4 / 14, "active_variance": 1 / 14, "width": 0}
    contrasts = {"depth - norm": 5 / 14, "norm - active_variance": 3 / 14}
    assert estimates(table) == pytest.approx(expected | contrasts)
    assert estimates(table, "exact") == pytest.approx(expected | contrasts)
    assert (table["networks"] == 48).all()
    assert (table["ensembles"] == 16).all()
    assert table["explained"].tolist() == pytest.approx([1.0] * len(table))


def test_a_factor_that_is_the_same_in_all_networks_is_not_compared():
    profile, training = made_tables((3.0, 2.0, 1.0, 0.0))
    of_one_depth = training["depth"] == 2
    table = factors(profile[of_one_depth], training[of_one_depth])
    assert estimates(table)["depth"] == 0
    assert set(table["factor"]) == {*FACTORS, "norm - active_variance"}


def test_shares_sum_to_what_the_regression_explains():
    profile, training = made_tables((3.0, 2.0, 1.0, 1.0), noise=3.0)
    table = factors(profile, training)
    rows = table[(table["sensitivity"] == "theorem_3_2") & table["trained"]]
    shares = rows.loc[~rows["factor"].str.contains("-"), "estimate"]
    networks = sensitivities(profile.merge(training))["mnist"]
    networks = networks[(networks["sensitivity"] == "theorem_3_2") & networks["final"]]
    regressors = np.column_stack([
        np.log(networks["depth"] - 1),
        networks["log_norm"],
        np.log(networks["active_variance"]),
        np.log(networks["width"]),
    ])
    fit = sm.OLS(networks["logarithm"], sm.add_constant(regressors)).fit()
    assert shares.sum() == pytest.approx(fit.rsquared)
    assert rows["explained"].unique() == pytest.approx([fit.rsquared])


def test_importances_are_means_over_all_orders():
    generator = np.random.default_rng(0)
    numbers = generator.standard_normal((40, 4)) @ generator.standard_normal((4, 4))
    counts = np.vstack([np.ones(40), generator.multinomial(40, np.full(40, 1 / 40))])
    for found, count in zip(importances(numbers, counts), counts, strict=True):
        some = np.repeat(numbers, count.astype(int), axis=0)
        expected = np.zeros(3)
        for order in permutations(range(3)):
            r_squared = [
                sm.OLS(some[:, -1], sm.add_constant(some[:, order[:size]])).fit().rsquared
                for size in (1, 2, 3)
            ]
            expected[list(order)] += np.diff([0, *r_squared]) / 6
        assert found == pytest.approx(expected)


def test_what_does_not_vary_explains_nothing():
    generator = np.random.default_rng(0)
    numbers = np.column_stack([generator.standard_normal(20), np.ones(20), np.arange(20)])
    (shares,) = importances(numbers, np.ones((1, 20)))
    assert shares[1] == 0
    assert shares[0] == pytest.approx(np.corrcoef(numbers[:, 0], numbers[:, 2])[0, 1] ** 2)


def test_intervals_hold_the_shares_that_were_made():
    table = factors(*made_tables((3.0, 2.0, 1.0, 0.0), noise=0.5), resamples=500)
    rows = table[(table["sensitivity"] == "theorem_3_2") & table["trained"]].set_index("factor")
    rows = rows.drop(index="width")  # A share that is 0 can only be overestimated.
    assert (rows["low"] < rows["estimate"]).all()
    assert (rows["estimate"] < rows["high"]).all()
    assert rows.loc["depth - norm", "low"] > 0


def test_datasets_and_steps_are_apart():
    table = factors(*made_tables((3.0, 2.0, 1.0, 0.0), datasets=("mnist", "digits")))
    assert len(table.drop_duplicates(["dataset", "trained", "sensitivity"])) == 8
    assert (table["networks"] == 48).all()


def test_too_few_networks_have_no_regression():
    profile, training = made_tables((3.0, 2.0, 1.0, 0.0), seeds=1)
    few = training["ensemble"].unique()[:4]
    table = factors(
        profile[profile["ensemble"].isin(few)], training[training["ensemble"].isin(few)]
    )
    assert table["estimate"].isna().all()
    assert (table["note"] == "4 of the 10 networks that a regression needs").all()


def test_networks_without_a_finite_logarithm_do_not_count():
    profile, training = made_tables((3.0, 2.0, 1.0, 0.0))
    first = (profile["ensemble"] == profile["ensemble"][0]) & (profile["seed"] == 0)
    table = factors(profile.assign(log_bound=profile["log_bound"].mask(first, -np.inf)), training)
    counts = table.groupby("sensitivity")["networks"].unique()
    assert counts.map(list).to_dict() == {"exact": [48], "theorem_3_2": [47]}


def test_no_networks():
    profile, training = made_tables((3.0, 2.0, 1.0, 0.0))
    assert list(factors(profile[:0], training)) == COLUMNS

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from oracles.studies import made_measures, made_measures_of_two
from scipy.stats import rankdata

from generalization.statistics.draws import resampled_counts
from generalization.statistics.model_statistics import (
    COLUMNS,
    DIFFERENCE,
    MIXED,
    WITHIN,
    model_statistics,
    standard_ranks,
)
from generalization.statistics.quantile_regression import quantile_slopes
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import selected

NAMES = ["jacobian_norm", "weight_norm", "transitions", "constant", "lost", "training_loss"]


def kinds_of(measures):
    names = measures["measure"].unique()
    kinds = ["baseline" if name == "training_loss" else "candidate" for name in names]
    return pd.DataFrame({"measure": names, "kind": kinds})


def made(measures=None, resamples=60):
    measures = made_measures() if measures is None else measures
    some = measures[measures["measure"].isin(NAMES)]
    resampling = Resampling(np.random.default_rng(0), resamples)
    return some, model_statistics(some, kinds_of(some), resampling=resampling)


@pytest.fixture(scope="module")
def study():
    return made()


def row(table, measure, statistic, selection="fitted", dataset="all"):
    found = table[
        (table["measure"] == measure)
        & (table["statistic"] == statistic)
        & (table["selection"] == selection)
        & (table["dataset"] == dataset)
    ]
    assert len(found) == 1
    return found.iloc[0]


def test_every_measure_has_every_statistic_in_both_selections(study):
    _, table = study
    assert list(table) == COLUMNS
    assert len(table) == len(NAMES) * 6 * 2
    assert not table.duplicated(["measure", "statistic", "selection", "dataset"]).any()
    assert set(table.loc[table["measure"] == "training_loss", "kind"]) == {"baseline"}


def test_standard_ranks_have_variance_1_and_know_infinity():
    values = np.array([3.0, np.inf, -1, 3, 7])
    found = standard_ranks(values)
    ranks = rankdata(values)
    assert found == pytest.approx((ranks - 3) / ranks.std())
    assert found.std() == pytest.approx(1)
    assert standard_ranks(np.ones(4)).tolist() == [0] * 4
    assert standard_ranks(np.empty(0)).tolist() == []


def test_slope_within_ensembles_is_that_of_a_direct_regression(study):
    measures, table = study
    rows = selected(measures, "weight_norm", "fitted", fitted_accuracy=0.999)
    dummies = pd.get_dummies(rows["ensemble"]).to_numpy(float)
    x = standard_ranks(rows["value"].to_numpy())
    direct = sm.OLS(rows["generalization_gap"].to_numpy(), np.column_stack([dummies, x])).fit()
    found = row(table, "weight_norm", WITHIN)
    assert found["estimate"] == pytest.approx(direct.params[-1])
    assert found[["networks", "ensembles"]].tolist() == [135, 34]


def test_quantile_slopes_are_those_of_a_direct_regression(study):
    measures, table = study
    rows = selected(measures, "weight_norm", "all", fitted_accuracy=0.999)
    x = sm.add_constant(standard_ranks(rows["value"].to_numpy()))
    y = rows["generalization_gap"].to_numpy()
    slopes = [sm.QuantReg(y, x).fit(q=q, max_iter=5000).params[1] for q in (0.5, 0.9)]
    for name, slope in zip(("quantile_slope_50", "quantile_slope_90"), slopes, strict=True):
        found = row(table, "weight_norm", name, "all")
        assert found["estimate"] == pytest.approx(slope, abs=0.01)
        assert found["low"] < found["high"]
    difference = row(table, "weight_norm", DIFFERENCE, "all")["estimate"]
    parts = [row(table, "weight_norm", f"quantile_slope_{q}", "all")["estimate"] for q in (50, 90)]
    assert difference == pytest.approx(parts[1] - parts[0])


def test_measure_that_bounds_the_gap_from_above_is_told_by_the_difference():
    """The gap is uniform from 0 to the measure: its quantiles diverge, with positive slopes."""
    generator = np.random.default_rng(3)
    measures = made_measures()
    rows = measures[measures["measure"] == "weight_norm"].reset_index(drop=True)
    value = pd.factorize(rows["ensemble"])[0] + 1.0
    gap = value / 36 * generator.uniform(size=len(rows))
    bound = rows.assign(value=value, generalization_gap=gap)
    plain = bound.assign(generalization_gap=value / 36 + 0.1 * generator.normal(size=len(rows)))
    found, alike = (
        row(made(one, 200)[1], "weight_norm", DIFFERENCE, "all") for one in (bound, plain)
    )
    assert found["low"] > 0
    assert alike["low"] < 0 < alike["high"]


def test_what_cannot_be_modelled_says_why(study):
    _, table = study
    assert row(table, "constant", MIXED)["note"] == "the measure is the same for all networks"
    assert row(table, "lost", MIXED)["note"] == "no network is left"
    assert row(table, "training_loss", MIXED)["note"] == (
        "is a function of the hyper-parameters alone"
    )
    assert row(table, "training_loss", WITHIN)["note"] == (
        "the measure is the same for all seeds of an ensemble"
    )


def test_p_values_of_candidates_are_corrected_by_holm(study):
    _, table = study
    rows = table.query(f"statistic == '{WITHIN}' and selection == 'fitted'")
    tested = rows[(rows["kind"] == "candidate") & rows["p_value"].notna()].sort_values("p_value")
    factors = np.arange(len(tested), 0, -1)
    expected = np.minimum(np.maximum.accumulate(tested["p_value"] * factors), 1)
    assert tested["p_value_corrected"].tolist() == pytest.approx(expected.tolist())
    assert rows.loc[rows["kind"] == "baseline", "p_value_corrected"].isna().all()


def test_datasets_have_rows_of_their_own():
    _, table = made(made_measures_of_two(), 20)
    assert set(table["dataset"]) == {"all", "mnist_subset", "digits"}


def test_few_ensembles_have_no_model():
    measures = made_measures()
    some = measures[measures["ensemble"].isin(sorted(measures["ensemble"].unique())[:3])]
    _, table = made(some)
    assert row(table, "weight_norm", MIXED)["note"] == "3 of the 5 ensembles that a verdict needs"
    assert table["estimate"].isna().all()


def test_intervals_of_quantile_slopes_are_percentiles_over_resampled_ensembles(study):
    measures, table = study
    rows = selected(measures, "weight_norm", "all", fitted_accuracy=0.999)
    codes = pd.factorize(rows["ensemble"], sort=True)[0]
    counts = resampled_counts(
        np.zeros(36, int),
        resamples=60,
        generator=Resampling(np.random.default_rng(0)).stream(),
    )
    x, y = standard_ranks(rows["value"].to_numpy()), rows["generalization_gap"].to_numpy()
    draws = [quantile_slopes(counts[:, codes], x, y, quantile=q) for q in (0.5, 0.9)]
    for name, slopes in {
        "quantile_slope_50": draws[0],
        "quantile_slope_90": draws[1],
        DIFFERENCE: draws[1] - draws[0],
    }.items():
        found = row(table, "weight_norm", name, "all")
        expected = np.quantile(slopes, [0.025, 0.975])
        assert found[["low", "high"]].tolist() == pytest.approx(expected.tolist())

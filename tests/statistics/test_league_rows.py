import numpy as np
import pandas as pd
import pytest
from oracles.league_tables import WITHIN, made_statistics

from generalization.statistics.league_rows import (
    companion,
    league_rows,
    primary_statistic,
    shown,
    stratum,
)

CLEAR = {
    "low": 0.1,
    "high": 0.5,
    "level": 0.95,
    "p_value": 0.01,
    "p_value_corrected": 0.05,
    "ensembles": 5,
}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"low": -0.5, "high": -0.1}, True),
        ({"ensembles": 4}, False),
        ({"low": 0.0}, False),
        ({"low": -0.5, "high": 0.0}, False),
        ({"low": np.nan, "high": np.nan}, False),
        ({"p_value_corrected": 0.0501}, False),
        ({"p_value_corrected": np.nan}, True),
        ({"p_value_corrected": np.nan, "p_value": 0.0501}, False),
        ({"p_value_corrected": np.nan, "p_value": np.nan}, False),
        ({"level": 0.9, "p_value_corrected": 0.1}, True),
    ],
)
def test_one_rule_says_what_is_shown(changed, expected):
    assert shown(pd.DataFrame([CLEAR | changed])).tolist() == [expected]


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (["spearman", "spearman_within_dataset", "spearman_within_width"], "spearman_within_width"),
        (["spearman", "spearman_within_dataset"], "spearman_within_dataset"),
        (["spearman", "spearman_given_design"], "spearman"),
    ],
)
def test_stratified_correlation_is_that_of_the_factor_that_explains_most(there, expected):
    statistics = pd.DataFrame({"statistic": there})
    assert primary_statistic(statistics, "spearman_within") == expected


def test_other_primary_statistics_are_named_as_in_the_table():
    assert primary_statistic(made_statistics(), "spearman_given_design") == "spearman_given_design"


def test_stratum_is_what_is_held_fixed():
    assert stratum(WITHIN) == "label_corruption"
    assert stratum("spearman") == ""


def test_rows_are_those_of_one_selection_and_dataset():
    statistics = made_statistics()
    other = statistics.assign(dataset="digits")
    rows = league_rows(pd.concat([other, statistics]), WITHIN, selection="all")
    assert rows.index.is_unique
    assert rows["dataset"].unique() == ["all"]
    assert rows.loc["jacobian_norm", "networks"] == 128
    assert rows.loc["jacobian_norm", "shown"]
    assert not rows.loc["transitions", "shown"]


@pytest.mark.parametrize(
    ("statistic", "ceiling"),
    [
        ("spearman", "noise_ceiling"),
        ("spearman_within_width", "noise_ceiling_within_width"),
        ("spearman_given_design", "noise_ceiling_given_design"),
        ("granulated_kendall", "noise_ceiling"),
    ],
)
def test_ceilings_are_of_the_ranks_that_the_statistic_correlates(statistic, ceiling):
    assert companion("noise_ceiling", statistic) == ceiling

import numpy as np
import pandas as pd
import pytest
from oracles.studies import made_measures

from generalization.statistics.fit_statistics import fit_statistics
from generalization.statistics.resampling import Resampling
from generalization.statistics.summary import summary
from generalization.tables import read_table, write_table

BASELINES = ["weight_norm", "random_number", "constant"]


@pytest.fixture(scope="module")
def measures():
    return made_measures()


@pytest.fixture(scope="module")
def statistics(measures):
    return fit_statistics(
        measures, resampling=Resampling(np.random.default_rng(0), 300), permutations=2999
    )


def told(statistics, measures, *names):
    """The summary of some of the measures."""
    chosen = [table[table["measure"].isin(names)] for table in (statistics, measures)]
    return summary(*chosen, baselines=BASELINES)


def test_a_study_in_five_sentences(statistics, measures):
    sentences = told(
        statistics, measures, "jacobian_norm", "transitions", "normalized_transitions", *BASELINES
    )
    shown = {
        (row.measure, row.selection): f"{row.estimate:.2f} [{row.low:.2f}, {row.high:.2f}]".replace(
            "-", "−"
        )
        for row in statistics.query("statistic == 'spearman'").itertuples()
    }
    assert sentences == [
        "144 networks were trained on mnist_subset: 36 ensembles of 4 seeds, varying label "
        "corruption (0, 0.25, 0.5, 1), depth (2, 3, 5), init scale (0.5, 1, 2), and width (100, "
        "200).",
        "135 of them, in 34 ensembles, fit their training set (train accuracy of at least "
        "99.9 %); their generalization gap (train − test accuracy) ranges from 5.2 to 90.0 "
        "percentage points.",
        "Among 5 measures, Jacobian norm has the strongest rank correlation with the gap of fitted "
        f"networks: Spearman's ρ is {shown['jacobian_norm', 'fitted']} over 135 networks of 34 "
        f"ensembles, and {shown['jacobian_norm', 'all']} over all 143; its interval overlaps with "
        "that of no other measure.",
        f"Among the baselines, weight norm ({shown['weight_norm', 'fitted']}) shows a relation; "
        f"random number ({shown['random_number', 'fitted']}) and constant (the measure is the same "
        "for all networks) do not.",
        "Excluded from these statistics: 1 network (no finite value: transitions), 8 networks "
        "(train accuracy below 0.999), and 1 network (diverged).",
    ]


def test_overlapping_intervals_are_named(statistics, measures):
    sentences = told(statistics, measures, "jacobian_norm", "logit_jacobian_norm")
    assert sentences[2].endswith("; its interval overlaps with that of logit Jacobian norm.")


def test_strength_has_no_sign(statistics, measures):
    negative = statistics.copy()
    rows = negative["measure"] == "logit_jacobian_norm"
    negative.loc[rows, ["estimate", "low", "high"]] = -statistics.loc[
        rows, ["estimate", "high", "low"]
    ].to_numpy()
    names = ["jacobian_norm", "logit_jacobian_norm"]
    assert told(negative, measures, *names)[2] == told(statistics, measures, *names)[2]


def test_random_number_alone_shows_nothing(statistics, measures):
    assert told(statistics, measures, "random_number")[2].startswith(
        "No relation to the gap of fitted networks was detected (1 measure tested); the strongest "
        "Spearman correlation is that of random number ("
    )


@pytest.mark.parametrize(("column", "value"), [("p_value_corrected", 0.051), ("low", -0.01)])
def test_relation_needs_both_the_interval_and_the_corrected_p_value(
    statistics, measures, column, value
):
    doubtful = statistics.assign(**{column: value})
    assert told(doubtful, measures, "jacobian_norm")[2].startswith("No relation to the gap")


def test_what_decides_against_a_relation_is_named(statistics, measures):
    doubtful = statistics.assign(p_value_corrected=0.051)
    sentence = told(doubtful, measures, "jacobian_norm")[2]
    assert sentence.endswith(", corrected p = 0.051).")


def test_nothing_estimated_claims_nothing(statistics, measures):
    assert told(statistics, measures, "lost")[2] == (
        "No relation to the gap of fitted networks could be estimated: no network is left."
    )


def test_datasets_are_pooled_and_the_best_measure_is_given_for_each(statistics, measures):
    each = statistics.assign(dataset="digits", estimate=-0.5, low=-0.6, high=-0.4)
    other = each.assign(dataset="mnist", estimate=0.25, low=np.nan, high=np.nan)
    both = pd.concat([statistics, each, other], ignore_index=True)
    together, apart = (told(table, measures, "weight_norm") for table in (statistics, both))
    within = ". Within datasets, ρ is −0.50 [−0.60, −0.40] (digits) and 0.25 (mnist)."
    assert apart.pop(2) == together.pop(2).removesuffix(".") + within
    assert apart == together


def test_nothing_left_out(statistics, measures):
    good = measures[measures["label_corruption"] < 1]
    assert told(statistics, good, "weight_norm")[-1] == (
        "No network is excluded from these statistics."
    )


def test_tables_that_were_written_and_read_say_the_same(statistics, measures, tmp_path):
    tables = []
    for name, table in {"statistics": statistics, "measures": measures}.items():
        write_table(tmp_path / f"{name}.csv", table)
        tables.append(read_table(tmp_path / f"{name}.csv"))
    assert summary(*tables, baselines=BASELINES) == summary(
        statistics, measures, baselines=BASELINES
    )

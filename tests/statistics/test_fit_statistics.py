import numpy as np
import pandas as pd
import pytest
import scipy.stats
from oracles.studies import made_measures, made_measures_of_two
from statsmodels.stats.multitest import multipletests

from generalization.statistics.fit_statistics import COLUMNS, fit_statistics, relation_to_gap
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import selected

PERMUTATIONS = 199
RANKS = ["spearman", "kendall"]


def resampling(level=0.95):
    return Resampling(np.random.default_rng(0), 200, level)


def fitted(measures, *, level=0.95, permutations=PERMUTATIONS, **settings):
    return fit_statistics(
        measures, resampling=resampling(level), permutations=permutations, **settings
    )


def of(statistics, measure, selection="fitted"):
    rows = statistics[(statistics["measure"] == measure) & (statistics["selection"] == selection)]
    return rows.set_index("statistic")


def related(networks, function):
    """Statistics of the final networks of a study, of a measure computed from their gaps."""
    networks = networks.assign(value=function(networks["generalization_gap"]))
    rows = relation_to_gap(networks, resampling(), permutations=PERMUTATIONS)
    return pd.DataFrame(rows).set_index("statistic")


@pytest.fixture(scope="module")
def measures():
    return made_measures()


@pytest.fixture(scope="module")
def networks(measures):
    return selected(measures, "random_number", "fitted", fitted_accuracy=0.999)


@pytest.fixture(scope="module")
def statistics(measures):
    return fitted(measures)


def test_every_measure_has_every_statistic_of_both_selections(measures, statistics):
    assert list(statistics) == COLUMNS
    counts = statistics.groupby(["measure", "selection"])["statistic"].nunique()
    assert len(counts) == 2 * measures["measure"].nunique()
    assert (counts == 5).all()


@pytest.mark.parametrize("measure", ["jacobian_norm", "transitions", "number_of_parameters"])
def test_estimates_are_those_of_scipy(measures, statistics, measure):
    rows = measures[
        (measures["measure"] == measure)
        & (measures["train_accuracy"] >= 0.999)
        & np.isfinite(measures["value"])
    ]
    x, y = rows["value"], rows["generalization_gap"]
    line = scipy.stats.linregress(np.log(x), y)
    expected = {
        "spearman": scipy.stats.spearmanr(x, y).statistic,
        "kendall": scipy.stats.kendalltau(x, y).statistic,
        "pearson_log": scipy.stats.pearsonr(np.log(x), y).statistic,
        "ols_slope": line.slope,
        "ols_r_squared": line.rvalue**2,
    }
    found = of(statistics, measure)
    assert found["estimate"].to_dict() == pytest.approx(expected)
    assert (found["networks"] == len(x)).all()
    assert (found["ensembles"] == rows["ensemble"].nunique()).all()


def test_intervals_are_around_estimates_or_nothing(statistics):
    rows = statistics.dropna(subset="estimate")
    assert (rows["low"] < rows["high"]).all()
    assert ((rows["low"] <= rows["estimate"]) & (rows["estimate"] <= rows["high"])).mean() > 0.95
    missing = statistics[statistics["estimate"].isna()]
    assert missing[["low", "high", "p_value", "p_value_corrected"]].isna().all(axis=None)
    assert (missing["note"] != "").all()


def test_known_relations_are_found_and_others_are_not(statistics):
    ranks = statistics[statistics["statistic"] == "spearman"].set_index(["measure", "selection"])
    for selection in ("fitted", "all"):
        assert ranks.loc[("jacobian_norm", selection), "low"] > 0.8
        random = ranks.loc[("random_number", selection)]
        assert random["low"] < 0 < random["high"]
        assert random["p_value"] > 0.05


def test_perfect_measure(networks):
    found = related(networks, np.exp)
    assert found[["estimate", "low", "high"]].to_numpy() == pytest.approx(1)
    assert (found.loc[[*RANKS, "pearson_log"], "p_value"] == 1 / 200).all()


def test_reversed_measure_has_reversed_statistics(networks):
    plain = related(networks, lambda gap: np.exp(gap + np.sin(99 * gap)))
    reverse = related(networks, lambda gap: np.exp(-gap - np.sin(99 * gap)))
    statistics = [*RANKS, "pearson_log", "ols_slope"]
    columns = ["estimate", "low", "high", "p_value"]
    expected = plain.loc[statistics, columns] * [-1, -1, -1, 1]
    found = reverse.loc[statistics, ["estimate", "high", "low", "p_value"]]
    assert found.to_numpy() == pytest.approx(expected.to_numpy())


def test_ranks_do_not_see_increasing_maps(networks):
    plain = related(networks, lambda gap: gap + 0.2 * np.sin(99 * gap))
    mapped = related(networks, lambda gap: np.exp(5 * (gap + 0.2 * np.sin(99 * gap))))
    pd.testing.assert_frame_equal(plain.loc[RANKS], mapped.loc[RANKS])


def test_name_says_whether_logarithms_were_taken(networks):
    assert "pearson_log" in related(networks, np.exp).index
    signed = related(networks, lambda gap: gap - 0.3)
    assert signed.loc["pearson", "estimate"] == pytest.approx(1)
    assert signed.loc["ols_slope", "note"] == "of the values themselves: not all are positive"


@pytest.mark.parametrize(
    ("measure", "note"),
    [
        ("constant", "the measure is the same for all networks"),
        ("lost", "no network is left"),
    ],
)
def test_no_relation_has_a_reason(statistics, measure, note):
    for selection in ("fitted", "all"):
        rows = of(statistics, measure, selection)
        assert list(rows.index) == [*RANKS, "pearson_log", "ols_slope", "ols_r_squared"]
        assert (rows["note"] == note).all()


def test_two_ensembles_are_too_few(networks):
    few = networks[networks["ensemble"].isin(networks["ensemble"].unique()[:2])]
    rows = related(few, np.exp)
    assert list(rows) == ["networks", "ensembles", "note"]
    assert (rows["note"] == "2 of the 3 ensembles that are needed").all()


def test_study_too_small_for_any_statistic_is_a_table_of_reasons(measures):
    one = measures[measures["ensemble"] == measures["ensemble"].iloc[0]]
    statistics = fitted(one[one["measure"] == "weight_norm"])
    assert len(statistics) == 10
    assert (statistics["note"] == "1 of the 3 ensembles that are needed").all()
    numbers = ["estimate", "low", "high", "p_value", "p_value_corrected"]
    assert list(statistics.select_dtypes(float)) == [
        key for key in COLUMNS if key in {*numbers, "level"}
    ]


def test_one_dataset_has_no_rows_of_its_own(statistics):
    assert set(statistics["dataset"]) == {"all"}


def test_each_dataset_of_several_has_the_statistics_of_its_networks_alone():
    measures = made_measures_of_two()
    measures = measures[measures["measure"].isin(["jacobian_norm", "random_number", "lost"])]
    together = fitted(measures)
    assert list(together["dataset"].unique()) == ["all", "mnist_subset", "digits"]
    for dataset in ("mnist_subset", "digits"):
        alone = fitted(measures[measures["dataset"] == dataset])
        rows = together[together["dataset"] == dataset].assign(dataset="all")
        pd.testing.assert_frame_equal(rows.reset_index(drop=True), alone)
    over_all = of(together[together["dataset"] == "all"], "random_number")
    assert (over_all["networks"] == 270).all()
    rows = selected(measures, "random_number", "fitted", fitted_accuracy=0.999)
    assert over_all.loc["kendall", "estimate"] == pytest.approx(
        scipy.stats.kendalltau(rows["value"], rows["generalization_gap"]).statistic
    )


def test_same_gap_everywhere_has_a_reason(networks):
    rows = related(networks.assign(generalization_gap=0.1), lambda gap: np.arange(len(gap)))
    assert (rows["note"] == "the gap is the same for all networks").all()


def test_constant_resamples_are_counted(networks):
    three = networks[networks["ensemble"].isin(networks["ensemble"].unique()[:3])]
    gaps = three.groupby("ensemble")["generalization_gap"].transform("first")
    row = related(three.assign(generalization_gap=gaps), np.exp).loc["spearman"]
    # All three ensembles of a resample are the same one with probability 1/9.
    dropped, rest = row["note"].split(" ", 1)
    assert rest == "of 200 resamples are constant and left out"
    assert 10 <= int(dropped) <= 36
    assert np.isfinite([row["low"], row["high"]]).all()


def test_correction_is_holms_over_the_measures_of_a_statistic(statistics):
    # pearson and pearson_log are one statistic of different measures.
    tested = statistics.dropna(subset="p_value")
    kind = tested["statistic"].str.replace("_log", "")
    for _, family in tested.groupby([kind, "selection"]):
        expected = multipletests(family["p_value"], method="holm")[1]
        assert family["p_value_corrected"].to_numpy() == pytest.approx(expected)


def test_same_generator_gives_the_same_numbers_whatever_else_is_measured(measures, statistics):
    alone = fitted(measures[measures["measure"] == "weight_norm"])
    columns = ["estimate", "low", "high", "p_value"]
    for selection in ("fitted", "all"):
        pd.testing.assert_frame_equal(
            of(alone, "weight_norm", selection)[columns],
            of(statistics, "weight_norm", selection)[columns],
        )


def test_higher_level_is_a_wider_interval(measures, statistics):
    one = measures[measures["measure"] == "weight_norm"]
    narrow = of(fitted(one, level=0.5), "weight_norm")
    wide = of(statistics, "weight_norm")
    assert (narrow["low"] > wide["low"]).all()
    assert (narrow["high"] < wide["high"]).all()


def test_impossible_permutations(measures):
    with pytest.raises(ValueError, match=r"^permutations must be at least 1, not -1\.$"):
        fitted(measures, permutations=-1)

"""The league of a made-up study whose relations are known."""

import inspect
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import yaml
from oracles.studies import made_measures, made_measures_of_two

from generalization.statistics.ceiling import accuracy_variance
from generalization.statistics.claims import claims
from generalization.statistics.fit_statistics import (
    COLUMNS,
    DESIGN,
    fit_statistics,
)
from generalization.statistics.intervals import order_bounds
from generalization.statistics.league_rows import TEST_SET_SHARE, primary_statistic
from generalization.statistics.packed_errors import packed_text, unpacked_text
from generalization.statistics.power import least_correlation
from generalization.statistics.prediction import selection_null
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import excluded
from generalization.statistics.verdicts import verdict

PERMUTATIONS = 199
BASELINES = ["weight_norm", "random_number", "constant"]
FACTORS = ["depth", "init_scale", "label_corruption", "width"]
CORRELATIONS = ["spearman", "kendall", "spearman_within_depth", "granulated_kendall"]


def fitted(measures, *, level=0.95, permutations=PERMUTATIONS, **settings):
    return fit_statistics(
        measures,
        resampling=Resampling(np.random.default_rng(0), 200, level),
        permutations=permutations,
        baselines=BASELINES,
        **settings,
    )


def of(statistics, measure, selection="fitted", dataset="all"):
    chosen = statistics[["measure", "selection", "dataset"]] == [measure, selection, dataset]
    return statistics[chosen.all(axis=1)].set_index("statistic")


def replaced(measures, function, name="jacobian_norm"):
    """The study with one measure, a function of the table, and a random number."""
    rows = measures[measures["measure"] == name]
    return pd.concat([
        rows.assign(value=function(rows)),
        measures[measures["measure"] == "random_number"],
    ])


@pytest.fixture(scope="module")
def measures():
    return made_measures()


@pytest.fixture(scope="module")
def both(measures):
    return fitted(measures)


@pytest.fixture(scope="module")
def statistics(both):
    return both[0]


@pytest.fixture(scope="module")
def design(both):
    return both[1]


def means(measures, measure):
    """Means over the seeds of fitted networks: measure and gap of every ensemble."""
    rows = measures[
        (measures["measure"] == measure) & measures["final"] & (measures["train_accuracy"] >= 0.999)
    ]
    return rows.groupby("ensemble")[["value", "generalization_gap"]].mean().dropna()


def test_every_measure_has_a_row_of_every_statistic_of_both_selections(measures, statistics):
    assert list(statistics) == COLUMNS
    names = {*measures["measure"].unique(), *FACTORS}
    for measure in names:
        for selection in ("fitted", "all"):
            rows = of(statistics, measure, selection)
            assert rows.index.is_unique
            assert {
                *CORRELATIONS,
                "spearman_given_design",
                "conditional_information",
                "sign_error_mean",
                "sign_error_worst",
                "added_r_squared",
                "repeatability",
                "regret",
                "ols_slope",
                *(f"spearman_within_{factor}" for factor in FACTORS),
                *(f"granulated_kendall_{factor}" for factor in FACTORS),
                *(f"added_r_squared_{factor}" for factor in FACTORS),
            } <= set(rows.index)


# Statistic → whether it has an interval; all of them have p-values.
TESTED = {
    "spearman": True,
    "spearman_within_label_corruption": True,
    "spearman_given_design": True,
    "granulated_kendall": True,
    "granulated_kendall_label_corruption": True,
    "conditional_information": True,
    "sign_error_mean": True,
    "sign_error_90th": True,
    "sign_error_worst": True,
    "added_r_squared": True,
    "added_r_squared_label_corruption": True,
    "difference_to_best_baseline": True,
    "kendall": True,
    "pearson_log": True,
    "ols_slope": True,
    "repeatability": True,
    "regret": False,
    "regret_worst": False,
    "top_20_hit_rate": True,
}


def test_every_statistic_is_tested_and_says_on_how_much_it_rests(statistics):
    found = of(statistics, "jacobian_norm").loc[list(TESTED)]
    numbers = ["estimate", "p_value", "p_value_corrected", "networks", "ensembles"]
    assert found[numbers].notna().all(axis=None)
    assert (found["p_value"] <= found["p_value_corrected"]).all()
    assert found["low"].notna().to_dict() == TESTED
    no_cells = ["spearman_given_design", "added_r_squared", "difference_to_best_baseline"]
    no_cells += ["conditional_information", "kendall", "pearson_log", "ols_slope", "repeatability"]
    assert found["cells"].isna().to_dict() == {name: name in no_cells for name in TESTED}
    without = found["note"].str.contains("no interval, since resampling the choice")
    assert without.to_dict() == {name: not interval for name, interval in TESTED.items()}
    ceiling = of(statistics, "generalization_gap").loc["noise_ceiling"]
    assert ceiling[["low", "high", "p_value", "networks", "ensembles"]].notna().all()


def test_ceiling_of_pooled_ranks_is_that_of_gaps_around_their_mean(measures, statistics):
    """An analysis of variance of fitted networks, by sums of squares."""
    networks = measures[measures["final"] & (measures["train_accuracy"] >= 0.999)]
    networks = networks.drop_duplicates(["ensemble", "seed"])
    gaps = networks.groupby("ensemble")["generalization_gap"]
    size, seeds = gaps.mean(), gaps.size()
    within = (gaps.var().fillna(0) * (seeds - 1)).sum() / (seeds - 1).sum()
    reliability = 1 - within / (len(seeds) / (1 / seeds).sum()) / size.var()
    ceiling = 6 / np.pi * np.arcsin(np.sqrt(reliability) / 2)
    found = of(statistics, "generalization_gap").loc["noise_ceiling", "estimate"]
    assert found == pytest.approx(ceiling)


def test_measure_that_says_nothing_passes_no_test(statistics):
    # It is a baseline, with which it is not compared.
    names = set(TESTED) - {"difference_to_best_baseline"}
    found = of(statistics, "random_number").loc[list(names)]
    assert found["p_value_corrected"].isna().all()
    assert (found["p_value"] > 0.01).all()


def test_kinds_separate_candidates_from_controls(statistics):
    kinds = statistics.drop_duplicates("measure").set_index("measure")["kind"]
    assert kinds["jacobian_norm"] == "candidate"
    assert kinds["weight_norm"] == "baseline"
    assert kinds[FACTORS].eq("factor").all()
    assert kinds[["random_main_effects_1", "noisy_oracle"]].eq("control").all()
    assert kinds["generalization_gap"] == "ceiling"


@pytest.mark.parametrize("measure", ["jacobian_norm", "transitions", "number_of_parameters"])
def test_estimates_are_those_of_scipy_on_ensemble_means(measures, statistics, measure):
    x, y = means(measures, measure).to_numpy().T
    found = of(statistics, measure)["estimate"]
    assert found["spearman"] == pytest.approx(scipy.stats.spearmanr(x, y).statistic)
    assert found["kendall"] == pytest.approx(scipy.stats.kendalltau(x, y).statistic)
    assert found["pearson_log"] == pytest.approx(scipy.stats.pearsonr(np.log(x), y).statistic)


def test_counts_are_of_networks_and_ensembles_that_have_the_measure(measures, statistics):
    rows = of(statistics, "transitions").dropna(subset="estimate")
    kept = measures[(measures["measure"] == "transitions") & measures["final"]]
    kept = kept[(kept["train_accuracy"] >= 0.999) & np.isfinite(kept["value"])]
    assert set(rows["networks"]) == {len(kept)}
    assert set(rows["ensembles"]) == {kept["ensemble"].nunique()}


def test_intervals_hold_their_estimates(statistics):
    rows = statistics.dropna(subset=["low", "high", "estimate"])
    rows = rows[~rows["statistic"].isin(["regret", "rank", "difference_to_best_baseline"])]
    assert (rows["low"] <= rows["estimate"] + 1e-12).all()
    assert (rows["estimate"] <= rows["high"] + 1e-12).all()
    missing = statistics[statistics["estimate"].isna()]
    assert (missing["note"] != "").all()


def test_known_relations_are_found_and_others_are_not(statistics):
    for selection in ("fitted", "all"):
        found = of(statistics, "jacobian_norm", selection)
        assert found.loc["spearman", "low"] > 0.8
        assert found.loc["spearman", "p_value_corrected"] <= 0.05
        random = of(statistics, "random_number", selection)
        assert random.loc["spearman", "low"] < 0 < random.loc["spearman", "high"]


def test_a_function_of_the_hyperparameters_says_so_and_adds_nothing(statistics):
    found = of(statistics, "label_corruption")
    assert found.loc["spearman", "estimate"] > 0.9
    assert np.isnan(found.loc["spearman_within_label_corruption", "estimate"])
    assert found.loc["spearman_within_label_corruption", "note"] == (
        "constant within every level of label corruption"
    )
    assert found.loc["spearman_given_design", "note"] == (
        "is a function of the hyper-parameters alone"
    )
    assert found.loc["added_r_squared", "estimate"] == pytest.approx(0)


def test_the_noisy_oracle_is_found_by_every_judge(statistics):
    found = of(statistics, "noisy_oracle")
    judges = ["spearman", "spearman_within_label_corruption", "granulated_kendall"]
    assert (found.loc[judges, "p_value"] <= 0.05).all()
    assert found.loc["sign_error_mean", "estimate"] < 0.1


def test_perfect_and_reversed_measures(measures):
    def judged(sign):
        perfect = replaced(measures, lambda rows: sign * rows["generalization_gap"])
        return of(fitted(perfect)[0], "jacobian_norm")

    plain, reverse = judged(1), judged(-1)
    assert plain.loc[CORRELATIONS, ["estimate", "high"]].to_numpy() == pytest.approx(1)
    assert (plain.loc[CORRELATIONS[:-1], "low"] > 0.98).all()
    assert 0.8 < plain.loc["granulated_kendall", "low"] < 0.98  # not all pairs are in its cells
    assert (plain.loc[CORRELATIONS[2:], "p_value"] == 1 / (1 + PERMUTATIONS)).all()
    assert plain.loc["sign_error_worst", "estimate"] == 0
    assert reverse.loc["sign_error_worst", "estimate"] == 1
    assert plain.loc["conditional_information", "estimate"] == pytest.approx(1)
    assert plain.loc[["regret", "regret_worst"], "estimate"].tolist() == [0, 0]
    expected = -plain.loc[CORRELATIONS, ["estimate", "high", "low"]].to_numpy()
    found = reverse.loc[CORRELATIONS, ["estimate", "low", "high"]].to_numpy()
    assert found == pytest.approx(expected)


def test_ranks_do_not_see_increasing_maps(measures):
    def judged(function):
        waves = replaced(
            measures,
            lambda rows: function(
                rows.groupby("ensemble")["generalization_gap"].transform("mean")
                + 0.2 * np.sin(99 * rows["label_corruption"] + rows["depth"])
            ),
        )
        return of(fitted(waves)[0], "jacobian_norm")

    plain, mapped = judged(lambda x: x), judged(lambda x: np.exp(5 * x))
    columns = ["estimate", "low", "high", "p_value"]
    pd.testing.assert_frame_equal(
        plain.loc[[*CORRELATIONS, "spearman_given_design"], columns],
        mapped.loc[[*CORRELATIONS, "spearman_given_design"], columns],
    )


def test_name_says_whether_logarithms_are_used(measures):
    signed = replaced(measures, lambda rows: rows["generalization_gap"] - 0.3)
    found = of(fitted(signed)[0], "jacobian_norm")
    assert found.loc["pearson", "estimate"] == pytest.approx(1)
    assert "pearson_log" not in found.index


@pytest.mark.parametrize(
    ("measure", "note"),
    [("constant", "the measure is the same for all ensembles"), ("lost", "no network is left")],
)
def test_no_relation_has_a_reason(statistics, measure, note):
    for selection in ("fitted", "all"):
        rows = of(statistics, measure, selection)
        assert (rows.loc[["spearman", "kendall", "ols_slope"], "note"] == note).all()


def test_four_ensembles_are_too_few(measures):
    few = measures[measures["ensemble"].isin(measures["ensemble"].unique()[:4])]
    rows, design = fitted(few)
    told = of(rows, "jacobian_norm")
    assert told.loc[CORRELATIONS[:2], "estimate"].isna().all()
    assert (told["note"].loc[CORRELATIONS[:2]] == "4 of the 5 ensembles that are needed").all()
    assert told[["p_value", "p_value_corrected"]].isna().all(axis=None)
    assert design.loc[design["factor"].str.startswith("minimum"), "value"].iloc[0] > 0.9 or (
        design["value"].isna().all()
    )


def test_each_dataset_of_several_has_the_statistics_of_its_networks_alone():
    measures = made_measures_of_two()
    measures = measures[measures["measure"].isin(["jacobian_norm", "random_number", "lost"])]
    together, _ = fitted(measures)
    assert list(together["dataset"].unique()) == ["all", "mnist_subset", "digits"]
    columns = ["estimate", "low", "high", "networks", "ensembles"]
    for dataset in ("mnist_subset", "digits"):
        alone, _ = fitted(measures[measures["dataset"] == dataset])
        pd.testing.assert_frame_equal(
            of(together, "jacobian_norm", dataset=dataset)[columns],
            of(alone, "jacobian_norm")[columns],
        )
    assert "spearman_within_dataset" in of(together, "jacobian_norm").index
    assert primary_statistic(together, "spearman_within") == "spearman_within_label_corruption"
    # Levels of a factor are compared within each dataset, whose gaps differ anyway.
    cells = of(together, "jacobian_norm")["cells"]
    assert cells["spearman_within_dataset"] == 2
    assert cells["spearman_within_label_corruption"] == 8
    # Ψ holds the dataset fixed, whose ψ stands alone.
    psi = of(together, "jacobian_norm")["estimate"]
    swept = [f"granulated_kendall_{factor}" for factor in FACTORS]
    assert psi["granulated_kendall"] == pytest.approx(psi[swept].mean())
    assert cells["granulated_kendall"] == cells[swept].sum()
    assert abs(psi["granulated_kendall_dataset"] - psi["granulated_kendall"]) > 0.01


def test_correction_is_over_candidates_alone(statistics):
    tested = statistics.dropna(subset="p_value_corrected")
    assert set(tested["kind"]) == {"candidate"}
    assert (tested["p_value_corrected"] >= tested["p_value"]).all()


def test_same_generator_gives_the_same_numbers_whatever_else_is_measured(measures, statistics):
    alone, _ = fitted(measures[measures["measure"] == "jacobian_norm"])
    columns = ["estimate", "low", "high", "p_value"]
    judges = [*CORRELATIONS, "spearman_given_design", "conditional_information", "regret"]
    for selection in ("fitted", "all"):
        pd.testing.assert_frame_equal(
            of(alone, "jacobian_norm", selection).loc[judges, columns],
            of(statistics, "jacobian_norm", selection).loc[judges, columns],
        )


def test_higher_level_is_a_wider_interval(measures, statistics):
    narrow, _ = fitted(measures[measures["measure"] == "transitions"], level=0.5)
    narrow, wide = (of(one, "transitions").loc[CORRELATIONS] for one in (narrow, statistics))
    assert (narrow["low"] > wide["low"]).all()
    assert (narrow["high"] < wide["high"]).all()


def test_design_says_what_factors_explain(measures, statistics, design):
    assert list(design) == DESIGN
    rows = design[design["selection"] == "fitted"].set_index("factor")
    gap = measures[measures["final"] & (measures["train_accuracy"] >= 0.999)]
    gap = (
        gap
        .drop_duplicates(["ensemble", "seed"])
        .groupby("ensemble")
        .agg(gap=("generalization_gap", "mean"), level=("label_corruption", "first"))
    )
    of_level = gap.groupby("level")["gap"].transform("mean")
    expected = of_level.var(ddof=0) / gap["gap"].var(ddof=0)
    assert rows.loc["label_corruption", "r_squared"] == pytest.approx(expected)
    assert rows.loc["all_main_effects", "r_squared"] >= rows.loc[FACTORS, "r_squared"].max()
    assert primary_statistic(statistics, "spearman_within") == "spearman_within_label_corruption"
    assert primary_statistic(statistics, "granulated_kendall") == "granulated_kendall"
    assert 0 < rows.loc["minimum_detectable_correlation", "value"] < 1


def test_design_says_what_correlation_the_study_can_detect(measures, design):
    rows = design[design["selection"] == "fitted"].set_index("factor")
    fits = measures[measures["final"] & (measures["train_accuracy"] >= 0.999)]
    factors = fits.drop_duplicates("ensemble")[FACTORS]
    family = len({*measures["measure"]} - {*BASELINES})
    dummies = pd.get_dummies(factors.astype(str)).assign(intercept=1).astype(float)
    for held_fixed, rank in {
        "": 1,
        "_given_design": np.linalg.matrix_rank(dummies),
        "_within_label_corruption": factors["label_corruption"].nunique(),
    }.items():
        row = rows.loc[f"minimum_detectable_correlation{held_fixed}"]
        assert row["value"] == pytest.approx(least_correlation(len(factors), rank, family=family))
        assert row["note"] == f"at 80 % power, p-values corrected for {family} measures"


def test_design_says_how_often_random_functions_of_it_are_shown(measures, design):
    """Label corruption explains the gap, and levels of the rest decide what it leaves."""
    rows = design[design["selection"] == "fitted"].set_index("factor")
    row = rows.loc["shown_random_main_effects_within_label_corruption"]
    assert 0.05 < row["value"] < 0.9
    assert row["note"] == "share of 500 draws with p of at most 0.05"
    # Of a gap that the factors say nothing of, at the level of the test.
    noise = np.random.default_rng(3).normal(size=measures["ensemble"].nunique())
    codes = pd.factorize(measures["ensemble"])[0]
    _, at_random = fitted(measures.assign(generalization_gap=noise[codes]), permutations=19)
    found = at_random[at_random["factor"].str.startswith("shown_random_main_effects")]
    assert (found["value"] < 0.35).all()


def test_hyperparameters_are_rivals_of_measures(statistics):
    """Init scale is the best of what knows least, within label corruption."""
    rows = statistics.query("selection == 'fitted' and dataset == 'all'").set_index("measure")
    within = rows[rows["statistic"] == "spearman_within_label_corruption"]["estimate"].abs()
    kinds = rows["kind"].groupby(level=0).first()
    rivals = within[kinds[within.index].isin(["baseline", "factor"])]
    row = of(statistics, "jacobian_norm").loc["difference_to_best_baseline"]
    assert row["estimate"] == pytest.approx(within["jacobian_norm"] - rivals.max())
    assert row["note"].endswith(f"; less that of {rivals.idxmax().replace('_', ' ')}")


def test_simultaneous_intervals_contain_the_plain_estimates(statistics):
    row = of(statistics, "jacobian_norm").loc["simultaneous_interval"]
    plain = of(statistics, "jacobian_norm").loc["spearman_within_label_corruption"]
    assert row["low"] < row["estimate"] == plain["estimate"] < row["high"]


def test_a_study_that_sweeps_over_nothing_has_pooled_correlations(measures):
    rows, _ = fitted(measures.assign(depth=2, init_scale=1.0, label_corruption=0.0, width=9))
    assert primary_statistic(rows, "spearman_within") == "spearman"
    assert of(rows, "jacobian_norm").loc["spearman", "estimate"] > 0.8
    assert of(rows, "jacobian_norm").loc["granulated_kendall", "note"] == "no factor is swept"


def test_one_factor_has_no_interactions(measures):
    rows, _ = fitted(measures.assign(depth=2, init_scale=1.0, width=9))
    told = set(of(rows, "jacobian_norm").index)
    assert "spearman_given_design" in told
    assert "spearman_given_interactions" not in told


def test_worst_regret_is_over_the_levels_of_the_dominant_factor(measures, statistics):
    cells = of(statistics, "jacobian_norm")["cells"]
    fits = measures[measures["final"] & (measures["train_accuracy"] >= 0.999)]
    assert cells["regret_worst"] == fits["label_corruption"].nunique()
    assert cells["regret"] == cells["top_20_hit_rate"] == 1


def test_choice_that_no_permutation_changes_has_a_p_value_of_one(statistics):
    """Sums in another order differ by rounding, which is no less regret."""
    chosen = of(statistics, "label_corruption").loc[["regret", "regret_worst"], "p_value"]
    assert chosen.tolist() == [1, 1]


def test_impossible_permutations(measures):
    for none in (0, -1):
        with pytest.raises(ValueError, match=rf"^permutations must be at least 1, not {none}\.$"):
            fitted(measures, permutations=none)


@pytest.mark.parametrize("measure", ["output_entropy", "weight_norm"])
def test_training_loss_is_held_fixed_beside_the_design(measures, statistics, measure):
    """Residuals of ranks on dummies of all levels and on the ranks of the mean ln(loss)."""
    rows = measures[
        (measures["measure"] == measure) & measures["final"] & (measures["train_accuracy"] >= 0.999)
    ]
    ensembles = rows.assign(loss=np.log(rows["train_loss"])).groupby("ensemble")
    x, y, loss = ensembles[["value", "generalization_gap", "loss"]].mean().rank().to_numpy().T
    levels = ensembles[list(FACTORS)].first()
    dummies = pd.get_dummies(levels.astype(str)).to_numpy(float)
    held = np.column_stack([np.ones(len(x)), dummies, loss])
    left = [one - held @ np.linalg.lstsq(held, one, rcond=None)[0] for one in (x, y)]
    found = of(statistics, measure).loc["spearman_given_design_and_training_loss"]
    assert found["estimate"] == pytest.approx(np.corrcoef(*left)[0, 1])
    assert found["low"] < found["estimate"] < found["high"]
    assert 0 < found["p_value"] <= 1


def test_without_a_training_loss_none_is_held_fixed(measures):
    some = measures[measures["measure"] == "output_entropy"].assign(train_loss=np.nan)
    resampling = Resampling(np.random.default_rng(0), 10)
    found = fit_statistics(some, resampling=resampling, permutations=19)[0]["statistic"]
    assert "spearman_given_design" in set(found)
    assert "spearman_given_design_and_training_loss" not in set(found)


def test_defaults_are_those_of_the_configuration():
    schema = yaml.safe_load(Path("workflow/schemas/study.schema.yaml").read_text())
    settings = schema["$defs"]["statistics"]["properties"]
    shared = {"fitted_accuracy", "level", "permutations", "resamples"}
    for function in (fit_statistics, excluded, Resampling, claims, verdict):
        named = inspect.signature(function).parameters
        assert shared & {*named}
        for name in shared & {*named}:
            assert named[name].default == settings[name]["default"], (function, name)


def pairs_of(measures, function):
    """Every pair of networks of an ensemble, with a value of the gaps of the two."""
    networks = measures[measures["final"]].drop_duplicates(["ensemble", "seed"])
    both = networks.merge(networks, on="ensemble", suffixes=("_a", "_b"))
    both = both[both["seed_a"] < both["seed_b"]]
    gaps = both["generalization_gap_a"], both["generalization_gap_b"]
    columns = both[["ensemble", "seed_a", "seed_b"]]
    return columns.assign(measure="of_pairs", value=function(*gaps), reason="")


def test_a_measure_of_ensembles_is_ranked_by_its_mean_over_pairs(measures):
    table, _ = fitted(measures, ensemble_measures=pairs_of(measures, lambda a, b: (a + b) / 2))
    found = of(table, "of_pairs", "all")
    # With as many pairs of every network, the mean over pairs is the mean over networks.
    assert found.loc["spearman", "estimate"] == pytest.approx(1)
    assert found.loc["ols_slope", "estimate"] > 0
    networks = measures[measures["final"]].drop_duplicates(["ensemble", "seed"])
    seeds = networks[np.isfinite(networks["generalization_gap"])].groupby("ensemble").size()
    assert (found["pairs"] == (seeds * (seeds - 1) / 2).sum()).all()
    assert (found["networks"] == seeds[seeds > 1].sum()).all()
    assert found["note"].str.contains("of the ensemble: mean over").all()
    assert (found["kind"] == "candidate").all()
    assert of(table, "weight_norm")["pairs"].isna().all()


def test_a_measure_of_ensembles_has_no_values_of_networks(measures):
    table, _ = fitted(measures, ensemble_measures=pairs_of(measures, lambda a, b: a + b))
    found = of(table, "of_pairs")
    for statistic in ("sign_error_mean", "repeatability"):
        assert np.isnan(found.loc[statistic, "estimate"])
        assert found.loc[statistic, "note"].startswith("no network has a value of its own")


def test_pairs_of_networks_that_did_not_fit_count_among_all_only(measures):
    pairs = pairs_of(measures, lambda a, b: a + b)
    found, _ = fitted(measures, ensemble_measures=pairs)
    counts = [of(found, "of_pairs", one).loc["spearman", "pairs"] for one in ("fitted", "all")]
    fits = measures[measures["train_accuracy"] >= 0.999][["ensemble", "seed"]].drop_duplicates()
    for side in ("a", "b"):
        pairs = pairs.merge(fits.rename(columns={"seed": f"seed_{side}"}))
    assert counts[0] == len(pairs) < counts[1]


def test_measures_of_networks_stay_what_they_were(measures, statistics):
    pairs = pairs_of(measures, lambda a, b: a + b)
    with_pairs, _ = fitted(measures, ensemble_measures=pairs)
    for statistic in ("spearman", "kendall", "ols_slope", "sign_error_mean"):
        for column in ("estimate", "low", "high"):
            before = of(statistics, "jacobian_norm").loc[statistic, column]
            assert of(with_pairs, "jacobian_norm").loc[statistic, column] == before


def test_no_network_that_fits_leaves_rows_that_say_so(measures):
    table, _ = fitted(measures.assign(train_accuracy=0.5))
    rows = table[table["selection"] == "fitted"]
    assert set(rows["measure"]) >= {"jacobian_norm", "weight_norm"}
    assert rows["estimate"].isna().all() and (rows["networks"] == 0).all()
    assert set(rows.query("statistic == 'spearman'")["note"]) == {"no network is left"}
    assert table[table["selection"] == "all"]["estimate"].notna().any()


@pytest.fixture
def design_alone(monkeypatch):
    """Designs without a league, which they need no time for."""
    monkeypatch.setattr("generalization.statistics.fit_statistics.league", lambda *_, **__: [])

    def of_study(measures):
        _, design = fitted(measures)
        return design[design["selection"] == "fitted"].set_index("factor")

    return of_study


def test_few_ensembles_have_main_effects_and_no_interactions(measures, design_alone):
    few = measures[measures["ensemble"].isin(sorted(measures["ensemble"].unique())[:6])]
    for some, note in ((few, "too few ensembles for pairwise interactions"), (measures, "")):
        rows = design_alone(some)
        notes = rows.loc[rows["one_factor_pairs"].notna(), "note"].to_dict()
        assert notes.pop("pairwise_interactions") == note
        assert set(notes.values()) == {""}


def test_no_factor_explains_a_gap_that_does_not_vary(measures, design_alone):
    rows = design_alone(measures.assign(generalization_gap=0.25))
    assert rows.index.str.startswith("minimum_detectable_correlation").all()


def test_interval_within_strata_is_that_of_their_sizes(measures, statistics):
    values = means(measures, "jacobian_norm")
    levels = measures.groupby("ensemble")["init_scale"].first()[values.index].to_numpy()
    sizes = np.unique(levels, return_counts=True)[1]
    row = of(statistics, "jacobian_norm").loc["spearman_within_init_scale"]
    assert row["cells"] == len(sizes)
    expected = order_bounds(row["estimate"], tuple(sorted(map(int, sizes))), 0.95)
    assert [row["low"], row["high"]] == pytest.approx(expected)


def test_gaps_are_permuted_within_two_levels_of_the_dominant_factor(measures, monkeypatch):
    seen = []

    def spied(means, gap, strata, orders):
        seen.append((strata, orders))
        return selection_null(means, gap, strata, orders)

    monkeypatch.setattr("generalization.statistics.league.selection_null", spied)
    # The slow judges, which permute gaps in ways of their own.
    for judge in ("stratified", "given_design", "granulated", "information", "sign_errors"):
        name = f"generalization.statistics.league._Judges.{judge}"
        monkeypatch.setattr(name, lambda _: iter(()))
    least, *_, most = sorted(measures["label_corruption"].unique())
    one = measures[measures["measure"] == "jacobian_norm"]
    fitted(one[one["label_corruption"].isin([least, most])], permutations=9)
    assert seen
    for strata, orders in seen:
        assert strata.max() == 1
        assert (strata[orders] == strata).all()


def test_judges_of_pairs_see_some_of_many_ensembles(measures, statistics, monkeypatch):
    ensembles = measures["ensemble"].nunique()
    monkeypatch.setattr("generalization.statistics.league.ENSEMBLES_OF_PAIRS", ensembles - 3)
    some, _ = fitted(measures)
    of_pairs = some["statistic"].str.match("conditional_information|sign_error")
    one = ["measure", "statistic", "selection", "dataset"]
    both = some[~of_pairs].merge(statistics, on=one, how="left", suffixes=("", "_before"))
    assert (both["estimate"].fillna(9) == both["estimate_before"].fillna(9)).all()
    seen = some[of_pairs & (some["measure"] == "jacobian_norm") & (some["selection"] == "all")]
    assert len(seen) == 4
    assert set(seen["ensembles"]) == {ensembles - 3}
    words = f"of {ensembles - 3} of {ensembles} ensembles, drawn at random"
    assert seen["note"].str.endswith(words).all()
    information = seen[seen["statistic"] == "conditional_information"].iloc[0]
    assert information["low"] <= information["estimate"] <= information["high"]


def test_information_of_many_pairs_sees_fewer_permutations(measures, monkeypatch):
    ensembles = measures["ensemble"].nunique()
    permuted = 7 * ensembles * (ensembles - 1) // 2
    monkeypatch.setattr("generalization.statistics.league.PAIRS_PERMUTED", permuted)
    some, _ = fitted(measures, permutations=9)
    seen = some[(some["statistic"] == "conditional_information") & (some["selection"] == "all")]
    one = seen[seen["measure"] == "jacobian_norm"].iloc[0]
    assert one["note"].endswith("with permuted gaps (7 permutations)")
    assert 8 * one["p_value"] == pytest.approx(round(8 * one["p_value"]))


def test_many_ensembles_have_intervals_of_groups(measures, statistics, monkeypatch):
    ensembles = measures["ensemble"].nunique()
    monkeypatch.setattr("generalization.statistics.draws.MOST_GROUPS", ensembles - 4)
    some, _ = fitted(measures)
    one = ["measure", "statistic", "selection", "dataset"]
    both = some.merge(statistics, on=one, suffixes=("", "_before"))
    assert len(both) == len(statistics)
    for column in ("estimate", "p_value"):
        assert (both[column].fillna(9) == both[f"{column}_before"].fillna(9)).all()
    smooth = both["statistic"].isin(["spearman", "kendall", "spearman_given_design"])
    usual = both[smooth & (both["kind"] == "candidate") & (both["estimate"].abs() < 0.9)]
    width, before = usual["high"] - usual["low"], usual["high_before"] - usual["low_before"]
    assert 0.7 < (width / before).median() < 1.4
    assert len(usual) > 10


def made_errors(measures, images=4000):
    """Errors of all networks at their last step, as many as their accuracies say.

    Nine in ten are among the images that are hardest for all.
    """
    generator = np.random.default_rng(3)
    hardness, rows = generator.random(images), []
    networks = measures[measures["final"]].drop_duplicates(["ensemble", "seed"])
    for _, one in networks.iterrows():
        order = np.argsort(hardness + 0.1 * generator.normal(size=images))
        wrong = np.zeros(images, bool)
        wrong[order[: round((1 - one["test_accuracy"]) * images)]] = True
        cells = one[["ensemble", "seed", "step"]].to_list()
        rows.append([*cells, images, wrong.mean(), packed_text(wrong)])
    return pd.DataFrame(
        rows, columns=["ensemble", "seed", "step", "test_images", "test_error", "misclassified"]
    )


WEIGHTED = "weighted by McNemar's test"
BOUNDS = "weighted by two Hoeffding bounds"


@pytest.fixture(scope="module")
def with_errors(measures):
    return fitted(measures, image_errors=made_errors(measures), test_sizes={"mnist_subset": 4000})[
        0
    ]


def sign_rows(statistics):
    return statistics[statistics["statistic"].str.startswith("sign_error")]


def test_rows_of_sign_errors_say_how_pairs_are_weighted(with_errors, statistics):
    assert sign_rows(with_errors)["note"].str.endswith(WEIGHTED).all()
    assert sign_rows(statistics)["note"].str.endswith(BOUNDS).all()


def test_single_errors_change_sign_errors_alone(measures, with_errors):
    bounds, _ = fitted(measures, test_sizes={"mnist_subset": 4000})
    one = ["measure", "statistic", "selection", "dataset"]
    both = with_errors.merge(bounds, on=one, suffixes=("", "_before"))
    assert len(both) == len(bounds) == len(with_errors) - 2
    others = both[~both["statistic"].str.startswith("sign_error")]
    for column in ("estimate", "low", "high", "p_value", "p_value_corrected"):
        assert (others[column].fillna(9) == others[f"{column}_before"].fillna(9)).all(), column
    # Weights are those of the gap, so that every measure has at least as many environments.
    signs = sign_rows(both)
    assert (signs["cells"] >= signs["cells_before"]).all()
    assert (signs["cells"] > signs["cells_before"]).any()


def test_share_of_the_test_set_is_that_of_the_networks_that_count(measures, with_errors):
    for selection in ("fitted", "all"):
        row = of(with_errors, "generalization_gap", selection).loc[TEST_SET_SHARE]
        some = measures[measures["final"]].drop_duplicates(["ensemble", "seed"])
        if selection == "fitted":
            some = some[(some["train_accuracy"] >= 0.999)]
        errors = made_errors(measures).merge(some[["ensemble", "seed"]])
        parts = []
        for _, rows in errors.groupby("ensemble"):
            wrong = np.stack([unpacked_text(one, 4000) for one in rows["misclassified"]])
            parts.append(accuracy_variance(~wrong))
        known = np.array([part for part in parts if np.isfinite(part.total)])
        assert row["estimate"] == pytest.approx(known[:, 2].sum() / known[:, 0].sum())
        assert row["low"] < row["estimate"] < row["high"]
        assert row["ensembles"] == len(known)
        assert row["networks"] == len(errors)


def test_one_network_without_errors_leaves_two_bounds_to_all(measures):
    some = measures[measures["measure"].isin(["jacobian_norm", "random_number"])]
    errors = made_errors(some)
    last = some[some["final"] & (some["train_accuracy"] >= 0.999)].drop_duplicates([
        "ensemble",
        "seed",
    ])
    first = last.iloc[0]
    of_first = (errors["ensemble"] == first["ensemble"]) & (errors["seed"] == first["seed"])
    found, _ = fitted(some, image_errors=errors[~of_first], permutations=19)
    expected, _ = fitted(some, permutations=19)
    rows = sign_rows(found).query("selection == 'fitted'")
    lacking = f"1 of {len(last)} networks have no image errors"
    assert rows["note"].str.endswith(f"{BOUNDS}, since {lacking}").all()
    assert (
        rows["estimate"] == sign_rows(expected).query("selection == 'fitted'")["estimate"]
    ).all()
    row = of(found, "generalization_gap").loc[TEST_SET_SHARE]
    assert np.isnan(row["estimate"])
    assert row["note"] == lacking


def test_pairs_of_two_datasets_are_weighted_by_two_variances():
    both = made_measures_of_two()
    both = both[both["measure"].isin(["jacobian_norm", "random_number"])]
    found, _ = fitted(both, image_errors=made_errors(both), permutations=19)
    notes = sign_rows(found).set_index("dataset")["note"]
    assert (
        notes["all"].str.endswith(f"{WEIGHTED}, of two test sets by two binomial variances").all()
    )
    assert notes["digits"].str.endswith(WEIGHTED).all()


def test_prediction_of_levels_of_few_ensembles_has_no_interval(measures):
    names = sorted(measures["ensemble"].unique())[:11]
    few = measures[measures["ensemble"].isin(names) & (measures["measure"] == "jacobian_norm")]
    found, _ = fitted(few, permutations=19)
    row = of(found, "jacobian_norm").loc["added_r_squared_depth"]
    assert np.isfinite(row["estimate"])
    assert np.isnan(row["low"])
    assert row["note"] == "no interval from fewer than 12 ensembles"
    assert row["cells"] == 3

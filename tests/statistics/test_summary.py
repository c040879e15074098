import numpy as np
import pandas as pd
import pytest
from oracles.league_tables import FACTOR, WITHIN, made_design, made_statistics
from oracles.studies import made_measures

from generalization.statistics.selection_on_fit import WARNING
from generalization.statistics.summary import summary
from generalization.tables import read_table, write_table

STUDIED = (
    "144 networks were trained on mnist_subset: 36 ensembles of 4 seeds, varying label corruption "
    "(0, 0.25, 0.5, 1), depth (2, 3, 5), init scale (0.5, 1, 2), and width (100, 200). 135 of "
    "them, in 34 ensembles, fit their training set (train accuracy of at least 99.9 %); their "
    "generalization gap (train − test accuracy) ranges from 5.2 to 90.0 percentage points."
)
TWO_DISTRIBUTIONS = (
    "75 % of the networks are trained on corrupted labels and tested on clean ones: their gap is "
    "between two distributions, and not only one of generalization."
)
EXCLUDED = (
    "Excluded from these statistics: 135 networks (no finite value: lost), 1 network (no finite "
    "value: transitions), 8 networks (train accuracy below 0.999), and 1 network (diverged)."
)
CLAIMS = pd.DataFrame({
    "claim": ["Norms go with the gap", "Norms go with the gap", "Larger is less sensitive"],
    "source": ["Novak et al. 2018, Fig. 4", "Novak et al. 2018, Fig. 4", "Novak et al. 2018, §4"],
    "verdict": ["replicates", "inconclusive: no interval", "does not replicate"],
})


@pytest.fixture(scope="module")
def measures():
    return made_measures()


@pytest.fixture(scope="module")
def statistics():
    return made_statistics()


def found(sentences, start):
    """The one sentence that begins so."""
    chosen = [one for one in sentences if one.startswith(start)]
    assert len(chosen) == 1, sentences
    return chosen[0]


def changed(statistics, measure, **values):
    """The table with other values of the primary statistic of a measure."""
    rows = (statistics["measure"] == measure) & (statistics["statistic"] == WITHIN)
    return statistics.assign(**{
        key: statistics[key].where(~rows, value) for key, value in values.items()
    })


def test_measures_that_are_not_exact_are_named(statistics, measures):
    assert not [one for one in summary(statistics, measures) if one.startswith("Values of")]
    methods = {"jacobian_norm": "sampled", "transitions": "searched"}
    told = measures.assign(method=measures["measure"].map(methods).fillna("exact"))
    assert [one for one in summary(statistics, told) if one.startswith("Values of")] == [
        "Values of Jacobian norm depend on random numbers, on a grid or on a part of the training "
        "set.",
        "Values of transitions are the best that a search has found.",
    ]


def test_a_front_page(statistics, measures):
    assert summary(statistics, measures, design=made_design()) == [
        "Jacobian norm ranks the gap of fitted networks best, at equal label corruption: its rank "
        "correlation is 0.73 [0.51, 0.95] ([0.51, 0.95], allowing for the choice among them) over "
        "127 networks of 32 ensembles (pooled 0.88 [0.66, 1.00]; given all hyper-parameters 0.16 "
        "[−0.06, 0.38]; not shown to be ahead of weight norm: 0.09 [−0.13, 0.31], p = 1). A "
        "relation is shown by 6 of 7 candidate measures.",
        "3 of 7 candidate measures are shown to rank the gap at equal label corruption and given "
        "all hyper-parameters too: logit Jacobian norm, normalized transitions, and noise to "
        "signal slope. The former alone tells little: of random functions of the hyper-parameters "
        "(sums of main effects), 36 % correlate with this gap at equal label corruption, by a "
        "test at 5 %.",
        STUDIED,
        TWO_DISTRIBUTIONS,
        "Label corruption explains 98.9 % of the variance of the gap, init scale 0.4 %, width "
        "0.1 %, all hyper-parameters together 99.4 %, with their pairwise interactions 99.7 %.",
        "Noise of seeds limits the rank correlation of any measure with the gap, at equal label "
        "corruption, to 0.97 [0.95, 0.99]; 0.24 of it is left beyond the strongest measure.",
        "A study of this size detects a correlation of 0.49, at equal label corruption, with a "
        "power of 80 %; weaker ones it is likely to miss.",
        "The judges do not agree on the best candidate: Jacobian norm by the correlation within "
        "label corruption, the pooled correlation, granulated Kendall's Ψ, conditional "
        "information, and the regret of selecting by it; noise to signal slope by the correlation "
        "given all hyper-parameters and added prediction; output sensitivity by the worst sign "
        "error.",
        "Among the baselines, weight norm (0.64 [0.42, 0.86]) shows a relation; output entropy "
        "(−0.28 [−0.50, −0.06], p = 1), training loss (−0.22 [−0.44, 0.00]), and number of "
        "parameters (0.03 [−0.19, 0.25]) do not.",
        "Among the controls and swept hyper-parameters, init scale (0.55 [0.33, 0.77]) and noisy "
        "oracle (0.90 [0.68, 1.00]) show a relation; label corruption (is a function of the "
        "hyper-parameters alone), width (0.04 [−0.18, 0.26]), random main effects (−0.11 [−0.33, "
        "0.11]), random per ensemble (0.02 [−0.20, 0.24]), and random per network (0.06 [−0.16, "
        "0.28]) do not.",
        "If all 128 networks count, the same relations are shown; the strongest correlation is "
        "that of Jacobian norm.",
        EXCLUDED,
    ]


@pytest.mark.parametrize("least", [0.995, np.nan])
def test_a_study_that_can_hardly_find_anything_says_so(statistics, measures, least):
    design = made_design()
    power = design["factor"].str.startswith("minimum_detectable")
    lines = summary(
        statistics, measures, design=design.assign(value=design["value"].mask(power, least))
    )
    (line,) = [one for one in lines if one.startswith("A study of this size")]
    assert line == (
        "A study of this size is likely to miss any correlation, at equal label corruption, "
        "however strong."
    )
    nothing = design.assign(ensembles=0)
    lines = summary(statistics, measures, design=nothing)
    assert not [one for one in lines if one.startswith("A study of this size")]


def test_front_page_says_what_the_test_set_makes_of_the_noise_of_seeds(statistics, measures):
    ceiling = statistics[statistics["statistic"] == f"noise_ceiling_within_{FACTOR}"]
    share = ceiling.assign(
        statistic="test_set_share_of_seed_variance", estimate=0.63, low=0.5, high=0.71
    )
    lines = summary(pd.concat([statistics, share]), measures)
    (line,) = [one for one in lines if one.startswith("Noise of seeds")]
    assert line.endswith(
        "beyond the strongest measure. Of the variance of test accuracies between seeds, the "
        "finite test set makes the fraction 0.63 [0.50, 0.71]."
    )
    unknown = pd.concat([statistics, share.assign(estimate=np.nan)])
    assert summary(unknown, measures) == summary(statistics, measures)


def test_networks_of_one_ensemble_from_two_devices_are_seen(statistics, measures):
    made_on = {"device": ["A100", "A100", "H100"], "driver": "580.65", "torch": "2.13"}
    training = pd.DataFrame({"ensemble": ["a", "b", "b"], "seed": [1, 1, 2], "final": True})
    last = summary(statistics, measures, training=training.assign(**made_on))[-1]
    assert last == (
        "Networks of 1 ensemble (b) were not all trained on the same device, with the same driver "
        "and torch: A100 580.65 2.13; H100 580.65 2.13. The same seeds give the same bits on one "
        "of them only."
    )
    made_on["device"] = ["A100, then H100", "A100", "A100"]
    last = summary(statistics, measures, training=training.assign(**made_on))[-1]
    assert last.startswith("Networks of 1 ensemble (a) were not all")
    assert summary(statistics, measures, training=training)[-1] == EXCLUDED


def test_what_networks_were_trained_on_is_told_and_another_torch_is_seen(statistics, measures):
    made_on = {"device": "A100", "driver": np.nan, "torch": "2.13"}
    training = pd.DataFrame({"ensemble": ["a", "b", "b"], "seed": [1, 1, 2], "final": True})
    last = summary(statistics, measures, training=training.assign(**made_on))[-1]
    assert last == (
        "All networks were trained on the same device, with the same driver and torch: A100 2.13."
    )
    made_on["torch"] = ["2.12", "2.13", "2.13"]
    last = summary(statistics, measures, training=training.assign(**made_on))[-1]
    assert last == (
        "Networks of different ensembles were not all trained on the same device, with the same "
        "driver and torch: 1 with A100 2.12; 2 with A100 2.13."
    )


def test_strength_has_no_sign(statistics, measures):
    negative = changed(statistics, "jacobian_norm", estimate=-0.73, low=-0.95, high=-0.51)
    assert (
        "best, at equal label corruption: its rank correlation is −0.73 [−0.95, −0.51]"
        in (summary(negative, measures)[0])
    )


def test_the_primary_statistic_decides(statistics, measures):
    first = summary(statistics, measures, primary="spearman_given_design")[0]
    assert first.startswith(
        "Noise to signal slope ranks the gap of fitted networks best, given all hyper-parameters: "
    )
    assert "(pooled 0.38 [0.16, 0.60]; not shown to be ahead of weight norm: −0.30 [" in first


def judged(statistics, statistic, **values):
    """The table with other values of a statistic of the Jacobian norm."""
    rows = (statistics["measure"] == "jacobian_norm") & (statistics["statistic"] == statistic)
    return statistics.assign(**{
        key: statistics[key].where(~rows, value) for key, value in values.items()
    })


def test_only_a_difference_that_is_shown_puts_a_measure_ahead(statistics, measures):
    name = "difference_to_best_baseline"
    ahead = judged(statistics, name, estimate=0.4, low=0.2, high=0.6, p_value_corrected=0.01)
    assert "; ahead of weight norm by 0.40 [0.20, 0.60])" in summary(ahead, measures)[0]
    doubtful = ahead.assign(
        p_value_corrected=ahead["p_value_corrected"].where(ahead["statistic"] != name, 0.071)
    )
    assert (
        "not shown to be ahead of weight norm: 0.40 [0.20, 0.60], p = 0.071)"
        in (summary(doubtful, measures)[0])
    )
    behind = judged(statistics, name, estimate=-0.4, low=-0.6, high=-0.2, p_value_corrected=0.01)
    assert "; behind weight norm by −0.40 [" in summary(behind, measures)[0]


def test_a_function_of_the_hyperparameters_is_not_said_to_know_more(statistics, measures):
    given = statistics["statistic"] == "spearman_given_design"
    lost = statistics.assign(p_value_corrected=statistics["p_value_corrected"].where(~given, 0.1))
    assert summary(lost, measures)[1] == (
        "None of 7 candidate measures is shown to rank the gap at equal label corruption and given "
        "all hyper-parameters too."
    )


def test_what_adds_no_prediction_does_not_win_by_it(statistics, measures):
    added = statistics["statistic"] == "added_r_squared"
    worse = statistics.assign(estimate=statistics["estimate"].where(~added, -0.2))
    assert "added prediction" not in found(summary(worse, measures), "The judges do not agree")


def test_a_stronger_measure_that_is_not_shown_is_not_the_answer(statistics, measures):
    doubtful = changed(statistics, "jacobian_norm", p_value_corrected=0.2)
    assert summary(doubtful, measures)[0].startswith("Output sensitivity ranks the gap")


@pytest.mark.parametrize("values", [{"p_value_corrected": 0.051}, {"low": -0.01, "high": 0.9}])
def test_what_is_not_shown_is_not_called_absent(statistics, measures, values):
    first = summary(statistics.assign(**values), measures)[0]
    assert first.startswith(
        "None of 7 candidate measures is shown to rank the gap of fitted networks at equal label "
        "corruption, which does not mean that none does; the strongest is Jacobian norm: its rank "
        "correlation is 0.73 ["
    )


def test_corrected_p_of_the_strongest_measure_is_given(statistics, measures):
    first = summary(statistics.assign(p_value_corrected=0.051), measures)[0]
    assert first.endswith(". Its corrected p is 0.051.")


def test_judges_that_agree_are_said_to_agree(statistics, measures):
    two = statistics[statistics["measure"].isin(["jacobian_norm", "transitions"])]
    assert found(summary(two, measures), "All judges agree on the best candidate: Jacobian norm by")


def test_granulated_correlation_is_not_called_pooled(statistics, measures):
    sentences = summary(statistics, measures, primary="granulated_kendall", design=made_design())
    assert "best, where one hyper-parameter varies at a time: its rank" in sentences[0]
    (beyond,) = (one for one in sentences if "given all hyper-parameters too" in one)
    assert "to rank the gap where one hyper-parameter varies at a time and given" in beyond
    assert beyond.endswith("which functions of the hyper-parameters are found to lack as well.")


def test_few_ensembles_rank_no_measures(measures):
    sentences = summary(made_statistics(ensembles=4), measures, design=made_design())
    assert sentences == [
        STUDIED,
        TWO_DISTRIBUTIONS,
        "4 fitted ensembles are too few to rank measures by the gap, which takes at least 5.",
        EXCLUDED,
    ]
    enough = summary(made_statistics(ensembles=5), measures, design=made_design())
    assert enough[0] != STUDIED and not any("too few to rank" in one for one in enough)


def test_nothing_estimated_claims_nothing(statistics, measures):
    lost = statistics.assign(estimate=np.nan, note="no network is left")
    assert summary(lost, measures)[2] == (
        "The relation of measures to the gap of fitted networks was not estimated: no network is "
        "left."
    )
    assert summary(statistics[:0], measures)[2] == (
        "The relation of measures to the gap of fitted networks was not estimated: there is no "
        "candidate measure."
    )


def test_changes_over_all_networks_are_named(statistics, measures):
    everyone = statistics["selection"] == "all"
    rows = everyone & (statistics["statistic"] == WITHIN)
    new = statistics.copy()
    chosen = rows & (new["measure"] == "transitions")
    new.loc[chosen, ["estimate", "low", "high", "p_value_corrected"]] = -0.9, -1, -0.8, 0.001
    new.loc[rows & (new["measure"] == "jacobian_norm"), "low"] = -0.1
    assert found(summary(new, measures), "If all 128") == (
        "If all 128 networks count, shown no more: Jacobian norm; shown in addition: transitions; "
        "of opposite sign: transitions; the strongest correlation is that of transitions."
    )


def test_labels_that_are_true_need_no_warning(statistics, measures):
    true = measures[measures[FACTOR] == 0]
    assert not any("two distributions" in one for one in summary(statistics, true))


def test_best_measure_is_given_within_each_dataset(statistics, measures):
    each = statistics.assign(dataset="digits", estimate=-0.5, low=-0.6, high=-0.4)
    other = each.assign(dataset="mnist", estimate=0.25, low=np.nan, high=np.nan)
    both = pd.concat([statistics, each, other], ignore_index=True)
    first = summary(both, measures)[0]
    assert (
        ". Within datasets, Spearman's ρ is −0.50 [−0.60, −0.40] (digits) and 0.25 (mnist)."
        in first
    )


def test_a_study_of_papers_opens_with_their_claims(statistics, measures):
    sentences = summary(statistics, measures, claims=CLAIMS)
    assert sentences[:3] == [
        "3 comparisons with 2 claims of papers: replicates 1, inconclusive 1, does not replicate "
        "1.",
        "Norms go with the gap (Novak et al. 2018, Fig. 4): replicates 1, inconclusive 1.",
        "Larger is less sensitive (Novak et al. 2018, §4): does not replicate.",
    ]
    assert sentences[3].startswith("Jacobian norm ranks the gap")


def test_a_study_of_papers_need_not_rank_measures(measures):
    few = summary(made_statistics(ensembles=4), measures, claims=CLAIMS)
    assert few[3:] == [STUDIED, TWO_DISTRIBUTIONS, EXCLUDED]
    assert summary(made_statistics(ensembles=4), measures, claims=CLAIMS[:0])[0] == STUDIED


def test_nothing_left_out(statistics, measures):
    good = measures[(measures[FACTOR] < 1) & (measures["measure"] == "weight_norm")]
    assert summary(statistics, good)[-1] == "No network is excluded from these statistics."


def test_tables_that_were_written_and_read_say_the_same(statistics, measures, tmp_path):
    tables = []
    for name, table in {"statistics": statistics, "measures": measures}.items():
        write_table(tmp_path / f"{name}.csv", table)
        tables.append(read_table(tmp_path / f"{name}.csv"))
    assert summary(*tables) == summary(statistics, measures)


def test_front_page_warns_of_measures_on_which_fitting_depends(statistics, measures):
    rows = pd.DataFrame({
        "dataset": ["all", "all", "digits"],
        "statistic": "fitting_given_design",
        "measure": ["jacobian_norm", "transitions", "transitions"],
        "estimate": [-0.5, 0.1, 0.6],
        "low": [-0.7, -0.1, 0.4],
        "high": [-0.3, 0.3, 0.8],
        "note": [WARNING, "", WARNING],
    })
    sentences = summary(statistics, measures, selection_on_fit=rows)
    assert found(sentences, "Whether a network fits") == (
        "Whether a network fits depends on Jacobian norm (−0.50 [−0.70, −0.30]), given all "
        "hyper-parameters: correlations among fitted networks alone are biased for them, and those "
        "of all networks are to be read beside them."
    )
    without = summary(statistics, measures, selection_on_fit=rows.assign(note=""))
    assert without == summary(statistics, measures)


def test_one_judge_agrees_with_nobody(statistics, measures):
    alone = statistics[statistics["statistic"] == WITHIN]
    assert not any("judges" in one for one in summary(alone, measures))


def test_measures_of_few_ensembles_are_no_study_of_few(statistics, measures):
    some = statistics["measure"] == "transitions"
    lost = statistics.assign(
        estimate=np.nan,
        note="the gap is constant",
        ensembles=statistics["ensembles"].mask(some, 3),
    )
    assert summary(lost, measures)[2] == (
        "The relation of measures to the gap of fitted networks was not estimated: the gap is "
        "constant."
    )

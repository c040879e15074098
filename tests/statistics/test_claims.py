import dataclasses
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from oracles.quotations import PASSAGES, folded, parts
from oracles.sensitivity_studies import made_study
from scipy.stats import binom, sem, t

from generalization.catalog import PAPERS, module_of
from generalization.experiments import claims_of, untested_of
from generalization.experiments.output_sensitivity.sensitivity_statistics import (
    sensitivity_statistics,
)
from generalization.statistics.claim import Claim, Control
from generalization.statistics.claims import COLUMNS, claims
from generalization.statistics.joining import DIFFER
from generalization.statistics.pair_statistics import pair_statistics
from generalization.statistics.pairs import pairs
from generalization.statistics.random_effects import random_effects
from generalization.statistics.resampling import Resampling
from generalization.statistics.verdicts import (
    CONTROL_SHOWS_IT,
    MAYBE_CONTROL,
    NO_INTERVAL,
    NO_POWER,
    NO_PREMISE,
    NOT_TESTED,
    OPPOSITE,
    REPLICATES,
    TOO_FEW,
    UNDECIDED,
)

ABOVE = Claim("It grows", "§1", "statistics", "statistic == 'spearman'", "above", quote="grows")
# What is quoted of papers that are no source themselves is the blog's word.
SOURCES = {
    "novak_2018": "novak-2018-paper",
    "daroczy_2020": "daroczy-2020-tangent-sensitivity",
    "forouzesh_2020": "forouzesh-2020-output-sensitivity-slides",
}
CONTROL = Control("untrained networks", ("minus", "minus_low", "minus_high"))


def claims_of_paper(paper):
    return list(claims_of({paper: PAPERS[paper]}))


def statistics(*datasets, low=0.7, high=0.9, **columns):
    return pd.DataFrame({
        "statistic": "spearman",
        "dataset": datasets,
        "estimate": (np.array(low) + np.array(high)) / 2,
        "low": low,
        "high": high,
        "networks": 30,
        "ensembles": 10,
    }).assign(**columns)


def judged(table, claim=ABOVE, **settings):
    return claims([claim], {"statistics": table}, **settings)


def test_every_row_that_speaks_to_a_claim_is_judged():
    rows = statistics("all", "mnist", "digits", low=[0.7, 0.7, -0.1])
    table = judged(rows.assign(networks=[2001, 1, 2000], ensembles=[15, 10, 5]))
    assert list(table) == COLUMNS
    assert table["about"].to_list() == ["mnist", "digits", "joined over mnist and digits"]
    assert table["verdict"].to_list() == [REPLICATES, UNDECIDED, UNDECIDED]
    joined = "2 datasets, 2,001 networks, 15 ensembles"
    assert table["of"].to_list() == [
        "1 network, 10 ensembles",
        "2,000 networks, 5 ensembles",
        joined,
    ]
    assert set(table["quote"]) == {"grows"}
    (row,) = judged(statistics("all")).to_dict("records")
    assert (row["about"], row["verdict"], row["expected"]) == ("all", REPLICATES, "above 0")


def test_claims_without_a_row_are_listed_only_if_asked_for():
    other = dataclasses.replace(ABOVE, claim="It shrinks", rows="statistic == 'kendall'")
    absent = dataclasses.replace(ABOVE, claim="It turns", table="turns")
    tables = {"statistics": statistics("mnist")}
    table = claims([ABOVE, other, absent], tables)
    assert table["claim"].to_list() == [
        "It grows",
        "2 claims that this study's design cannot judge",
    ]
    assert table["verdict"].to_list() == [REPLICATES, NOT_TESTED]
    table = claims(
        [ABOVE, other, absent],
        tables,
        untested=["Depth 65 fits — no study of ours is as deep"],
        untested_claims=True,
    )
    assert table["claim"].to_list() == ["It grows", "It shrinks", "It turns", "Depth 65 fits"]
    assert table["verdict"].to_list() == [REPLICATES] + [NOT_TESTED] * 3
    assert table["reason"].to_list()[1:] == [
        "no row of the table of this study answers it",
        "no table of this study answers it",
        "no study of ours is as deep",
    ]
    assert table.loc[1:, ["estimate", "low", "high"]].isna().all(axis=None)


def test_labels_have_their_own_column():
    table = judged(statistics("mnist", "mnist", labels=["true", "all"]))
    assert table["labels"].to_list() == ["true", "all"]
    assert table["about"].to_list() == ["mnist", "mnist"]


def test_what_the_control_shows_stands_next_to_the_estimate():
    control = dataclasses.replace(ABOVE, control=CONTROL)
    rows = statistics("mnist", minus=0.01, minus_low=-0.01, minus_high=0.03)
    (row,) = judged(rows, control).to_dict("records")
    assert (row["control"], row["verdict"]) == ("untrained networks", CONTROL_SHOWS_IT)
    assert [row[f"control_{key}"] for key in ("estimate", "low", "high")] == [0.01, -0.01, 0.03]
    assert row["reason"] == "as much is shown by untrained networks"


@pytest.mark.parametrize(
    ("lows", "verdict"),
    [
        ((0.2, 0.1), REPLICATES),
        ((-0.8, -0.9), OPPOSITE),
        ((0.2, -0.9), DIFFER),
        ((0.2, -0.1), UNDECIDED),
        ((-0.9, -0.1), UNDECIDED),
    ],
)
def test_two_datasets_must_agree(lows, verdict):
    low = np.array(lows)
    joined = judged(statistics("mnist", "digits", low=low, high=low + 0.4)).iloc[-1]
    assert joined["verdict"] == verdict
    assert joined["estimate"] == pytest.approx((low + 0.2).mean(), abs=1e-9)
    assert np.isnan(joined["low"])
    assert joined["heterogeneity"].startswith("τ ")


def test_control_decides_in_datasets_that_are_joined():
    control = dataclasses.replace(ABOVE, control=CONTROL)
    minus = {"minus": [0.2, 0.0], "minus_low": [0.1, -0.02], "minus_high": [0.3, 0.02]}
    joined = judged(statistics("mnist", "digits", **minus), control).iloc[-1]
    assert joined["verdict"] == DIFFER
    same = {key: [value[1]] * 2 for key, value in minus.items()}
    joined = judged(statistics("mnist", "digits", **same), control).iloc[-1]
    assert joined["verdict"] == CONTROL_SHOWS_IT
    three = judged(
        statistics("mnist", "digits", "cifar10", minus=0.0, minus_low=-0.02, minus_high=0.02),
        control,
    ).iloc[-1]
    assert three["verdict"] == CONTROL_SHOWS_IT
    assert three["control_low"] < three["control_estimate"] < three["control_high"]


def test_three_datasets_have_a_random_effects_mean():
    names = ("mnist", "digits", "cifar10")
    low = np.array([-0.05, 0.0, -0.02])
    table = judged(statistics(*names, low=low, high=low + 0.3))
    # None alone, but all together: the mean has its own interval.
    assert table["verdict"].to_list() == [UNDECIDED] * 3 + [REPLICATES]
    assert table.iloc[-1]["low"] > 0
    apart = judged(statistics(*names, low=[0.2, -0.4, 0.5], high=[0.4, -0.2, 0.7])).iloc[-1]
    assert apart["verdict"] == UNDECIDED
    assert apart["low"] < 0 < apart["high"]
    assert "I² 98 %" in apart["heterogeneity"] or "I² 99 %" in apart["heterogeneity"]


def test_mean_of_three_datasets_has_two_degrees_of_freedom_and_tells_how_they_differ():
    middle, half = np.array([0.02, 0.1, 0.13]), np.array([0.05, 0.04, 0.06])
    table = statistics("a", "b", "c", low=middle - half, high=middle + half)
    spread = random_effects(middle, half / t.ppf(0.975, 9), level=0.95)
    # Two one-sided tests at level 0.05 look at the interval of level 0.9.
    high = spread.mean + spread.half_width * t.ppf(0.95, 2) / t.ppf(0.975, 2)
    for factor, verdict in ((1.001, REPLICATES), (0.999, UNDECIDED)):
        near = dataclasses.replace(ABOVE, expected="near", tolerance=factor * high)
        joined = judged(table, near).iloc[-1]
        assert joined["verdict"] == verdict
    assert joined["high"] == pytest.approx(spread.mean + spread.half_width)
    assert joined["heterogeneity"] == (
        f"τ {spread.tau:.2g}, I² {100 * spread.i_squared:.0f} %, p of equality {spread.p_value:.2g}"
    )


def test_mean_of_correlations_is_on_fishers_scale():
    fisher = dataclasses.replace(ABOVE, scale="fisher")
    ends = {"low": np.tanh([1.0, 1.5, 2.0]), "high": np.tanh([2.0, 2.5, 3.0])}
    table = statistics("a", "b", "c", **ends).assign(estimate=np.tanh([1.5, 2.0, 2.5]))
    assert judged(table, fisher).iloc[-1]["estimate"] == pytest.approx(np.tanh(2.0))


def test_datasets_with_too_few_ensembles_are_not_joined():
    table = judged(statistics("mnist", "digits", "cifar10", ensembles=[10, 4, 10]))
    assert table["verdict"].to_list() == [REPLICATES, TOO_FEW, REPLICATES, REPLICATES]
    assert table.iloc[-1]["about"] == "joined over mnist and cifar10"
    assert len(judged(statistics("mnist", "digits", ensembles=[10, 4]))) == 2
    unable = judged(statistics("mnist", "digits", underpowered=["", "losses are alike"]))
    assert unable["verdict"].to_list() == [REPLICATES, NO_POWER]
    empty = judged(statistics("mnist", "digits", premise=["", "not all networks fit"]))
    assert empty["verdict"].to_list() == [REPLICATES, NO_PREMISE]


def test_datasets_are_joined_within_what_else_differs():
    rows = statistics("mnist", "digits", "mnist", "digits", layer=[1, 1, 2, 2])
    assert judged(rows)["about"].to_list()[4:] == [
        "joined over mnist and digits, layer 1",
        "joined over mnist and digits, layer 2",
    ]


def test_interval_without_width_is_not_joined_to_a_mean():
    # Ten that are alike tell nothing of an eleventh.
    alike = judged(statistics("a", "b", "c", low=1.0, high=1.0))
    assert alike["verdict"].to_list() == [NO_INTERVAL] * 3
    assert set(alike["reason"]) == {"all ensembles are alike, which gives the interval no width"}
    one = judged(statistics("a", "b", "c", low=[0.6, 0.8, 0.7], high=[1.0, 0.8, 0.9]))
    assert one["verdict"].to_list() == [REPLICATES, NO_INTERVAL, REPLICATES, REPLICATES]
    assert one.iloc[-1]["about"] == "joined over a and c"
    # A contrast without width leaves its mean without an interval.
    control = dataclasses.replace(ABOVE, control=CONTROL)
    contrast = {"minus": 0.2, "minus_low": [0.1, 0.2, 0.1], "minus_high": [0.3, 0.2, 0.3]}
    joined = judged(statistics("a", "b", "c", **contrast), control).iloc[-1]
    assert joined["control_estimate"] == pytest.approx(0.2)
    assert np.isnan([joined["control_low"], joined["control_high"]]).all()


@pytest.mark.parametrize(("number", "verdict"), [(1.0, REPLICATES), (-1.0, OPPOSITE)])
def test_what_is_counted_from_the_design_needs_no_width(number, verdict):
    counted = dataclasses.replace(ABOVE, counted=True)
    table = judged(statistics("a", "b", "c", low=number, high=number), counted)
    assert table["verdict"].to_list() == [verdict] * 4
    assert table.iloc[-1]["reason"] == "judged in each of them"


def test_theorem_is_refuted_in_any_dataset():
    theorem = dataclasses.replace(ABOVE, expected="always")
    rows = statistics("mnist", "digits", exceptions=[0, 3])
    table = judged(rows, theorem)
    assert table["verdict"].to_list() == [REPLICATES, OPPOSITE, OPPOSITE]
    assert set(table["expected"]) == {"no exception"}


def test_datasets_that_share_draws_are_judged_by_draws():
    three = statistics("a", "b", "c", low=0.6, high=0.8, pairs=20, draws=20)
    pooled = statistics("all", low=0.4, high=0.9, pairs=60, draws=20)
    half = dataclasses.replace(ABOVE, number=0.5)
    joined = judged(pd.concat([pooled, three]), half).iloc[-1]
    assert (joined["low"], joined["high"], joined["verdict"]) == (0.4, 0.9, UNDECIDED)
    independent = pooled.assign(draws=60)
    joined = judged(pd.concat([independent, three]), half).iloc[-1]
    assert joined["verdict"] == REPLICATES


def test_train_accuracy_stands_beside_what_was_counted():
    row = judged(statistics("digits", train_accuracy=0.9996)).iloc[0]
    assert row["of"] == "30 networks, 10 ensembles, train accuracy 99.96 %"


def test_architecture_is_named_where_there_are_several():
    rows = statistics("mnist", "mnist", architecture=["convolutional", "fully_connected"])
    assert judged(rows)["about"].to_list() == ["mnist, convolutional", "mnist, fully_connected"]
    assert judged(rows[:1])["about"].to_list() == ["mnist"]


@pytest.mark.parametrize("paper", PAPERS)
def test_claims_are_distinguished_and_expect_what_can_be_judged(paper):
    all_claims = claims_of_paper(paper)
    assert len({one.claim for one in all_claims}) == len(all_claims)
    assert {one.expected for one in all_claims} <= {"above", "below", "near", "always"}


@pytest.mark.parametrize("paper", PAPERS)
def test_quotes_are_short(paper):
    for claim in claims_of_paper(paper):
        assert len(claim.quote.split()) <= 25, claim.claim
    assert PASSAGES["passage"].str.split().str.len().max() <= 25


@pytest.mark.parametrize("paper", PAPERS)
def test_quotes_stand_in_the_source(paper):
    source = SOURCES.get(paper, "inner-activations-blog")
    passages = [folded(text) for text in PASSAGES[PASSAGES["source"] == source]["passage"]]
    for claim in claims_of_paper(paper):
        for part in filter(None, parts(claim.quote)):
            assert any(part in passage for passage in passages), claim.quote


def test_every_passage_is_quoted():
    quoted = [
        part for paper in PAPERS for one in claims_of_paper(paper) for part in parts(one.quote)
    ]
    for passage in map(folded, PASSAGES["passage"]):
        assert any(part and part in passage for part in quoted), passage


def test_notation_of_a_quotation_makes_no_difference():
    assert folded(r"$L \approx \sqrt{L_{\text{MSE}}/2}$") == folded("L ≈ √(L_MSE/2)")
    assert folded("“data mani-\nfold”,  so") == "data manifold, so"
    assert parts("A … b.") == ["a", "b"]


def test_no_relation_replicates_in_joined_datasets_only_with_power():
    near = dataclasses.replace(ABOVE, expected="near", tolerance=0.3)
    wide = judged(statistics("a", "b", "c", low=-0.4, high=0.4), near)
    assert wide["verdict"].to_list() == [NO_POWER] * 3 + [REPLICATES]
    assert wide["expected"].iloc[0] == "within 0.3 of 0"


def test_claims_of_contrasts_are_judged_by_contrasts():
    contrasts = pd.DataFrame({
        "dataset": "digits",
        "trained": [True],
        "statistic": "unevenness",
        "estimate": 0.9,
        "low": 0.8,
        "high": 1.1,
        "over_untrained": 1.3,
        "over_untrained_low": 1.2,
        "over_untrained_high": 1.5,
        "networks": 6,
        "ensembles": 6,
        "shared": 6,
    })
    table = claims(claims_of_paper("novak_2018"), {"boundary_contrasts": contrasts})
    row = table[table["about"].notna()].iloc[0]
    assert row["claim"].startswith("Boundaries of the last hidden layer are more unevenly spread")
    assert (row["estimate"], row["low"], row["high"]) == (1.3, 1.2, 1.5)
    assert row["of"] == "6 networks, 6 ensembles, 6 shared inputs"
    assert row["verdict"] == "replicates"


def test_claims_about_sensitivity_find_their_rows():
    measures, profile, *_ = made_study(np.random.default_rng(0))
    compared = pairs(measures, [{"setting": "dropout", "better": 0.5, "worse": 0}])
    tables = {
        "pair_statistics": pair_statistics(compared),
        "sensitivity_statistics": sensitivity_statistics(
            measures, profile, resampling=Resampling(np.random.default_rng(0), 200)
        ),
    }
    table = claims(claims_of_paper("forouzesh_2020"), tables, untested_claims=True)
    table = table.set_index("claim")
    of_others = {
        one.claim
        for one in claims_of_paper("forouzesh_2020")
        if one.table == "pair_statistics" and "dropout" not in one.claim
    }
    of_chains = {
        one.claim
        for one in claims_of_paper("forouzesh_2020")
        if one.table in ("loss_chain", "variance_chain")
    }
    assert len(of_chains) == 13
    asked = table[table["verdict"] != NOT_TESTED]
    assert set(table.index) - set(asked.index) == of_chains | of_others
    verdicts = asked["verdict"].to_dict()
    # As the made-up study has it: but it is a tenth of the predicted loss, dropout lowers both in
    # all pairs, and sensitivity before training knows of one scale the depth, as do parameters.
    others = {
        "predicts": OPPOSITE,
        "Pair by pair": CONTROL_SHOWS_IT,
        "At equal initialization, the sensitivity of untrained": MAYBE_CONTROL,
        "At equal initialization, the sensitivity of the centered logits of unt": MAYBE_CONTROL,
        "At a fixed number of parameters, deeper networks have a smaller sens": MAYBE_CONTROL,
    }
    expected = {
        claim: word for claim in verdicts for begin, word in others.items() if begin in claim
    }
    assert verdicts == dict.fromkeys(verdicts, REPLICATES) | expected
    dropout = asked.loc["Networks have a smaller test loss with than without dropout"]
    assert (dropout["expected"], dropout["of"]) == ("above 0.5", "10 pairs, 60 networks")


@pytest.mark.parametrize(
    ("coupling", "spread", "verdict"),
    [(1, True, REPLICATES), (1, False, CONTROL_SHOWS_IT), (-1, True, OPPOSITE)],
)
def test_coupling_needs_changes_of_both_directions(coupling, spread, verdict):
    gap = np.tile([0.2, -0.2], 10) if spread else np.full(20, 0.2)
    about = {"setting": "activation", "better": "relu", "worse": "hardsigmoid", "note": ""}
    names = pd.Series(range(20)).astype(str)
    table = pd.concat([
        pd.DataFrame({
            "quantity": quantity,
            "value_better": 0.0,
            "value_worse": change,
            "draw": range(20),
            "ensemble_better": "b" + names,
            "ensemble_worse": "w" + names,
        }).assign(dataset="digits", networks=2, unfitted=0, **about)
        for quantity, change in (("generalization_gap", gap), ("jacobian_norm", coupling * gap))
    ])
    excess = tuple(f"coupled_excess{end}" for end in ("", "_low", "_high"))
    coupled = Claim(
        "Pair by pair, the Jacobian norm changes with the gap",
        "§4.2",
        "pair_statistics",
        "quantity == 'jacobian_norm'",
        "above",
        0.5,
        columns=("coupled", "coupled_low", "coupled_high"),
        scale="logit",
        control=Control("changes exchanged between pairs", excess),
    )
    table = claims([coupled], {"pair_statistics": pair_statistics(table)})
    assert table["verdict"].to_list() == [verdict]


@pytest.mark.parametrize("paper", PAPERS)
def test_tables_of_claims_count_what_was_resampled(paper):
    for claim in claims_of_paper(paper):
        module = import_module(
            "generalization.statistics.fit_statistics"
            if claim.table == "statistics"
            else module_of(claim.table)
        )
        columns = getattr(module, "COLUMNS", None)
        assert columns is None or {"ensembles", "pairs"} & set(columns), claim.table


@pytest.mark.parametrize("paper", PAPERS)
def test_claims_ask_for_columns_that_their_table_has(paper):
    for claim in claims_of_paper(paper):
        columns = getattr(import_module(module_of(claim.table)), "COLUMNS", None)
        if columns is None:
            continue
        empty = pd.DataFrame({column: pd.Series(dtype=object) for column in columns})
        assert empty.query(claim.rows).empty, claim.claim
        control = claim.control.columns if claim.control else ()
        # Theorems are judged by their exceptions alone.
        asked = {"exceptions"} if claim.expected == "always" else {*claim.columns, *control}
        assert asked <= {*columns}, claim.claim


@pytest.mark.parametrize("paper", PAPERS)
def test_untested_claims_have_a_reason(paper):
    for text in untested_of({paper: PAPERS[paper]}):
        words, _, reason = text.partition(" — ")
        assert words, text
        assert reason, text


def test_no_relation_in_two_datasets_has_no_verdict_from_one():
    near = dataclasses.replace(ABOVE, expected="near", tolerance=0.3)
    table = judged(statistics("a", "b", low=[-0.1, 0.5], high=[0.1, 0.7]), near)
    assert table["verdict"].to_list() == [REPLICATES, OPPOSITE, DIFFER]


@pytest.mark.parametrize(("datasets", "rate"), [(2, 0.025**2), (4, 0.025)])
def test_no_effect_in_several_datasets_replicates_as_rarely_as_stated(datasets, rate):
    generator = np.random.default_rng(5)
    names = [f"d{place}" for place in range(datasets)]
    replicated = 0
    for _ in range(300):
        samples = generator.normal(size=(datasets, 10))
        mean, half = samples.mean(1), t.ppf(0.975, 9) * sem(samples, axis=1)
        table = statistics(*names, low=mean - half, high=mean + half)
        replicated += judged(table)["verdict"].iloc[-1] == REPLICATES
    assert replicated <= binom.ppf(0.999, 300, rate)


def test_rows_of_the_values_of_a_hyperparameter_are_told_apart_and_joined():
    values = {"hyperparameter": ["depth", "depth"] * 2, "value": [2.0, 3.0] * 2}
    table = judged(statistics("mnist", "mnist", "digits", "digits", **values))
    assert table["about"].to_list() == [
        "mnist, depth 2",
        "mnist, depth 3",
        "digits, depth 2",
        "digits, depth 3",
        "joined over mnist and digits, depth 2",
        "joined over mnist and digits, depth 3",
    ]


def test_settings_of_pairs_are_told_where_several_are_compared():
    compared = {"setting": ["dropout", "dropout"], "better": [0.5, 0.2], "worse": [0.0, 0.0]}
    rows = statistics("mnist", "mnist", **compared)
    assert judged(rows)["about"].to_list() == [
        "mnist, dropout 0.5 against 0",
        "mnist, dropout 0.2 against 0",
    ]
    both = pd.concat([rows[:1], rows[:1].assign(setting="pooling", better="max", worse="none")])
    assert judged(both)["about"].to_list() == [
        "mnist, dropout 0.5 against 0",
        "mnist, pooling max against none",
    ]
    assert judged(rows[:1])["about"].to_list() == ["mnist"]


def test_single_settings_are_not_listed_beside_the_row_that_joins_them():
    settings = statistics("mnist", "mnist", depth=[2.0, 3.0], ensembles=1)
    joining = statistics("mnist", depth=np.nan, ensembles=8)
    table = judged(pd.concat([settings, joining]))
    assert table["about"].to_list() == ["mnist"]
    assert table["verdict"].to_list() == [REPLICATES]
    # Settings that have a verdict of their own keep it.
    table = judged(pd.concat([settings.assign(ensembles=[1, 6]), joining]))
    assert table["about"].to_list() == ["mnist, depth 3", "mnist"]
    # So does a joining row without enough ensembles.
    table = judged(pd.concat([settings, joining.assign(ensembles=0)]))
    assert table["verdict"].to_list() == [TOO_FEW]


@pytest.mark.parametrize(
    ("planned", "verdicts"), [(8, [REPLICATES, TOO_FEW]), (2, [REPLICATES, NOT_TESTED])]
)
def test_rows_that_the_design_leaves_without_units_are_counted_and_not_judged(planned, verdicts):
    grows = statistics("mnist", depth=3)
    falls = statistics("mnist", depth=5, ensembles=2).assign(statistic="kendall")
    training = pd.DataFrame({
        "ensemble": [f"e{place}" for place in range(10 + planned)] * 2,
        "dataset": "mnist",
        "depth": ([3] * 10 + [5] * planned) * 2,
        # Of random labels, tables say 1.
        "label_corruption": 0.0,
    })
    other = dataclasses.replace(ABOVE, claim="It turns", rows="statistic == 'kendall'")
    tables = {"statistics": pd.concat([grows, falls]), "training": training}
    table = claims([ABOVE, other], tables)
    assert table["verdict"].to_list() == verdicts
    if planned == 2:
        last = table.iloc[-1]
        assert last["claim"] == "1 claim that this study's design cannot judge"
        listed = claims([ABOVE, other], tables, untested_claims=True).iloc[-1]
        assert (listed["claim"], listed["verdict"]) == ("It turns", NOT_TESTED)
        assert listed["reason"] == "the design has 2 of 5 units for it"


def test_pairs_that_were_planned_and_lost_are_too_few():
    paired = {"pairs": 3, "ensembles": np.nan}
    assert judged(statistics("mnist", left_out=4, **paired))["verdict"].to_list() == [TOO_FEW]
    assert judged(statistics("mnist", left_out=1, **paired))["verdict"].to_list() == [NOT_TESTED]


def test_a_row_of_other_labels_joins_nothing():
    of_all = statistics("mnist", labels="all", width=np.nan)
    few = statistics("mnist", labels="true", width=50).assign(ensembles=3)
    table = judged(pd.concat([of_all, few]))
    assert table["verdict"].to_list() == [REPLICATES, TOO_FEW]
    joined = judged(pd.concat([of_all, few.assign(labels="all")]))
    assert joined["verdict"].to_list() == [REPLICATES]

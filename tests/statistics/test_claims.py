import dataclasses

import numpy as np
import pandas as pd
import pytest
from oracles.sensitivity_studies import made_study

from generalization.catalog import PAPERS
from generalization.experiments import claims_of
from generalization.experiments.output_sensitivity.sensitivity_statistics import (
    sensitivity_statistics,
)
from generalization.statistics.claim import Claim
from generalization.statistics.claims import COLUMNS, NOT_ASKED, claims, verdict
from generalization.statistics.pair_statistics import pair_statistics
from generalization.statistics.pairs import pairs
from generalization.statistics.resampling import Resampling


def claims_of_paper(paper):
    return list(claims_of({paper: PAPERS[paper]}))


def claim(expected, number=0.0):
    return Claim("Words", "§1", "statistics", "True", expected, number)


@pytest.mark.parametrize(
    ("expected", "number", "low", "high", "answer"),
    [
        ("above", 0, 0.1, 0.5, "replicates"),
        ("above", 0, -0.1, 0.5, "inconclusive"),
        ("above", 0, -0.5, -0.1, "does not replicate"),
        ("below", 1, 0.5, 0.9, "replicates"),
        ("below", 1, 0.5, 1.1, "inconclusive"),
        ("below", 1, 1.1, 2.0, "does not replicate"),
        ("near", 0, -0.2, 0.25, "replicates"),
        ("near", 0, -0.2, 0.35, "inconclusive"),
        ("near", 0, 0.05, 0.2, "replicates"),
        ("near", 0, 0.2, 0.4, "inconclusive"),
        ("near", 0, 0.31, 0.4, "does not replicate"),
        ("near", 0, -0.4, -0.31, "does not replicate"),
        ("near", 0.5, 0.3, 0.75, "replicates"),
        ("above", 0, np.nan, np.nan, "inconclusive: no interval"),
    ],
)
def test_verdict_is_that_of_the_whole_interval(expected, number, low, high, answer):
    assert verdict(claim(expected, number), (low + high) / 2, low, high) == answer
    if not np.isnan(low):
        assert verdict(claim(expected, number), np.nan, low, high) == "inconclusive: no interval"


def test_how_near_is_near_is_the_claims():
    strict = dataclasses.replace(claim("near"), tolerance=0.05)
    assert verdict(strict, 0.02, -0.01, 0.04) == "replicates"
    assert verdict(strict, 0.04, 0.02, 0.06) == "inconclusive"
    assert verdict(strict, 0.2, 0.1, 0.3) == "does not replicate"


def statistics(*datasets):
    return pd.DataFrame({
        "measure": "jacobian_norm",
        "statistic": "spearman",
        "selection": "fitted",
        "dataset": datasets,
        "estimate": 0.8,
        "low": [0.7, -0.1][: len(datasets)],
        "high": 0.9,
        "networks": 30,
        "ensembles": 10,
    })


def test_every_claim_stands_in_the_table_with_every_row_that_speaks_to_it():
    both = pd.concat([statistics("all"), statistics("mnist", "digits")])
    table = claims(claims_of_paper("novak_2018"), {"statistics": both})
    assert list(table) == COLUMNS
    told = table[table["claim"] == "The Jacobian norm correlates with the gap"]
    assert told["about"].to_list() == ["mnist", "digits"]
    assert told["verdict"].to_list() == ["replicates", "inconclusive"]
    assert told["of"].to_list() == ["30 networks, 10 ensembles"] * 2
    assert claims(claims_of_paper("novak_2018"), {"statistics": statistics("all")})[
        "about"
    ].dropna().to_list() == ["all"]
    others = table.drop(told.index)
    assert (others["verdict"] == NOT_ASKED).all()
    assert others[["estimate", "low", "high"]].isna().all(axis=None)
    all_claims = claims_of_paper("novak_2018")
    assert list(table["claim"].unique()) == [one.claim for one in all_claims]


def test_architecture_is_named_where_there_are_several():
    rows = statistics("mnist", "mnist").assign(architecture=["convolutional", "fully_connected"])
    several = (
        claims(claims_of_paper("novak_2018"), {"statistics": rows})["about"].dropna().to_list()
    )
    assert several == ["mnist, convolutional", "mnist, fully_connected"]
    one = (
        claims(claims_of_paper("novak_2018"), {"statistics": rows[:1]})["about"].dropna().to_list()
    )
    assert one == ["mnist"]


@pytest.mark.parametrize("paper", PAPERS)
def test_claims_are_told_apart_and_expect_what_can_be_judged(paper):
    all_claims = claims_of_paper(paper)
    assert len({one.claim for one in all_claims}) == len(all_claims)
    assert {one.expected for one in all_claims} <= {"above", "below", "near"}


def test_claims_of_differences_are_judged_by_differences():
    errors = pd.DataFrame({
        "dataset": "digits",
        "quantity": "loss",
        "estimator": "eq_5_log",
        "estimate": [0.3],
        "low": 0.2,
        "high": 0.4,
        "difference": -0.01,
        "difference_low": -0.02,
        "difference_high": -0.005,
        "networks": 4,
        "ensembles": 1,
    })
    table = claims(claims_of_paper("daroczy_2020"), {"loss_estimate_errors": errors})
    row = table[table["about"].notna()].iloc[0]
    assert row["claim"].endswith("by Eq. 5 than to the training loss")
    assert (row["estimate"], row["low"], row["high"]) == (-0.01, -0.02, -0.005)
    assert row["of"] == "4 networks, 1 ensemble"
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
    table = claims(claims_of_paper("forouzesh_2020"), tables).set_index("claim")
    about_others = ("convolutional", "normalization", "pooling", "initialization")
    asked = table[table["verdict"] != NOT_ASKED]
    assert set(table.index) - set(asked.index) == {
        claim for claim in table.index if any(words in claim for words in about_others)
    }
    verdicts = asked["verdict"].to_dict()
    # As the made-up study has it: but it is a tenth of the predicted loss.
    assert verdicts == dict.fromkeys(verdicts, "replicates") | {
        claim: "does not replicate" for claim in verdicts if "predicts" in claim
    }
    dropout = asked.loc["Networks have a smaller test loss with than without dropout"]
    assert (dropout["expected"], dropout["of"]) == ("above 0.5", "10 pairs, 60 networks")

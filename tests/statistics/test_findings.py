import dataclasses
import json

import pandas as pd
import pytest

from generalization.statistics.claim import Claim
from generalization.statistics.findings import StudyResults, findings, record_of, untested_claims
from generalization.tables import write_table


def study(name, claims=None, estimate=0.5):
    statistics = pd.DataFrame({
        "measure": ["jacobian_norm", "weight_norm", "random_per_network_1"],
        "kind": ["candidate", "baseline", "control"],
        "statistic": "spearman_within_width",
        "selection": "fitted",
        "dataset": "all",
        "estimate": [estimate, -0.25, 0.1],
        "low": [0.1, None, -0.1],
        "high": [0.9, None, 0.3],
        "p_value": [0.01, 0.5, 0.5],
        "p_value_corrected": [0.02, None, None],
        "level": 0.95,
        "ensembles": 8,
        "networks": 16,
        "note": "",
    })
    training = pd.DataFrame({
        "ensemble": ["a", "a", "b", "b"],
        "dataset": "digits",
        "train_size": [300, 300, 1000, 1000],
        "final": [False, True, False, True],
    })
    return StudyResults(name, f"Title of {name}", claims, statistics, training)


CLAIMS = pd.DataFrame({
    "claim": ["It grows", "It | falls"],
    "labels": ["true", None],
    "about": ["digits", "digits"],
    "expected": ["above 0", "below 0"],
    "estimate": [0.5, None],
    "low": [-0.25, None],
    "high": [0.75, None],
    "of": ["8 ensembles", ""],
    "verdict": ["replicates", "inconclusive"],
    "reason": ["", "no interval"],
})


FIGURES = [
    {"place": "Fig. 1", "file": "course.svg", "shows": "The course."},
    {"place": "", "file": "league.svg", "shows": "The league."},
]


def recorded(results, commit="abc", figures=()):
    """What is read again of a record."""
    made_with = {"commit": commit, "torch": "2"}
    record = record_of(results, made_with, figures, primary="spearman_within")
    return json.loads(json.dumps(record))


def page_of(*records, captions=(), untested=(), drawn=()):
    return findings(records, captions=dict(captions), untested=untested, drawn=dict(drawn))


def page():
    one, two = study("one", CLAIMS), study("two", estimate=0.25)
    return page_of(recorded(one), recorded(two, "def"))


def test_a_record_has_numbers_to_four_digits_and_none_where_there_is_none():
    record = recorded(study("one", CLAIMS, estimate=1 / 3))
    assert record["made_with"] == {"commit": "abc", "torch": "2"}
    assert (record["networks"], record["ensembles"], record["datasets"]) == (2, 2, ["digits"])
    assert record["training_images"] == ["300", "1,000"]
    assert record["measures"] == [
        {
            "measure": "jacobian_norm",
            "kind": "candidate",
            "estimate": 0.3333,
            "low": 0.1,
            "high": 0.9,
        },
        {
            "measure": "weight_norm",
            "kind": "baseline",
            "estimate": -0.25,
            "low": None,
            "high": None,
        },
    ]
    assert record["claims"][1]["labels"] is None and record["claims"][1]["low"] is None
    assert recorded(study("two"))["claims"] == [] == recorded(study("two"))["figures"]
    assert recorded(study("two"), figures=FIGURES)["figures"] == FIGURES


def test_training_images_are_those_of_the_networks():
    one = study("one")
    every = one.training.assign(train_size=[None, None, 1000, 1000])
    given = one.training.drop(columns="train_size")
    assert recorded(dataclasses.replace(one, training=every))["training_images"] == ["1,000", "all"]
    elsewhere = recorded(dataclasses.replace(one, training=given))
    assert elsewhere["training_images"] == [] and "| – |" in page_of(elsewhere)


def test_page_has_the_figures_of_a_study_above_its_claims_or_at_the_end():
    one, two = study("one", CLAIMS), study("two")
    text = page_of(recorded(one, figures=FIGURES[:1]), recorded(two, figures=FIGURES[1:]))
    above = (
        '### Title of one\n\n<a id="one-course"></a>Fig. 1: The course. Study `one`.\n\n'
        "![Fig. 1: The course.](findings/one/course.svg)\n\n| claim |"
    )
    assert above in text
    last = "League: The league. Study `two`.\n\n![League: The league.](findings/two/league.svg)\n"
    assert text.endswith(last)


def test_a_claim_links_to_the_figures_of_its_study_that_draw_it():
    figures = [{**FIGURES[0], "place": place, "file": f"{place}.svg"} for place in "ABC"]
    one = recorded(study("one", CLAIMS), figures=figures)
    text = page_of(one, drawn={"It grows": ["C.svg", "A.svg"], "It | falls": ["B.svg", "D.svg"]})
    assert "| **replicates** | [A](#one-A) · [C](#one-C) |\n" in text
    assert "| **inconclusive**: no interval | [B](#one-B) |\n" in text


def test_a_figure_shows_what_the_code_says_and_not_what_was_recorded():
    one = recorded(study("one", CLAIMS), figures=FIGURES[:1])
    text = page_of(one, captions={"course.svg": "The whole course."})
    assert "![Fig. 1: The whole course.](findings/one/course.svg)" in text
    assert "The course." not in text


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ((3e-5, 1e-5, 4.6e-5), "3e−5 [1e−5, 4.6e−5]"),
        ((0.0024, 0.001, 0.0031), "0.0024 [0.0010, 0.0031]"),
        ((-0.0021, -0.27, 0.26), "−0.0021 [−0.27, 0.26]"),
        ((0.51, 0.0049, 1.01), "0.51 [0.0049, 1.01]"),
        ((0.0, -0.1, 0.1), "0.00 [−0.10, 0.10]"),
        ((0.0012, None, 0.1), "0.0012"),
        ((-9.846, -10.342, -9.36), "−9.85 [−10.34, −9.36]"),
        ((-12.346, None, None), "−12.35"),
    ],
)
def test_no_number_is_written_as_zero_that_is_not(numbers, shown):
    rows = CLAIMS.iloc[:1].assign(**dict(zip(("estimate", "low", "high"), numbers, strict=True)))
    assert f"| above 0 | {shown} | 8 ensembles |" in page_of(recorded(study("one", rows)))


def test_claims_that_no_study_judges_are_named_with_the_reason():
    about = {"source": "§1", "table": "size_effects", "rows": "", "expected": "above"}
    claims = {"paper": [Claim("It grows", **about), Claim("It shrinks", **about)]}
    beyond = {"paper": ["On ImageNet — datasets are smaller — by far"]}
    record = recorded(study("one", CLAIMS))
    untested = untested_claims([record], {"paper": "Title"}, claims, beyond)
    assert untested == [
        (
            "Title",
            "It shrinks",
            "no study has rows for it with enough units in its table size effects",
        ),
        ("Title", "On ImageNet", "datasets are smaller — by far"),
    ]
    text = page_of(record, untested=untested)
    assert "\n## Claims that no study judges\n" in text
    assert "| Title | On ImageNet | datasets are smaller — by far |" in text
    assert "(#claims-that-no-study-judges)" in text


def test_results_are_read_from_the_tables_of_a_study(tmp_path):
    results, folder = study("one", CLAIMS), tmp_path / "one"
    folder.mkdir()
    for name in ("statistics", "training"):
        write_table(folder / f"{name}.csv", getattr(results, name))
    assert StudyResults.read(folder, "T").claims is None
    write_table(folder / "claims.csv", CLAIMS)
    again = StudyResults.read(folder, results.title)
    assert recorded(again) == recorded(results)


def test_page_has_every_claim_with_interval_and_verdict():
    lines = page().splitlines()
    assert "### Title of one" in lines and "### Title of two" not in lines
    grows = "| It grows | true; digits | above 0 | 0.50 [−0.25, 0.75] | 8 ensembles "
    assert f"{grows}| **replicates** |  |" in lines
    assert "| It \\| falls | digits | below 0 | – |  | **inconclusive**: no interval |  |" in lines


def test_page_has_every_measure_across_studies_and_no_control():
    lines = page().splitlines()
    assert "| measure | one | two |" in lines
    assert "| Jacobian norm | 0.50 [0.10, 0.90] | 0.25 [0.10, 0.90] |" in lines
    assert "| *Weight norm* | −0.25 | −0.25 |" in lines
    assert not [line for line in lines if "random per network" in line]


def test_page_says_what_was_computed_and_from_how_many_networks():
    lines = page().splitlines()
    assert any("from what 2 studies have found" in line for line in lines)
    assert (
        "| [one](#title-of-one) | 2 | 2 | digits | 300 and 1,000 | 1 | 0 | 1 | 0 | abc |" in lines
    )
    assert "| two | 2 | 2 | digits | 300 and 1,000 | – | – | – | – | def |" in lines


def test_measures_that_were_judged_most_often_come_first_and_then_baselines():
    one, two = study("one"), study("two")
    names = {"jacobian_norm": "transitions", "weight_norm": "curvature"}
    renamed = two.statistics.assign(measure=two.statistics["measure"].replace(names))
    lacking = one.statistics.assign(estimate=one.statistics["estimate"].mask([True, False, False]))
    studies = [
        dataclasses.replace(one, statistics=lacking),
        dataclasses.replace(two, statistics=renamed.assign(low=[None, None, 0.0])),
    ]
    lines = page_of(*(recorded(one) for one in studies)).splitlines()
    # A measure may be in one study alone; an interval has both ends or is none.
    assert lines[lines.index("| measure | one | two |") + 2 :] == [
        "| Transitions |  | 0.50 |",
        "| Jacobian norm | – |  |",
        "| *Curvature* |  | −0.25 |",
        "| *Weight norm* | −0.25 |  |",
    ]

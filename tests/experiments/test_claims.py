"""What verdicts rest on: the numbers of all claims, read from their words and sources."""

import re
from dataclasses import replace
from math import log

import pandas as pd
import pytest

from generalization.catalog import PAPERS
from generalization.experiments import claims_of
from generalization.statistics.claim import ABSTRACT, BLOG, MEMORY
from generalization.statistics.claims import claims
from generalization.statistics.verdicts import CONTROL_SHOWS_IT, OPPOSITE, REPLICATES, verdict

CLAIMS = list(claims_of(PAPERS))
# Where a correlation or difference, a ratio, or a share says nothing.
NEUTRAL = {"identity": 0, "fisher": 0, "log": 1, "logit": 0.5}
# Parts of claims whose numbers are others → number.
NUMBERS = {
    "stable at half of training remain more correlated": 0.01,
    "training loss orders of magnitude above": 2,
    "orders of magnitude below": 2,
    "what Eq. 5 says point by point, to a factor of two": log(2),
    "what Eq. 7 says point by point, to a factor of three": log(3),
    "Over points, the logarithms of": 0.9,
    "is hardly ever attained": -log(2),
    "distance to the normal distribution function": 0.05,
    "rises in proportion to": 1,
    "Networks start to fit random labels later": 1,
    "slow down fitting by only a small constant factor": 10,
    "faster than random labels": 1,
    "the test error is at chance level": 1,
    "keep most of their test accuracy above chance": 0.8,
}
# Parts of claims of nearness → tolerance; that of a ratio is the logarithm of a factor.
TOLERANCES = {
    "does not correlate with the gap": 0.3,
    "do not have fewer transitions": 0.3,
    "what Eq. 5 says, to a factor of two": log(2),
    "what Eq. 7 says, to a factor of two": log(2),
    "skewness": 0.5,
    "excess kurtosis": 1,
    "by Eqs": log(2),
    "The cross-entropy is √(L_MSE/2)": log(1.5),
    "slope of logarithms": 0.2,
    "The variance of logits is": log(1.5),
    "of untrained networks is K (S C + Σ)": log(1.1),
    "mean logarithm of the loss over its prediction": log(1.5),
    "beyond the dropout rate": 0.05,
    "does not predict its importance": 0.3,
    "as far from each other": 0.05,
    "as far from memorizing networks": 0.05,
    "settle where train and test loss converge": log(1.5),
    "the test error is at chance level": 0.05,
    "Early stopping gains nothing": 0.02,
    "Noise hardly changes the accuracy": 0.05,
}
# Control and table → what it is where the control shows as much, and whether it decides. One that
# does not is no alternative explanation, and its claim says why.
CONTROLS = {
    ("range of losses", "paper_relations"): (2, False),
    ("untrained networks", "paper_relations"): (0, True),
    ("number of parameters", "paper_relations"): (0, True),
    ("least confidence", "point_statistics"): (0, False),
    ("error at all points", "point_statistics"): (1, True),
    ("exchanged residuals", "bound_statistics"): (0, False),
    ("untrained networks", "ellipse_contrasts"): (1, True),
    ("untrained networks", "boundary_contrasts"): (1, True),
    ("untrained networks", "region_statistics"): (1, True),
    ("sensitivity before training", "variance_chain"): (0, False),
    ("stopping at a random kept step", "early_stopping"): (0, True),
    ("networks on the straight line", "similarity_trends"): (0, True),
    ("the epoch itself", "bound_courses"): (0, True),
    ("the number of parameters", "sensitivity_statistics"): (0, True),
    ("the same pairs before training", "pair_statistics"): (0, True),
    ("untrained networks", "sensitivity_statistics"): (0, True),
    ("untrained networks", "similarity_contrasts"): (0, True),
    ("untrained networks", "similarity_trends"): (0, True),
}


def part_of(words, table):
    """The one entry of a table whose words are part of a claim."""
    found = [value for part, value in table.items() if part in words]
    assert len(found) <= 1, words
    return found[0] if found else None


def row(claim, estimate, contrast=1.0):
    """A row with narrow intervals, its contrast to the control on the side of the claim, or not."""
    columns = dict(zip(claim.columns, (estimate, estimate - 1e-6, estimate + 1e-6), strict=True))
    if claim.control:
        side = -contrast if claim.expected == "below" else contrast
        # Ratios stay positive.
        middle = claim.control.number + 0.4 * side
        ends = (middle, middle - 1e-6, middle + 1e-6)
        columns |= dict(zip(claim.control.columns, ends, strict=True))
    return {"ensembles": 1000} | columns


def of(part, claims=CLAIMS):
    return [one for one in claims if part in one.claim]


@pytest.mark.parametrize("claim", [one for one in CLAIMS if one.expected in {"above", "below"}])
def test_verdict_turns_at_the_number_of_the_words(claim):
    stated = part_of(claim.claim, NUMBERS)
    neutral = 0.5 if claim.table == "pair_statistics" else NEUTRAL[claim.scale]
    number = neutral if stated is None else stated
    side = 1 if claim.expected == "above" else -1
    assert verdict(row(claim, number + 0.004 * side), claim)[0] == REPLICATES
    assert verdict(row(claim, number - 0.004 * side), claim)[0] == OPPOSITE


@pytest.mark.parametrize("claim", [one for one in CLAIMS if one.expected == "near"])
def test_nearness_ends_at_the_tolerance_of_the_words(claim):
    stated = part_of(claim.claim, NUMBERS)
    number = NEUTRAL[claim.scale] if stated is None else stated
    tolerance = part_of(claim.claim, TOLERANCES)
    assert claim.number == number
    assert claim.tolerance == pytest.approx(tolerance, rel=1e-12)
    assert "tolerance" in claim.ours


@pytest.mark.parametrize("claim", [one for one in CLAIMS if one.control])
def test_controls_decide_where_they_must(claim):
    if claim.control.name == "the training value itself":
        # That an estimate is better counts from 5 % on; that two are alike needs no control.
        expected = (1, False) if claim.expected == "near" else (1 / 1.05, True)
    elif claim.control.name == "changes exchanged between pairs":
        expected = (0, claim.claim.startswith("Pair by pair"))
    else:
        expected = CONTROLS[claim.control.name, claim.table]
    assert (claim.control.number, not claim.control.beside) == pytest.approx(expected)


@pytest.mark.parametrize("claim", [one for one in CLAIMS if one.control and one.control.beside])
def test_reader_sees_why_a_control_does_not_decide(claim):
    found = pd.DataFrame([row(claim, claim.number, contrast=0)])
    every = replace(claim, rows="ensembles > 0")
    (judged,) = claims([every], {claim.table: found}).to_dict("records")
    assert judged["control"] == f"{claim.control.name} (does not decide: {claim.control.beside})"
    assert len(claim.control.beside.split()) > 5


def test_no_control_that_is_expected_is_missing():
    found = {(one.control.name, one.table) for one in CLAIMS if one.control}
    assert found >= set(CONTROLS)
    for part, control in {
        "Stopping at the maximum area": "stopping at a random kept step",
        "The area decreases while": None,
        "Far fewer units are active": "untrained networks",
    }.items():
        (claim,) = of(part)
        assert (claim.control.name if claim.control else None) == control


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_is_ours_is_said_of_the_kind_of_claim_that_has_it(claim):
    if claim.expected != "near":
        assert "tolerance" not in claim.ours
    # A number other than what says nothing is printed in the source, or ours.
    if claim.expected in {"above", "below"} and any(
        part in claim.claim for part in ("orders of magnitude", "factor of", "perfectly", "hardly")
    ):
        assert "threshold" in claim.ours


@pytest.mark.parametrize(
    "claim", [one for one in CLAIMS if re.search(r"Eqs?\. ?\d|Eqs", one.claim)]
)
def test_equations_of_the_words_are_those_of_the_rows(claim):
    in_words = re.findall(r"(?:Eq\. |Eqs |and )(\d)", claim.claim)
    assert in_words == re.findall(r"eq_(\d)", claim.rows)


def test_best_estimates_are_those_of_the_source():
    better, alike = of("has a smaller error than that"), of("are alike")
    # "… achieved by empirical sensitivity (eq.7) and layer-wise log-norm sensitivity (eq. 5)".
    assert [re.findall(r"the test (\w+)|Eq\. (\d)", one.claim) for one in better] == [
        [(quantity, ""), ("", best), ("", other)]
        for quantity, best, other in (
            *(("loss", "7", "5"), ("loss", "7", "6")),
            *(("accuracy", "5", "6"), ("accuracy", "5", "7")),
        )
    ]
    for quantity in ("loss", "accuracy"):
        pairs = [re.findall(r"Eqs (\d) and (\d)", one.claim)[0] for one in of(quantity, alike)]
        assert {frozenset(pair) for pair in pairs} == set(map(frozenset, ("75", "76", "56")))


def test_only_transitions_do_not_separate_optimizers():
    fits = of("Networks trained with")
    near = [one.claim for one in fits if one.expected == "near"]
    assert near == [one.claim for one in of("do not have fewer transitions")]
    assert len(near) == 1
    assert "L-BFGS" in near[0]


def test_theorem_without_active_units_is_not_asked_about_them():
    active = [re.search(r": (.*)$", one.claim)[1] for one in of("the variance of active units")]
    depth = [re.search(r": (.*)$", one.claim)[1] for one in of("depth explains more")]
    assert active == ["Theorem 3.2", "the exact value"]
    assert depth == ["Theorem 3.1", "Theorem 3.2", "the exact value"]


def test_quotes_stand_where_the_source_says_so():
    fits = of("perfectly")
    assert [bool(one.quote) for one in fits] == ["random labels" in one.claim for one in fits]
    (falls,) = of("The area decreases while the test loss increases")
    assert "from the least test loss on" in falls.ours
    (saved,) = of("Stopping at the maximum area")
    assert saved.ours == "statistic"


def test_only_of_softmax_outputs_one_side_of_the_root_holds_by_algebra():
    algebra = [one.claim for one in CLAIMS if "holds by algebra" in one.ours]
    assert algebra == ["The cross-entropy is √(L_MSE/2) (softmax, ours)"]


def test_claims_are_sentences_that_begin_as_such():
    words = {one.claim for one in CLAIMS}
    assert all(text[0].isupper() and not text.endswith(".") for text in words)
    assert (
        "The sensitivity of untrained networks ranks them by their test loss after training"
    ) in words


def test_control_that_shows_as_much_is_no_replication():
    deciding = [one for one in CLAIMS if one.control and not one.control.beside]
    assert len(deciding) > 10
    for claim in deciding:
        if claim.expected == "near":
            continue
        number = claim.number + (0.004 if claim.expected == "above" else -0.004)
        assert verdict(row(claim, number, contrast=0), claim)[0] == CONTROL_SHOWS_IT, claim.claim


def test_curves_are_of_the_equations_of_the_appendix():
    curves = [one for one in CLAIMS if one.table == "bound_statistics"]
    assert {number for one in curves for number in re.findall(r"Eq\. (\d)", one.source)} == set(
        "567"
    )
    assert [one.claim for one in of("Over points", curves)] == [
        "Over points, the logarithms of the norm of the true class's row and of Eq. 5 correlate",
        "Over points, the logarithms of the Jacobian norm and of Eq. 7 correlate",
    ]


def test_correlations_of_losses_are_on_fishers_scale_and_their_other_numbers_on_none():
    scales = {
        re.search(r"statistic == '(\w+)'", one.rows)[1]: one.scale
        for one in CLAIMS
        if one.table == "loss_chain"
    }
    assert {name for name, scale in scales.items() if scale == "fisher"} == {"pearson_log_mse"}
    assert set(scales.values()) == {"fisher", "identity"}


OWN_SOURCES = {"novak_2018", "daroczy_2020", "forouzesh_2020", "graham_inner_activations"}


@pytest.mark.parametrize("paper", sorted(set(PAPERS) - OWN_SOURCES))
def test_claims_of_papers_that_we_do_not_have_say_how_we_know_them(paper):
    for claim in claims_of({paper: PAPERS[paper]}):
        (known,) = (one for one in (BLOG, ABSTRACT, MEMORY) if f"({one})" in claim.source)
        assert (known == BLOG) == bool(claim.quote), claim.claim
        # The column that a reader sees.
        table = pd.DataFrame([row(claim, claim.number)]).assign(exceptions=0)
        every = replace(claim, rows="ensembles > 0")
        assert known in claims([every], {claim.table: table})["source"].item()


def test_what_is_told_from_memory_says_so():
    told = {one.claim: one.source for one in CLAIMS}
    for part in ("faster than random labels", "Early stopping gains nothing", "In early layers"):
        sources = [source for claim, source in told.items() if part in claim]
        assert sources and all("from memory of the paper" in source for source in sources)
    (width,) = (
        source for claim, source in told.items() if claim == "Wider networks are more similar"
    )
    assert "read in its abstract" in width


def test_what_is_read_in_an_abstract_says_so():
    told = {one.claim: one.source for one in claims_of({"morcos_2018": PAPERS["morcos_2018"]})}
    abstract = {claim for claim, source in told.items() if ABSTRACT in source}
    assert abstract == {
        "Among networks of one topology trained on true labels, those with a larger area have a "
        "higher test accuracy, whatever their other hyper-parameters",
        "Dropout protects against ablation up to the dropout rate",
        "Dropout does not protect against ablation beyond the dropout rate",
        "Batch normalization lowers the selectivity of units",
        "The class selectivity of a unit does not predict its importance",
    }

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from generalization.statistics.claim import Claim, Control
from generalization.statistics.intervals import FEWEST_ENSEMBLES
from generalization.statistics.league_rows import shown
from generalization.statistics.verdicts import (
    CONTROL_SHOWS_IT,
    MAYBE_CONTROL,
    NO_INTERVAL,
    NO_POWER,
    NO_PREMISE,
    NOT_SHOWN,
    OPPOSITE,
    REPLICATES,
    TOO_FEW,
    UNDECIDED,
    verdict,
)

CONTRAST = ("contrast", "contrast_low", "contrast_high")


def claim(expected, number=0.0, **changes):
    tolerance = {"tolerance": 0.3} if expected == "near" else {}
    return Claim("Words", "§1", "table", "True", expected, number, **tolerance | changes)


def row(low, high, estimate=None, **columns):
    estimate = (low + high) / 2 if estimate is None else estimate
    return {"estimate": estimate, "low": low, "high": high, "ensembles": 30} | columns


def word(*arguments, **settings):
    return verdict(*arguments, **settings)[0]


@pytest.mark.parametrize(
    ("expected", "number", "low", "high", "answer"),
    [
        ("above", 0, 0.1, 0.5, REPLICATES),
        ("above", 0, 0.0, 0.5, UNDECIDED),
        ("above", 0, -0.1, 0.5, UNDECIDED),
        ("above", 0, -0.5, -0.1, OPPOSITE),
        ("below", 1, 0.5, 0.9, REPLICATES),
        ("below", 1, 0.5, 1.0, UNDECIDED),
        ("below", 1, 0.5, 1.1, UNDECIDED),
        ("below", 1, 1.1, 2.0, OPPOSITE),
        ("near", 0, -0.2, 0.25, REPLICATES),
        ("near", 0, 0.05, 0.2, REPLICATES),
        ("near", 0, 0.2, 0.4, UNDECIDED),
        ("near", 0, -0.4, -0.2, UNDECIDED),
        ("near", 0, 0.31, 0.4, OPPOSITE),
        ("near", 0, -0.4, -0.31, OPPOSITE),
        ("near", 0, -0.3, 0.55, NO_POWER),
        ("near", 0.5, 0.3, 0.75, REPLICATES),
        ("above", 0, np.nan, np.nan, NO_INTERVAL),
    ],
)
def test_verdict_is_that_of_the_whole_interval(expected, number, low, high, answer):
    assert word(row(low, high), claim(expected, number)) == answer
    assert word(row(low, high, np.nan), claim(expected, number)) == NO_INTERVAL


@pytest.mark.parametrize(("expected", "tolerance"), [("near", None), ("above", 0.3)])
def test_claims_of_nearness_alone_have_a_tolerance(expected, tolerance):
    message = (
        "tolerance must be given for a claim that is 'near', and for no other, "
        f"not {tolerance!r} for {expected!r}."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        claim(expected, tolerance=tolerance)


def test_how_near_is_near_is_the_claims():
    strict = claim("near", tolerance=0.05)
    assert word(row(-0.01, 0.04), strict) == REPLICATES
    assert word(row(0.02, 0.06), strict) == UNDECIDED
    assert word(row(0.1, 0.3), strict) == OPPOSITE


def test_units_of_resampling_are_the_fewest_that_a_row_counts():
    few = FEWEST_ENSEMBLES - 1
    above = claim("above")
    assert verdict(row(0.1, 0.2, ensembles=few), above) == (TOO_FEW, f"{few} of 5 ensembles")
    assert word(row(0.1, 0.2, ensembles=FEWEST_ENSEMBLES), above) == REPLICATES
    assert verdict(row(0.1, 0.2, shared=few), above) == (TOO_FEW, f"{few} of 5 shared inputs")
    assert word(row(0.1, 0.2, shared=np.nan), above) == REPLICATES
    pairs = row(0.1, 0.2, ensembles=np.nan, pairs=few)
    assert verdict(pairs, above) == (TOO_FEW, f"{few} of 5 pairs")
    uncounted = row(0.1, 0.2, ensembles=np.nan)
    assert verdict(uncounted, above) == (TOO_FEW, "the table counts no ensembles")
    # Whatever the interval: too few come before no interval, and that before the claim.
    assert word(row(np.nan, np.nan, ensembles=few), above) == TOO_FEW


def test_note_of_a_row_says_why_it_has_no_interval():
    noted = row(np.nan, np.nan, note="the measure is constant")
    assert verdict(noted, claim("above")) == (NO_INTERVAL, "the measure is constant")
    assert verdict(row(np.nan, np.nan, note=np.nan), claim("above")) == (NO_INTERVAL, "")


def test_one_exception_refutes_a_theorem():
    theorem = claim("always")
    assert word(row(0, 0, exceptions=0), theorem) == REPLICATES
    assert verdict(row(0, 0, exceptions=1), theorem) == (OPPOSITE, "1 exceptions")
    assert word(row(0, 0, exceptions=np.nan), theorem) == NO_INTERVAL
    assert word(row(np.nan, np.nan, exceptions=0), theorem) == REPLICATES


def test_row_that_could_not_tell_has_its_reason():
    told = row(-1, -0.5, underpowered="losses span 0.4 orders of magnitude")
    assert verdict(told, claim("above")) == (NO_POWER, "losses span 0.4 orders of magnitude")
    assert word(row(1, 2, underpowered=""), claim("above")) == REPLICATES


def test_row_whose_premise_is_not_shown_says_what_is_missing():
    told = row(1, 2, premise="not all networks fit")
    assert verdict(told, claim("above")) == (NO_PREMISE, "not all networks fit")
    assert word(row(1, 2, premise=""), claim("above")) == REPLICATES


@pytest.mark.parametrize(
    ("contrast", "answer"),
    [
        ((0.5, 0.3, 0.7), REPLICATES),
        ((0.2, -0.1, 0.5), MAYBE_CONTROL),
        ((-0.2, -0.3, -0.1), CONTROL_SHOWS_IT),
        ((0.0, -0.03, 0.03), CONTROL_SHOWS_IT),
        # Apart from the control, but by less than matters.
        ((0.02, 0.01, 0.03), CONTROL_SHOWS_IT),
        ((np.nan, np.nan, np.nan), MAYBE_CONTROL),
    ],
)
def test_control_decides_with_the_claim(contrast, answer):
    columns = dict(zip(CONTRAST, contrast, strict=True))
    control = Control("untrained networks", CONTRAST)
    found = row(0.2, 0.8, **columns)
    assert word(found, claim("above", control=control)) == answer
    beside = dataclasses.replace(control, beside="it is the claim")
    assert word(found, claim("above", control=beside)) == REPLICATES
    # A claim that is not found needs no control.
    assert word(row(-0.8, -0.2, **columns), claim("above", control=control)) == OPPOSITE


@pytest.mark.parametrize(
    ("p_value", "answer"),
    [(0.05, REPLICATES), (0.0501, NOT_SHOWN), (0.9, NOT_SHOWN), (np.nan, REPLICATES)],
)
def test_test_of_a_row_must_agree_with_its_interval(p_value, answer):
    found = row(0.1, 0.5, p_value=p_value)
    assert word(found, claim("above")) == answer
    assert (word(found, claim("below")) == OPPOSITE) == (answer == REPLICATES)
    # The test is of the estimate, not of a contrast that stands in other columns.
    columns = dict(zip(CONTRAST, (0.3, 0.1, 0.5), strict=True))
    assert word(found | columns, claim("above", columns=CONTRAST)) == REPLICATES
    # Nor does it speak to nearness, or shift what the interval leaves open.
    assert word(row(-0.1, 0.2, p_value=p_value), claim("near")) == REPLICATES
    assert word(row(-0.1, 0.5, p_value=p_value), claim("above")) == UNDECIDED


def test_verdicts_and_the_league_have_one_rule_for_what_is_shown():
    generator = np.random.default_rng(6)
    rows = pd.DataFrame({
        "estimate": 0.0,
        "low": generator.uniform(-0.2, 0.1, 200),
        "high": generator.uniform(0.1, 0.3, 200) - 0.2 * (np.arange(200) % 2),
        "p_value": generator.choice([0.001, 0.05, 0.051, 0.4], 200),
        "p_value_corrected": np.nan,
        "ensembles": generator.integers(3, 8, 200),
        "level": 0.95,
    })
    rows = rows[rows["low"] < rows["high"]]
    by_verdict = [
        word(one, claim("above")) in {REPLICATES, OPPOSITE} for one in rows.to_dict("records")
    ]
    assert by_verdict == shown(rows).to_list()
    assert 0 < sum(by_verdict) < len(by_verdict)


def test_contrast_of_ratios_is_on_the_scale_of_logarithms():
    control = Control("untrained networks", CONTRAST, number=1)
    below = claim("below", 1, scale="log", control=control)

    def answer(*contrast):
        return word(row(0.4, 0.9, **dict(zip(CONTRAST, contrast, strict=True))), below)

    assert answer(0.8, 0.7, 0.9) == REPLICATES
    assert answer(1.2, 1.1, 1.3) == CONTROL_SHOWS_IT
    assert answer(0.99, 0.97, 1.01) == CONTROL_SHOWS_IT
    assert answer(0.9, 0.7, 1.1) == MAYBE_CONTROL
    # The end of an interval belongs to it.
    assert answer(0.9, 0.7, 1.0) == MAYBE_CONTROL


@pytest.mark.parametrize(
    ("scale", "answer"), [("fisher", CONTROL_SHOWS_IT), ("identity", REPLICATES)]
)
def test_differences_of_correlations_matter_from_a_tenth_on(scale, answer):
    above = claim("above", scale=scale, control=Control("untrained networks", CONTRAST))
    contrast = dict(zip(CONTRAST, (0.07, 0.05, 0.09), strict=True))
    assert word(row(0.2, 0.8, **contrast), above) == answer


def test_near_is_the_test_of_two_one_sided_tests():
    generator = np.random.default_rng(0)
    answers = set()
    for size in (12, 40):
        for shift in (0, 0.1, 0.2, 0.6):
            sample = generator.normal(shift, 1, size) / 3
            low, high = stats.t.interval(0.95, size - 1, sample.mean(), stats.sem(sample))
            p_values = [
                stats.ttest_1samp(sample, side * 0.3, alternative=other).pvalue
                for side, other in ((-1, "greater"), (1, "less"))
            ]
            found = word(row(low, high, sample.mean(), ensembles=size), claim("near"))
            assert (found == REPLICATES) == (max(p_values) <= 0.05)
            answers.add(found)
    assert len(answers) > 1


def test_power_of_nearness_is_that_of_fishers_scale():
    # Standard error 1.03/√(E − 3), t(E − 2): .52 at E = 32, .37 at 64, .302 at 98.
    near = claim("near", scale="fisher")
    for ensembles, least in ((32, 0.52), (64, 0.37), (98, 0.302)):
        half = stats.t.ppf(0.975, ensembles - 2) * 1.03 / np.sqrt(ensembles - 3)
        # Just too far from 0 to be near it.
        ends = np.tanh(0.25 + half * np.array([-1, 1]))
        found = row(*ends, np.tanh(0.25), ensembles=ensembles)
        answer, reason = verdict(found, near)
        assert answer == NO_POWER
        assert reason.startswith("needs ± 0.3, finds ± ")
        assert float(reason.split()[-1]) == pytest.approx(least, abs=0.005)
        # An estimate at 0 may succeed nevertheless, from 33 ensembles on.
        around = row(*np.tanh(half * np.array([-1, 1])), 0.0, ensembles=ensembles)
        assert word(around, near) == (REPLICATES if ensembles > 33 else NO_POWER)


def test_share_of_one_is_judged_without_logit():
    near = claim("near", 0.5, scale="logit")
    assert word(row(0.79, 1.0, 1.0), near) == OPPOSITE
    assert word(row(0.4, 0.6, 0.5), near) == REPLICATES


@pytest.mark.parametrize("ensembles", [8, 20])
def test_null_effects_replicate_at_most_at_their_nominal_rate(ensembles):
    samples = np.random.default_rng(1).normal(size=(2000, ensembles))
    means, errors = samples.mean(1), stats.sem(samples, axis=1)
    half = stats.t.ppf(0.975, ensembles - 1) * errors
    rows = [
        row(mean - side, mean + side, mean, ensembles=ensembles)
        for mean, side in zip(means, half, strict=True)
    ]
    above = sum(word(one, claim("above")) == REPLICATES for one in rows)
    assert above <= stats.binom.ppf(0.999, len(rows), 0.025)
    assert above >= stats.binom.ppf(0.001, len(rows), 0.025)
    # A true value at the tolerance is accepted as near in one of twenty studies.
    near = claim("near", tolerance=1.0)
    wrong = sum(word(shifted(one, 1.0), near) == REPLICATES for one in rows)
    assert wrong <= stats.binom.ppf(0.999, len(rows), 0.05)


def shifted(one, by):
    return one | {key: one[key] + by for key in ("estimate", "low", "high")}


def test_seeds_of_one_ensemble_never_replicate():
    samples = np.random.default_rng(2).normal(size=(200, 3))
    for sample in samples:
        found = row(sample.min(), sample.max(), sample.mean(), ensembles=1, networks=3)
        assert word(found, claim("above")) == TOO_FEW


def test_correlation_of_twenty_ensembles_lacks_power_for_nearness():
    generator = np.random.default_rng(3)
    half = stats.t.ppf(0.975, 18) * 1.03 / np.sqrt(17)
    for z in generator.normal(0, 1.03 / np.sqrt(17), 300):
        ends = np.tanh(z + half * np.array([-1, 1]))
        answer = word(row(*ends, np.tanh(z), ensembles=20), claim("near", scale="fisher"))
        # Whatever the estimate: far from it or not enough power.
        assert answer in {NO_POWER, OPPOSITE}


def test_control_that_equals_the_claim_never_replicates():
    generator = np.random.default_rng(4)
    control = Control("untrained networks", CONTRAST)
    above = claim("above", control=control)
    replicated = 0
    for _ in range(1000):
        trained, untrained = generator.normal(2, 1, (2, 10))
        columns = interval(trained - untrained)
        low, high, estimate = interval(trained).values()
        found = row(low, high, estimate, ensembles=10)
        found |= dict(
            zip(CONTRAST, (columns["estimate"], *list(columns.values())[:2]), strict=True)
        )
        replicated += word(found, above) == REPLICATES
    assert replicated <= stats.binom.ppf(0.999, 1000, 0.025)
    same = row(1, 3, **dict.fromkeys(CONTRAST, 0.0))
    assert word(same, above) == CONTROL_SHOWS_IT


def interval(sample):
    low, high = stats.t.interval(0.95, len(sample) - 1, sample.mean(), stats.sem(sample))
    return {"low": low, "high": high, "estimate": sample.mean()}


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.55, 1.9, REPLICATES), (0.4, 0.45, OPPOSITE), (2.1, 3.0, OPPOSITE)],
)
def test_nearness_of_a_ratio_is_a_factor(low, high, word):
    """Within a factor of two of 1, which is from ½ to 2."""
    near = claim("near", 1.0, tolerance=np.log(2), scale="log")
    row = {"estimate": np.sqrt(low * high), "low": low, "high": high, "ensembles": 40}
    assert verdict(row, near, level=0.95)[0] == word


@pytest.mark.parametrize("side", [-1, 1])
def test_tolerance_itself_is_near(side):
    # An interval hardly shrinks that is hardly wide, and not at its estimate.
    ends = sorted([side * 0.3, side * (0.3 - 1e-9)])
    assert word(row(*ends, side * 0.3), claim("near")) == REPLICATES
    assert word(row(*ends, side * 0.3), claim("near", tolerance=0.29)) == OPPOSITE


def test_units_that_are_all_alike_give_no_interval():
    for expected in ("above", "near"):
        assert word(row(0.2, 0.2), claim(expected)) == NO_INTERVAL


def test_study_that_could_just_have_shown_nearness_has_the_power():
    low, high = 0.0, 0.5
    error = (high - low) / (2 * stats.t.ppf(0.975, 29))
    # Both one-sided tests reject with probability 0.8 where the true value is 0.
    needed = stats.t.ppf([0.95, 0.9], 29).sum() * error
    exactly = claim("near", tolerance=needed)
    assert word(row(low, high), exactly) == UNDECIDED
    assert word(row(low, high), dataclasses.replace(exactly, tolerance=0.999 * needed)) == NO_POWER


def test_any_difference_from_the_control_speaks_for_nearness():
    near = claim("near", control=Control("untrained networks", CONTRAST))
    for contrast, answer in {
        (0.5, 0.4, 0.6): REPLICATES,
        (-0.5, -0.6, -0.4): REPLICATES,
        (0.1, -0.4, 0.6): MAYBE_CONTROL,
        (0.0, -0.01, 0.01): CONTROL_SHOWS_IT,
    }.items():
        columns = dict(zip(CONTRAST, contrast, strict=True))
        assert word(row(-0.05, 0.05, **columns), near) == answer

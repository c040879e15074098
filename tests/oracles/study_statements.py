"""What must be said of simulated studies, how often, and why.

A rate follows from what a statistic promises, or from the definition of the scenario:

* A p-value promises its level under its own null hypothesis. That of Ψ, of K and of sign errors is
  that measure and gap have nothing to do with each other, hyper-parameters included; it holds for
  random numbers. That of regret is that the measure says nothing within strata; that of added R²,
  that it adds nothing to main effects.
* Of a measure that knows a hyper-parameter, Ψ, K and sign errors promise no rate. What they must
  say follows from what the scenario makes of them, or else the rate is reported without a bound.
* A claim of one side is wrong in at most half of the cases in which a two-sided interval is. A
  claim of nearness tests at the level α = .05 that the truth is on the edge of its tolerance.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from oracles.simulated_studies import SCENARIOS
from oracles.study_judge import NEARNESS, Judge
from scipy.stats import binom

from generalization.statistics.verdicts import NO_INTERVAL, OPPOSITE, REPLICATES

TOLERANCE = 0.02  # of rates that approximations keep


class Statement(NamedTuple):
    """Statement about a scenario, with its rate: at least, at most or about that, and why.

    What is stated of a rate about another holds within ``TOLERANCE`` of it, beside chance. Of a
    rate that is not promised, the bound is ``none``: it is reported, and no rate is wrong.
    """

    scenario: str
    sentence: str
    holds: Callable[[Judge], bool]
    bound: str
    rate: float
    why: str = ""


POOLED = ("shown, pooled", lambda judge: judge.pooled.shown)
WITHIN = ("shown, within strata", lambda judge: judge.within.shown)
DESIGN = ("shown, given the design", lambda judge: judge.given_design.shown)
INTERACTIONS = ("shown, given interactions too", lambda judge: judge.given_interactions.shown)
BOTH = (
    "shown beyond the hyper-parameters: within strata and given the design",
    lambda judge: judge.within.shown and judge.given_design.shown,
)
COVERED = ("interval within strata covers", lambda judge: judge.covered)
COVERED_GIVEN_DESIGN = (
    "interval given the design covers",
    lambda judge: judge.covered_given_design,
)
DETECTED = ("shown, within strata", lambda judge: judge.within.shown)
POSITIVE = (
    "positive and shown, within strata",
    lambda j: j.within.shown and j.within.estimate[0] > 0,
)
NEGATIVE = (
    "negative and shown, within strata",
    lambda j: j.within.shown and j.within.estimate[0] < 0,
)
TURNED = ("negative and shown, pooled", lambda j: j.pooled.shown and j.pooled.estimate[0] < 0)
MISLED = ("positive and shown, pooled", lambda j: j.pooled.shown and j.pooled.estimate[0] > 0)
NO_NUMBER = ("no number within strata", lambda judge: np.isnan(judge.within.estimate[0]))
FUNCTION = (
    "said to be a function of the hyper-parameters",
    lambda judge: judge.reason == "is a function of the hyper-parameters alone",
)
CONSTANT = (
    "said to be constant",
    lambda judge: judge.reason == "the measure is the same for all ensembles",
)
ALL_ONE = (
    "all correlations are 1",
    lambda j: min(said.estimate[0] for said in (j.pooled, j.within, j.given_design)) > 1 - 1e-9,
)
ALL_MINUS_ONE = (
    "all correlations are -1",
    lambda j: max(said.estimate[0] for said in (j.pooled, j.within, j.given_design)) < 1e-9 - 1,
)
TOLD_APART = ("two equal ones are told apart", lambda judge: judge.told_apart)
WINNER = ("simultaneous interval covers the winner", lambda judge: judge.winner_covered)
ANY_SHOWN = ("any shown, corrected", lambda judge: judge.any_shown)

ON_CORRELATIONS = [
    Statement("perfect", *ALL_ONE, "at least", 1.0),
    Statement("perfect", *DESIGN, "at least", 1.0),
    Statement("reversed", *ALL_MINUS_ONE, "at least", 1.0),
    Statement("constant", *CONSTANT, "at least", 1.0),
    Statement("constant", *POOLED, "at most", 0.0),
    *(
        Statement(scenario, *what, "at most", 0.05)
        for scenario in ("random per network", "random per ensemble")
        for what in (POOLED, WITHIN, DESIGN, INTERACTIONS, BOTH)
    ),
    # What only knows a hyper-parameter is shown, pooled, and must not be once that is held fixed.
    Statement("random per level", *POOLED, "at least", 0.3),
    Statement("random per level", *NO_NUMBER, "at least", 1.0),
    Statement("random per level", *FUNCTION, "at least", 1.0),
    Statement("the dominant factor", *POOLED, "at least", 1.0),
    Statement("the dominant factor", *NO_NUMBER, "at least", 1.0),
    Statement("the dominant factor", *FUNCTION, "at least", 1.0),
    Statement("random main effects", *POOLED, "at least", 0.3),
    # So it is within strata of one factor: a sum of the others knows what they do to the gap.
    Statement("random main effects", *WITHIN, "at least", 0.3),
    Statement("random main effects", *DESIGN, "at most", 0.05),
    Statement("random main effects", *BOTH, "at most", 0.05),
    Statement("random main effects", *INTERACTIONS, "at most", 0.05),
    Statement("main effects and an interaction", *DESIGN, "at least", 0.1),
    Statement("main effects and an interaction", *INTERACTIONS, "at most", 0.05),
    Statement("within and not across", *TURNED, "at least", 0.95),
    Statement("within and not across", *POSITIVE, "at least", 0.95),
    Statement("within and not across", *DESIGN, "at least", 0.95),
    Statement("across and not within", *POOLED, "at least", 0.95),
    Statement("across and not within", *WITHIN, "at most", 0.05),
    Statement("across and not within", *DESIGN, "at most", 0.05),
    Statement("planted .3", *POSITIVE, "at least", 0.42),
    Statement("planted .3", *COVERED, "about", 0.95),
    Statement("planted .3", *COVERED_GIVEN_DESIGN, "about", 0.95),
    Statement("planted .6", *POSITIVE, "at least", 0.97),
    Statement("planted .6", *BOTH, "at least", 0.9),
    Statement("planted .6", *COVERED_GIVEN_DESIGN, "about", 0.95),
    Statement("as strong as the study detects", *DETECTED, "about", 0.8),
    Statement("as strong as the study detects, given the design", *DESIGN, "about", 0.8),
    Statement("planted .6", *COVERED, "about", 0.95),
    Statement("two equal measures", *TOLD_APART, "at most", 0.05),
    Statement("15 equal measures", *WINNER, "at least", 0.95),
    Statement("15 equal measures", *ANY_SHOWN, "at least", 0.97),
    Statement("15 null measures", *ANY_SHOWN, "at most", 0.05),
    Statement("two datasets, none within", *POOLED, "at least", 0.9),
    Statement("two datasets, none within", *WITHIN, "at most", 0.05),
    Statement("two datasets, none within", *COVERED, "about", 0.95),
    Statement("two datasets, -.6 within", *MISLED, "at least", 0.5),
    Statement("two datasets, -.6 within", *NEGATIVE, "at least", 0.97),
    Statement("two datasets, +.6 within", *POSITIVE, "at least", 0.97),
    Statement("two datasets, +.6 within", *COVERED, "about", 0.95),
]

SURE = ("at least", 1.0)
NEVER = ("at most", 0.0)
BY_CHANCE = ("at most", 0.05)
WRONG_SIDE = ("at most", 0.025)
NOT_PROMISED = ("none", np.nan)
KNOWN_FACTOR = "not promised: the null is independence, and the measure knows a factor"


def found(statistic):
    """Tell whether the permutation test of a statistic finds something."""
    return lambda judge: getattr(judge, statistic).found


def equals(statistic, value):
    return lambda judge: abs(getattr(judge, statistic).estimate[0] - value) < 1e-9


def psi(place, sign=0):
    """Tell whether Ψ (0) or ψ of a factor (from 1 on) is found, with this sign if it is not 0."""

    def holds(judge):
        one = judge.granulated[place]
        return one.found and (not sign or one.estimate[0] * sign > 0)

    return holds


def psi_equals(value):
    return lambda judge: abs(judge.granulated[0].estimate[0] - value) < 1e-9


def psi_covers(place, truth):
    return lambda judge: judge.granulated_covers(place, truth)


def claim(said, expected, word):
    """Tell whether the claim that a correlation is above, below or near 0 has a verdict."""
    return lambda judge: judge.judged(getattr(judge, said), expected) == word


def claim_of_datasets(word, about):
    """Tell whether the claim above 0 has a verdict in the dataset, or the row that joins them."""
    return lambda judge: judge.of_datasets.get(about) == word


def ordered_pairs(rho):
    """ψ of normal values with Spearman's ρ: τ = (2/π)·asin r."""
    return 2 / np.pi * np.arcsin(2 * np.sin(np.pi / 6 * rho))


def of_perfect(scenario, sign):
    error = (1 - sign) / 2
    right, wrong = ("above", "below") if sign > 0 else ("below", "above")
    yield Statement(scenario, f"Ψ is {sign}", psi_equals(sign), *SURE, "all pairs are in order")
    yield Statement(scenario, "Ψ is found", psi(0, sign), *SURE)
    yield Statement(scenario, "K is 1", equals("information", 1), *SURE, "blind to sign")
    yield Statement(scenario, "K is found", found("information"), *SURE)
    for kind in ("mean", "worst"):
        same = equals(f"{kind}_error", error)
        yield Statement(scenario, f"{kind} sign error is {error:g}", same, *SURE)
    yield Statement(scenario, "added R² is found", found("added"), *SURE, "blind to sign")
    yield Statement(
        scenario, "regret is 0", equals("regret", 0), *SURE, "turned by the sign within strata"
    )
    yield Statement(
        *(scenario, "regret is found", found("regret"), *NOT_PROMISED),
        "one choice within a stratum of 12 is the best by chance in 1 of 12 cases",
    )
    yield Statement(scenario, "hit rate is 1", equals("hit_rate", 1), *SURE)
    yield Statement(scenario, "hit rate is found", found("hit_rate"), *SURE)
    yield Statement(
        *(scenario, "worst regret is found", found("worst_regret"), *SURE),
        "four best choices by chance have p = 1/12⁴",
    )
    yield Statement(
        *(scenario, "above the best factor", lambda judge: judge.above_factors),
        *("at least", 0.95, "no factor is the gap"),
    )
    for said in ("pooled", "within", "given_design"):
        words = said.replace("_", " ").replace("given", "given the")
        for expected, word in ((right, REPLICATES), (wrong, OPPOSITE), ("near", OPPOSITE)):
            holds = claim(said, expected, word)
            yield Statement(scenario, f"claim “{expected} 0”, {words}: {word}", holds, *SURE)


def of_constant():
    scenario = "constant"
    yield Statement(scenario, "Ψ is 0", psi_equals(0), *SURE, "ties count 0")
    yield Statement(scenario, "K is 0", equals("information", 0), *SURE, "ties do not vary")
    for kind in ("mean", "worst"):
        same = equals(f"{kind}_error", 0.5)
        yield Statement(
            scenario, f"{kind} sign error is 0.5", same, *SURE, "a tie is half an error"
        )
    yield Statement(scenario, "added R² is 0", equals("added", 0), *SURE)
    yield Statement(scenario, "regret is 1", equals("regret", 1), *SURE, "ties are drawn at random")
    for words, statistic in TESTS.items():
        yield Statement(scenario, f"{words} is found", found(statistic), *NEVER)
    yield Statement(scenario, "Ψ is found", psi(0), *NEVER)
    yield Statement(scenario, "above the best factor", lambda judge: judge.above_factors, *NEVER)
    for expected in ("above", "below", "near"):
        holds = claim("within", expected, NO_INTERVAL)
        yield Statement(scenario, f"claim “{expected} 0”, within: {NO_INTERVAL}", holds, *SURE)


TESTS = {
    "K": "information",
    "mean sign error": "mean_error",
    "worst sign error": "worst_error",
    "added R²": "added",
    "regret": "regret",
    "worst regret": "worst_regret",
    "hit rate": "hit_rate",
}


def of_random(scenario):
    exact = "the measure can be exchanged"
    yield Statement(scenario, "Ψ is found", psi(0), *BY_CHANCE, exact)
    for place, name in enumerate(FACTORS, 1):
        yield Statement(scenario, f"ψ of {name} is found", psi(place), *BY_CHANCE, exact)
    yield Statement(scenario, "interval of Ψ covers", psi_covers(0, 0.0), "at least", 0.95)
    for words, statistic in TESTS.items():
        yield Statement(scenario, f"{words} is found", found(statistic), *BY_CHANCE, exact)
    yield Statement(
        *(scenario, "interval of the worst sign error covers ½"),
        *(lambda judge: judge.worst_error_covers_chance, "at least", 0.95),
    )
    yield Statement(
        *(scenario, "above the best factor", lambda judge: judge.above_factors),
        *BY_CHANCE,
        "factors do something to the gap",
    )
    yield from of_no_relation(scenario, ("pooled", "within", "given_design"))


def of_no_relation(scenario, correlations):
    """Claims on correlations whose truth is 0."""
    for said in correlations:
        words = said.replace("_", " ").replace("given", "given the")
        for expected in ("above", "below"):
            for word in (REPLICATES, OPPOSITE):
                holds = claim(said, expected, word)
                sentence = f"claim “{expected} 0”, {words}: {word}"
                yield Statement(scenario, sentence, holds, *WRONG_SIDE, "half of α")
        holds = claim(said, "near", OPPOSITE)
        sentence = f"claim “near 0”, {words}: {OPPOSITE}"
        yield Statement(scenario, sentence, holds, *BY_CHANCE, "0 is within the tolerance")


def of_a_factor(scenario):
    """A measure that is a function of the dominant factor."""
    known = scenario == "the dominant factor"
    yield Statement(
        *(scenario, "Ψ is found", psi(0, known), *(SURE if known else ("at least", 0.3))),
        "ψ of the factor it knows counts; an order of 4 levels has at most one inversion, or all "
        "but one, in 8 of 24 cases",
    )
    yield Statement(
        scenario, "K is 0", equals("information", 0), *SURE, "S may be the factor it knows"
    )
    yield Statement(scenario, "K is found", found("information"), *NEVER)
    yield Statement(
        *(scenario, "worst sign error is ½ or more"),
        *(lambda judge: judge.worst_error.estimate[0] >= 0.5, *SURE),
        "all changes of other factors are ties",
    )
    yield Statement(
        scenario, "worst sign error is found", found("worst_error"), *NOT_PROMISED, KNOWN_FACTOR
    )
    mean = found("mean_error")
    rate = ("at least", 0.95) if known else NOT_PROMISED
    why = "6 of 11 changes are of the factor that it knows" if known else KNOWN_FACTOR
    yield Statement(scenario, "mean sign error is found", mean, *rate, why)
    yield Statement(
        scenario, "added R² is 0", equals("added", 0), *SURE, "the design explains its ranks"
    )
    for words in ("added R²", "regret", "worst regret", "hit rate"):
        statistic = found(TESTS[words])
        yield Statement(scenario, f"{words} is found", statistic, *NEVER, "constant in strata")
    yield Statement(scenario, "above the best factor", lambda judge: judge.above_factors, *NEVER)
    holds = claim("within", "above", NO_INTERVAL)
    yield Statement(scenario, f"claim “above 0”, within: {NO_INTERVAL}", holds, *SURE)
    if known:
        holds = claim("pooled", "above", REPLICATES)
        sentence = f"claim “above 0”, pooled: {REPLICATES}"
        yield Statement(scenario, sentence, holds, *SURE, "a pooled claim knows no factors")


def of_main_effects():
    scenario = "random main effects"
    yield Statement(
        *(scenario, "Ψ is found", psi(0), "at least", 0.3),
        "not protected: it orders the levels of three factors that matter by chance",
    )
    yield Statement(
        *(scenario, "ψ of the factor without effect is found", psi(4), *BY_CHANCE),
        "the gaps of its pairs are exchangeable",
    )
    for words in ("K", "mean sign error", "worst sign error", "regret", "worst regret", "hit rate"):
        yield Statement(
            scenario, f"{words} is found", found(TESTS[words]), *NOT_PROMISED, KNOWN_FACTOR
        )
    yield Statement(
        *(scenario, "added R² is found", found("added"), *BY_CHANCE),
        "given main effects, the gap is exchangeable",
    )
    yield from of_no_relation(scenario, ("given_design",))


def of_interaction():
    scenario = "main effects and an interaction"
    why = "not promised: a design of main effects leaves an interaction in both"
    yield Statement(scenario, "added R² is found", found("added"), *NOT_PROMISED, why)
    yield Statement(scenario, "Ψ is found", psi(0), *NOT_PROMISED, KNOWN_FACTOR)
    yield from of_no_relation(scenario, ("given_interactions",))


def of_simpson():
    scenario = "within and not across"
    yield Statement(
        *(scenario, "Ψ is positive and found", psi(0, 1), *NOT_PROMISED),
        "a mean of three factors within, and of the dominant one across",
    )
    yield Statement(
        *(scenario, "ψ of the last factor is positive and found", psi(4, 1), "at least", 0.95),
        "a pair differs in its residual alone: ψ is .8, four deviations",
    )
    yield Statement(
        *(scenario, "ψ of the dominant factor is negative and found", psi(1, -1)),
        *("at least", 0.95, "the measure falls by 4 a level, four deviations"),
    )
    yield Statement(
        *(scenario, "worst sign error is ½ or more"),
        *(lambda judge: judge.worst_error.estimate[0] >= 0.5, *SURE),
        "nearly all pairs of far levels are reversed",
    )
    yield Statement(
        scenario, "worst sign error is found", found("worst_error"), *BY_CHANCE, "its error is 1"
    )
    yield Statement(scenario, "added R² is found", found("added"), "at least", 0.95)
    yield Statement(scenario, "K is found", found("information"), *NOT_PROMISED, KNOWN_FACTOR)
    for said, word in (("pooled", OPPOSITE), ("within", REPLICATES), ("given_design", REPLICATES)):
        words = said.replace("_", " ").replace("given", "given the")
        holds = claim(said, "above", word)
        sentence = f"claim “above 0”, {words}: {word}"
        yield Statement(scenario, sentence, holds, "at least", 0.95, "as the correlation is shown")


def of_across():
    scenario = "across and not within"
    yield Statement(
        *(scenario, "ψ of the dominant factor is positive and found", psi(1, 1)),
        *("at least", 0.95, "the measure rises by two deviations a level"),
    )
    for place, name in list(enumerate(FACTORS, 1))[1:]:
        sentence = f"ψ of {name} is found"
        yield Statement(scenario, sentence, psi(place), *BY_CHANCE, "nothing within its cells")
    yield Statement(
        scenario, "Ψ is found", psi(0), *NOT_PROMISED, "ψ of the dominant factor counts"
    )
    for words in ("K", "mean sign error", "worst sign error"):
        yield Statement(
            scenario, f"{words} is found", found(TESTS[words]), *NOT_PROMISED, KNOWN_FACTOR
        )
    yield Statement(
        *(scenario, "interval of the worst sign error covers ½"),
        *(lambda judge: judge.worst_error_covers_chance, "at least", 0.95),
        "the largest of the true errors",
    )
    for words in ("added R²", "regret", "worst regret", "hit rate"):
        statistic = found(TESTS[words])
        yield Statement(scenario, f"{words} is found", statistic, *BY_CHANCE, "nothing in strata")
    holds = claim("pooled", "above", REPLICATES)
    sentence = f"claim “above 0”, pooled: {REPLICATES}"
    why = "a pooled claim knows no factors"
    yield Statement(scenario, sentence, holds, "at least", 0.95, why)
    yield from of_no_relation(scenario, ("within", "given_design"))


def of_planted(scenario, rho, power):
    for place, name in list(enumerate(FACTORS, 1))[1:]:
        yield Statement(
            *(scenario, f"interval of ψ of {name} covers", psi_covers(place, ordered_pairs(rho))),
            *("at least", 0.95, "(2/π)·asin r; of few pairs, as of Clopper and Pearson"),
        )
    for said in ("within", "given_design"):
        words = said.replace("_", " ").replace("given", "given the")
        for expected, word in (("above", REPLICATES), ("below", OPPOSITE)):
            sentence = f"claim “{expected} 0”, {words}: {word}"
            least = power if said == "within" else round(power - 0.07, 2)
            why = "power of the test" if said == "within" else "the same, with 4 parameters more"
            yield Statement(scenario, sentence, claim(said, expected, word), "at least", least, why)
        for expected, word in (("above", OPPOSITE), ("below", REPLICATES)):
            sentence = f"claim “{expected} 0”, {words}: {word}"
            yield Statement(scenario, sentence, claim(said, expected, word), *WRONG_SIDE)
        sentence = f"claim “near 0”, {words}: {REPLICATES}"
        why = f"α of the edge, {NEARNESS:g}" if rho == NEARNESS else "beyond the tolerance"
        holds = claim(said, "near", REPLICATES)
        yield Statement(scenario, sentence, holds, *BY_CHANCE, why)


def of_strong():
    scenario = "planted .6"
    yield Statement(
        *(scenario, f"claim “near 0”, within: {OPPOSITE}", claim("within", "near", OPPOSITE)),
        *("at least", 0.65, "2.4 errors from the edge, of which the test takes 1.7"),
    )
    yield Statement(scenario, "added R² is found", found("added"), "at least", 0.9)
    yield Statement(
        *(scenario, "above the best factor", lambda judge: judge.above_factors),
        *("at least", 0.4, "factors have 0, of which the best of three seems to have .2"),
    )


def of_many():
    scenario = "15 null measures"
    for words in ("K", "added R²", "worst regret"):
        holds = lambda judge, name=TESTS[words]: getattr(judge, name).any_found  # noqa: E731
        rate = (*NOT_PROMISED, KNOWN_FACTOR) if words == "K" else BY_CHANCE
        yield Statement(scenario, f"any {words} is found, corrected", holds, *rate)
    for place, name in list(enumerate(FACTORS, 1))[1:]:
        holds = lambda judge, place=place: judge.granulated[place].any_found  # noqa: E731
        yield Statement(scenario, f"any ψ of {name} is found, corrected", holds, *BY_CHANCE)


def of_datasets(scenario, rho):
    why = "the dataset is held fixed"
    rate = BY_CHANCE if rho == 0 else ("at least", 0.95)
    words = "found" if rho == 0 else f"{'positive' if rho > 0 else 'negative'} and found"
    yield Statement(scenario, f"Ψ is {words}", psi(0, np.sign(rho)), *rate, why)
    for place, name in enumerate(("Ψ", "the dataset", *FACTORS[1:])):
        if place != 1:
            sentence = f"interval of {name if place == 0 else f'ψ of {name}'} covers"
            holds = psi_covers(place, ordered_pairs(rho))
            yield Statement(scenario, sentence, holds, "at least", 0.95, "(2/π)·asin r")
    rate = BY_CHANCE if rho == 0 else ("at least", 0.9)
    yield Statement(scenario, "added R² is found", found("added"), *rate, "blind to sign")
    for about in ("dataset 0", "joined over dataset 0 and dataset 1"):
        single = about == "dataset 0"
        if rho == 0:
            for word in (REPLICATES, OPPOSITE):
                holds = claim_of_datasets(word, about)
                yield Statement(scenario, f"claim “above 0”, {about}: {word}", holds, *WRONG_SIDE)
            continue
        right, wrong = (REPLICATES, OPPOSITE) if rho > 0 else (OPPOSITE, REPLICATES)
        holds = claim_of_datasets(wrong, about)
        yield Statement(scenario, f"claim “above 0”, {about}: {wrong}", holds, *WRONG_SIDE)
        holds = claim_of_datasets(right, about)
        rate, why = ("at least", 0.75), "3 errors of 24 ensembles, of which the test takes 2.1"
        if not single:
            rate, why = NOT_PROMISED, "two datasets tell little of others"
        yield Statement(scenario, f"claim “above 0”, {about}: {right}", holds, *rate, why)
    yield Statement(
        *(scenario, "a claim is judged over all datasets pooled"),
        *(lambda judge: "all" in judge.of_datasets, *NEVER),
    )


FACTORS = ("the dominant factor", "the second factor", "the third factor", "the last factor")
ON_JUDGES_AND_CLAIMS = [
    *of_perfect("perfect", 1),
    *of_perfect("reversed", -1),
    *of_constant(),
    *of_random("random per network"),
    *of_random("random per ensemble"),
    *of_a_factor("random per level"),
    *of_a_factor("the dominant factor"),
    *of_main_effects(),
    *of_interaction(),
    *of_simpson(),
    *of_across(),
    *of_planted("planted .3", 0.3, 0.42),
    *of_planted("planted .6", 0.6, 0.97),
    *of_strong(),
    *of_many(),
    *of_datasets("two datasets, none within", 0.0),
    *of_datasets("two datasets, -.6 within", -0.6),
    *of_datasets("two datasets, +.6 within", 0.6),
]
STATEMENTS = ON_CORRELATIONS + ON_JUDGES_AND_CLAIMS


def limits(statement, studies, chance):
    """Least and largest rate of a statement that just holds, but for that chance on each side."""
    if statement.bound == "none":
        return 0.0, 1.0
    away = TOLERANCE if statement.bound == "about" else 0
    least = binom.ppf(chance, studies, statement.rate - away) / studies
    largest = binom.ppf(1 - chance, studies, min(statement.rate + away, 1)) / studies
    return (
        0.0 if statement.bound == "at most" else least,
        1.0 if statement.bound == "at least" else largest,
    )


def rates(scenario, studies, *, statements=None, permutations=199, resamples=199, seed=0):
    """Share of simulated studies in which each statement on the scenario holds."""
    statements = [one for one in statements or STATEMENTS if one.scenario == scenario]
    hits = np.zeros(len(statements))
    for generator in np.random.default_rng(seed).spawn(studies):
        judge = Judge(SCENARIOS[scenario](generator), generator, permutations, resamples)
        hits += [statement.holds(judge) for statement in statements]
    return dict(zip(statements, hits / studies, strict=True))

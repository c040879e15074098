"""Studies of which the truth is known, and what must be said of them how often.

Ensembles are a full factorial of a dominant factor (4 levels), two more of 3 and 2 levels, and two
replicates of a factor without any effect. The gap is a sum of main effects, a normal residual of
every ensemble, and noise of seeds.
"""

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binom

from generalization.statistics.controls import (
    random_main_effects,
    random_per_ensemble,
    random_per_network,
)
from generalization.statistics.design import (
    main_effects,
    orthonormal_basis,
    pairwise_interactions,
)
from generalization.statistics.draws import (
    leave_one_out_counts,
    observed_counts,
    permuted_orders,
    resampled_counts,
)
from generalization.statistics.intervals import (
    Interval,
    comparison,
    correlation_interval,
    simultaneous_interval,
)
from generalization.statistics.league_rows import shown
from generalization.statistics.multiplicity import permutation_p_values, westfall_young
from generalization.statistics.partial import (
    partial_rank_correlation,
    partial_rank_correlation_null,
    reasons,
)
from generalization.statistics.power import least_correlation
from generalization.statistics.stratified import stratified_spearman, stratified_spearman_null

LEVELS = np.array(list(np.ndindex(4, 3, 2, 2)))
ENSEMBLES, SEEDS = len(LEVELS), 2
DOMINANT = np.array([0.0, 2.0, 4.0, 6.0])[LEVELS[:, 0]]
LEVEL, LEVEL_OF_TESTS = 0.95, 0.05


class SimulatedStudy(NamedTuple):
    """Measures and gap of every network, and what is held fixed."""

    measures: np.ndarray  # measures × ensembles × seeds
    gap: np.ndarray  # ensembles × seeds
    levels: np.ndarray = LEVELS
    strata: np.ndarray = LEVELS[:, 0]
    truth: float = 0.0  # Spearman's ρ within strata


def additive_gap(generator):
    """Half of the variance by the dominant factor, a quarter by the others, the rest by none."""
    others = 1.5 * (LEVELS[:, 1] == 1) + 1.0 * LEVELS[:, 2]
    residual = generator.normal(size=ENSEMBLES)
    return noisy(0.6 * DOMINANT + others + residual, generator), residual


def noisy(means, generator, spread=0.2):
    return means[..., None] + spread * generator.normal(size=(*means.shape, SEEDS))


def of_gap(function):
    def study(generator):
        gap, _ = additive_gap(generator)
        return SimulatedStudy(function(gap, generator)[None], gap)

    return study


def with_interaction(generator):
    """Measure and gap have an interaction of the two largest factors, each its own."""

    def interaction():
        return generator.normal(size=(4, 3))[LEVELS[:, 0], LEVELS[:, 1]]

    gap, _ = additive_gap(generator)
    known = random_main_effects(LEVELS, SEEDS, generator)[:, 0] + interaction()
    known = known + 0.3 * generator.normal(size=ENSEMBLES)
    return SimulatedStudy(noisy(known, generator)[None], gap + 1.5 * interaction()[:, None])


def within_not_across(generator):
    gap, residual = additive_gap(generator)
    means = residual - 2 * DOMINANT + 0.3 * generator.normal(size=ENSEMBLES)
    return SimulatedStudy(noisy(means, generator)[None], gap)


def across_not_within(generator):
    gap, _ = additive_gap(generator)
    return SimulatedStudy(noisy(DOMINANT + generator.normal(size=ENSEMBLES), generator)[None], gap)


def planted(rho, equal=1):
    """Normal within levels of the dominant factor with this Spearman correlation, no seed noise."""
    r = 2 * np.sin(np.pi / 6 * rho)

    def study(generator):
        residual = generator.normal(size=ENSEMBLES)
        noise = generator.normal(size=(equal, ENSEMBLES))
        measures = r * residual + np.sqrt(1 - r**2) * noise - DOMINANT
        gap = np.repeat((DOMINANT + residual)[:, None], SEEDS, axis=1)
        return SimulatedStudy(np.repeat(measures[..., None], SEEDS, axis=2), gap, truth=rho)

    return study


def two_datasets(rho):
    """Datasets that differ in measure and gap; within each this relation."""
    r = 2 * np.sin(np.pi / 6 * rho)
    levels = np.array(list(np.ndindex(2, 3, 4, 2)))
    shift = 4.0 * levels[:, 0]

    def study(generator):
        residual, noise = generator.normal(size=(2, ENSEMBLES))
        measure = r * residual + np.sqrt(1 - r**2) * noise + shift
        gap = noisy(residual + shift, generator, 0.0)
        return SimulatedStudy(noisy(measure, generator, 0.0)[None], gap, levels, levels[:, 0], rho)

    return study


SCENARIOS: dict[str, Callable[[np.random.Generator], SimulatedStudy]] = {
    "perfect": of_gap(lambda gap, _: 3 * gap + 1),
    "reversed": of_gap(lambda gap, _: -gap),
    "constant": of_gap(lambda gap, _: np.full(gap.shape, 0.1)),
    "random per network": of_gap(lambda gap, g: random_per_network(gap.shape, g)),
    "random per ensemble": of_gap(lambda gap, g: random_per_ensemble(gap.shape, g)),
    "random per level": of_gap(lambda _, g: random_main_effects(LEVELS[:, :1], SEEDS, g)),
    "the dominant factor": of_gap(lambda gap, _: np.repeat(DOMINANT[:, None], SEEDS, axis=1)),
    "random main effects": of_gap(lambda _, g: random_main_effects(LEVELS, SEEDS, g)),
    "main effects and an interaction": with_interaction,
    "within and not across": within_not_across,
    "across and not within": across_not_within,
    "planted .3": planted(0.3),
    "planted .6": planted(0.6),
    "as strong as the study detects": planted(least_correlation(ENSEMBLES, 4)),
    "as strong as the study detects, given the design": planted(least_correlation(ENSEMBLES, 8)),
    "two equal measures": planted(0.5, 2),
    "15 equal measures": planted(0.5, 15),
    "15 null measures": planted(0.0, 15),
    "two datasets, none within": two_datasets(0.0),
    "two datasets, -.6 within": two_datasets(-0.6),
    "two datasets, +.6 within": two_datasets(0.6),
}


TOLERANCE = 0.02  # of rates that approximations keep


class Said(NamedTuple):
    estimate: np.ndarray
    p_value: np.ndarray
    interval: Callable[[], Interval]

    @property
    def shown(self):
        """By the rule of the league, for one measure."""
        if not self.p_value[0] <= LEVEL_OF_TESTS:
            return False  # whatever its interval, which takes time
        low, high = (bound[0] for bound in self.interval()[1:])
        row = {"low": low, "high": high, "level": LEVEL, "p_value": self.p_value[0]}
        rows = pd.DataFrame([row | {"p_value_corrected": np.nan, "ensembles": ENSEMBLES}])
        return bool(shown(rows).iloc[0])


class Judge:
    """Statistics of the league for one study, all on ensemble means."""

    def __init__(self, study, generator, permutations=199, resamples=199):
        self.study, self.generator = study, generator
        self.permutations, self.resamples = permutations, resamples
        self.measures, self.gap = study.measures.mean(-1), study.gap.mean(-1)
        self.once = observed_counts(len(self.gap))

    def orders(self, strata):
        return permuted_orders(strata, permutations=self.permutations, generator=self.generator)

    def stratified(self, strata):
        given = self.measures, self.gap, strata
        found = stratified_spearman(self.once, *given)[:, 0]
        null = stratified_spearman_null(*given, self.orders(strata))
        levels = len(np.unique(strata))

        def interval():
            left_out = stratified_spearman(leave_one_out_counts(len(self.gap)), *given)
            free = len(self.gap) - 1 - levels
            return correlation_interval(
                found, left_out, level=LEVEL, degrees_of_freedom=free, strata=strata
            )

        return Said(found, permutation_p_values(found, null), interval), null

    def partial(self, design):
        given = self.measures, self.gap, design
        found = partial_rank_correlation(self.once, *given)[:, 0]
        null = partial_rank_correlation_null(*given, self.orders(np.zeros(len(self.gap), int)))

        def interval():
            left_out = partial_rank_correlation(leave_one_out_counts(len(self.gap)), *given)
            free = len(self.gap) - 1 - orthonormal_basis(design).shape[1]
            return correlation_interval(found, left_out, level=LEVEL, degrees_of_freedom=free)

        return Said(found, permutation_p_values(found, null), interval)

    @cached_property
    def pooled(self):
        return self.stratified(np.zeros(len(self.gap), int))[0]

    @cached_property
    def within(self):
        return self.stratified(self.study.strata)[0]

    @cached_property
    def given_design(self):
        return self.partial(main_effects(self.study.levels))

    @cached_property
    def given_interactions(self):
        return self.partial(pairwise_interactions(self.study.levels))

    @cached_property
    def draws(self):
        strata = self.study.strata
        counts = resampled_counts(strata, resamples=self.resamples, generator=self.generator)
        return stratified_spearman(counts, self.measures, self.gap, strata)

    @property
    def covered(self):
        found = self.within.interval()
        return found.low[0] <= self.study.truth <= found.high[0]

    @property
    def covered_given_design(self):
        """Nothing but the dominant factor matters: given all, the truth is that within strata."""
        found = self.given_design.interval()
        return found.low[0] <= self.study.truth <= found.high[0]

    @property
    def told_apart(self):
        """Tell whether the first measure is found to differ from the second, its baseline."""
        found = self.within.estimate
        difference = comparison(
            self.draws[:1], found[:1], self.draws[1:2], found[1:2], level=LEVEL
        ).difference
        return not difference.low[0] <= 0 <= difference.high[0]

    @property
    def winner_covered(self):
        found = simultaneous_interval(self.draws, self.within.estimate, level=LEVEL)
        winner = np.nanargmax(np.abs(self.within.estimate))
        return found.low[winner] <= self.study.truth <= found.high[winner]

    @property
    def any_shown(self):
        said, null = self.stratified(self.study.strata)
        return np.nanmin(westfall_young(said.estimate, null)) <= LEVEL_OF_TESTS

    @property
    def reason(self):
        return reasons(self.measures, self.gap, main_effects(self.study.levels))[0]


class Statement(NamedTuple):
    """Statement about a scenario, with its rate: at least, at most or about that.

    What is stated of a rate about another holds within ``TOLERANCE`` of it, beside chance.
    """

    scenario: str
    sentence: str
    holds: Callable[[Judge], bool]
    bound: str
    rate: float


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

STATEMENTS = [
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


def limits(statement, studies, chance):
    """Least and largest rate of a statement that just holds, but for that chance on each side."""
    away = TOLERANCE if statement.bound == "about" else 0
    least = binom.ppf(chance, studies, statement.rate - away) / studies
    largest = binom.ppf(1 - chance, studies, min(statement.rate + away, 1)) / studies
    return (
        0.0 if statement.bound == "at most" else least,
        1.0 if statement.bound == "at least" else largest,
    )


def rates(scenario, studies, *, permutations=199, resamples=199, seed=0):
    """Share of simulated studies in which each statement on the scenario holds."""
    statements = [statement for statement in STATEMENTS if statement.scenario == scenario]
    hits = np.zeros(len(statements))
    for generator in np.random.default_rng(seed).spawn(studies):
        judge = Judge(SCENARIOS[scenario](generator), generator, permutations, resamples)
        hits += [statement.holds(judge) for statement in statements]
    return dict(zip(statements, hits / studies, strict=True))

"""What the statistics and the rule of claims say of one simulated study."""

from collections.abc import Callable
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from oracles.simulated_studies import ENSEMBLES, SimulatedStudy

from generalization.statistics.claim import Claim
from generalization.statistics.claims import claims
from generalization.statistics.conditional_information import (
    conditional_information,
    conditional_information_null,
)
from generalization.statistics.design import (
    main_effects,
    one_factor_pairs,
    orthonormal_basis,
    pairwise_interactions,
)
from generalization.statistics.draws import (
    leave_one_out_counts,
    observed_counts,
    permuted_orders,
    resampled_counts,
)
from generalization.statistics.granulated import (
    granulated_intervals,
    granulated_kendall,
    granulated_kendall_null,
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
from generalization.statistics.prediction import (
    added_r_squared,
    added_r_squared_null,
    below_most_regret,
    largest,
    selection,
    selection_null,
)
from generalization.statistics.sign_errors import (
    changes,
    hoeffding_weights,
    sign_error_intervals,
    sign_errors,
    sign_errors_null,
    summary,
)
from generalization.statistics.stratified import stratified_spearman, stratified_spearman_null
from generalization.statistics.verdicts import verdict

LEVEL, LEVEL_OF_TESTS = 0.95, 0.05
ACCURACY = 0.05  # of one unit of a simulated gap
TEST_SIZE = 10_000
NEARNESS = 0.3  # tolerance of claims of no correlation


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


class Tested(NamedTuple):
    """A statistic that is tested by permutations, by measure: the larger its size, the more."""

    estimate: np.ndarray
    size: np.ndarray
    null: np.ndarray

    @property
    def found(self):
        """By its p-value, for the first measure; nothing that has no number is found."""
        return bool(permutation_p_values(self.size, self.null)[0] <= LEVEL_OF_TESTS)

    @property
    def any_found(self):
        """By p-values corrected for the number of measures."""
        return np.nanmin(westfall_young(self.size, self.null)) <= LEVEL_OF_TESTS


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

        @cache
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

        @cache
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

    @cached_property
    def one_stratum(self):
        return np.zeros(len(self.gap), int)

    @cached_property
    def orders_of_all(self):
        return self.orders(self.one_stratum)

    @cached_property
    def granulated(self):
        """Ψ, then every ψ_i."""
        given = self.measures, self.gap, self.study.levels
        found = granulated_kendall(*given, self.study.averaged)
        null = granulated_kendall_null(*given, self.orders_of_all, self.study.averaged)
        return [
            Tested(estimate[:, 0], estimate[:, 0], of_draws)
            for estimate, of_draws in zip(
                (found.overall, *found.by_factor), (null.overall, *null.by_factor), strict=True
            )
        ]

    @cached_property
    def granulated_intervals(self):
        """Intervals of Ψ and of every ψ_i, for the first measure."""
        given = self.measures[:1], self.gap, self.study.levels
        overall, by_factor = granulated_intervals(*given, self.study.averaged, level=LEVEL)
        return [overall, *by_factor]

    def granulated_covers(self, place, truth):
        """Tell whether the interval of Ψ, at 0, or of a ψ_i, from 1 on, covers the truth."""
        found = self.granulated_intervals[place]
        return found.low[0] <= truth <= found.high[0]

    @cached_property
    def information(self):
        given = self.measures, self.gap, self.study.levels
        found = conditional_information(self.once, *given)[:, 0]
        return Tested(found, found, conditional_information_null(*given, self.orders_of_all))

    @cached_property
    def changed(self):
        """Measures, gaps as accuracies, pairs and certainty, and the environments."""
        gap, pairs = ACCURACY * self.study.gap, one_factor_pairs(self.study.levels)
        given = self.study.measures, gap, pairs, hoeffding_weights(gap, TEST_SIZE)
        return given, changes(pairs, self.study.levels)

    @cached_property
    def sign_errors(self):
        """Mean and worst error."""
        given, environments = self.changed
        found = summary(sign_errors(*given, environments=environments).errors)
        null = sign_errors_null(*given, self.orders_of_all, environments=environments)
        return (
            Tested(found.mean, 0.5 - found.mean, 0.5 - null.mean),
            Tested(found.worst, 1 - found.worst, 1 - null.worst),
        )

    @property
    def mean_error(self):
        return self.sign_errors[0]

    @property
    def worst_error(self):
        return self.sign_errors[1]

    @property
    def worst_error_covers_chance(self):
        given, environments = self.changed
        _, found = sign_error_intervals(*given, environments=environments, level=LEVEL)
        return found.low[0] <= 0.5 <= found.high[0]

    @cached_property
    def added(self):
        given = self.measures, self.gap, main_effects(self.study.levels)
        found = added_r_squared(self.once, *given)[:, 0]
        null = added_r_squared_null(*given, self.orders_of_all)
        return Tested(found, np.maximum(found, 0), np.maximum(null, 0))

    @cached_property
    def chosen(self):
        """Regret, its worst of strata, and hit rate; turned by the sign within strata."""
        strata = self.study.strata
        falls = stratified_spearman(self.once, self.measures, self.gap, strata)[:, :1] < 0
        turned = np.where(falls, -self.measures, self.measures)
        whole = selection(turned, self.gap)
        worst = largest(selection(turned, self.gap, strata).regret)
        null = selection_null(self.measures, self.gap, strata, self.orders(strata))
        pairs = (whole.regret[:, 0], null.whole), (worst, null.worst)
        hits = whole.hit_rate[:, 0]
        regrets = [Tested(found, *below_most_regret(found, draws)) for found, draws in pairs]
        return [*regrets, Tested(hits, hits, null.hit_rate)]

    @property
    def regret(self):
        return self.chosen[0]

    @property
    def worst_regret(self):
        return self.chosen[1]

    @property
    def hit_rate(self):
        return self.chosen[2]

    @property
    def above_factors(self):
        """Tell whether the first measure is shown to exceed the best factor within strata."""
        factors = self.study.levels.T.astype(float)
        given = np.concatenate([self.measures[:1], factors]), self.gap, self.study.strata
        counts = resampled_counts(
            self.study.strata, resamples=self.resamples, generator=self.generator
        )
        draws = stratified_spearman(counts, *given)
        found = stratified_spearman(self.once, *given)[:, 0]
        told = comparison(draws[:1], found[:1], draws[1:], found[1:], level=LEVEL)
        return told.difference.low[0] > 0

    def judged(self, said, expected):
        """Verdict on the claim that a correlation is above, below or near 0."""
        low, high = (bound[0] for bound in said.interval()[1:])
        row = {"estimate": said.estimate[0], "low": low, "high": high, "ensembles": len(self.gap)}
        return verdict(row | {"p_value": said.p_value[0]}, claimed(expected), level=LEVEL)[0]

    @cached_property
    def of_datasets(self):
        """Verdicts on "above 0" by what they are about, of a study whose strata are datasets."""
        rows = []
        for code in np.unique(self.study.strata):
            at = self.study.strata == code
            part = SimulatedStudy(
                self.study.measures[:, at], self.study.gap[at], self.study.levels[at]
            )
            judge = Judge(part, self.generator, self.permutations, self.resamples)
            rows.append(_row(f"dataset {code}", judge.pooled, at.sum()))
        rows.append(_row("all", self.pooled, len(self.gap)))
        table = claims([claimed("above")], {"statistics": pd.DataFrame(rows)}, level=LEVEL)
        return dict(zip(table["about"], table["verdict"], strict=True))


def claimed(expected):
    """Return a claim that a correlation is on one side of 0, or near it."""
    tolerance = NEARNESS if expected == "near" else None
    words = f"The correlation is {expected} 0"
    rows = "statistic == 'spearman'"
    return Claim(words, "", "statistics", rows, expected, tolerance=tolerance, scale="fisher")


def _row(dataset, said, ensembles):
    low, high = (bound[0] for bound in said.interval()[1:])
    row = {"statistic": "spearman", "dataset": dataset, "estimate": said.estimate[0], "low": low}
    return row | {"high": high, "p_value": said.p_value[0], "ensembles": ensembles, "networks": 2}

"""The league: what every judge says of every measure of one population of networks.

All of it is computed on ensemble means, since seeds of one ensemble are not independent. Intervals
of correlations are Fisher's z with a jackknife over ensembles; p-values permute ensembles within
what a statistic holds fixed, and are corrected by Westfall and Young's step-down method over the
candidates, baselines and controls being outside of the family.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
from jaxtyping import Float, Int

from generalization.names import within
from generalization.statistics.ceiling import (
    noise_ceilings,
    reliability,
    share_of_test_set,
)
from generalization.statistics.conditional_information import (
    conditional_information,
    conditional_information_left_out,
    conditional_information_null,
)
from generalization.statistics.correlations import kendall_left_out, midranks, pearson
from generalization.statistics.design import (
    OneFactorPairs,
    adjusted_r_squared,
    allows_interactions,
    main_effects,
    one_factor_pairs,
    orthonormal_basis,
    pairwise_interactions,
)
from generalization.statistics.draws import (
    leave_one_out_counts,
    left_out_groups,
    observed_counts,
    only_where_measured,
    permuted_orders,
    resampled_counts,
)
from generalization.statistics.estimates import joined
from generalization.statistics.granulated import (
    granulated_cells,
    granulated_intervals,
    granulated_kendall_null,
)
from generalization.statistics.intervals import (
    FEWEST_ENSEMBLES,
    Comparison,
    Interval,
    comparison,
    correlation_interval,
    cr2_slope,
    jackknife_interval,
    simultaneous_interval,
)
from generalization.statistics.league_rows import BEST_RIVAL, TEST_SET_SHARE
from generalization.statistics.multiplicity import holm, permutation_p_values, westfall_young
from generalization.statistics.partial import (
    NO_COVARIATES,
    partial_rank_correlation,
    partial_rank_correlation_null,
    reasons,
)
from generalization.statistics.population import Population
from generalization.statistics.prediction import (
    added_r_squared,
    added_r_squared_by_level,
    added_r_squared_by_level_null,
    added_r_squared_null,
    below_most_regret,
    largest,
    resampled_hit_rates,
    selection,
    selection_null,
    with_baselines,
)
from generalization.statistics.resampling import Resampling
from generalization.statistics.sign_errors import (
    Weights,
    changes,
    hoeffding_weights,
    mcnemar_weights,
    sign_error_intervals,
    sign_errors,
    sign_errors_left_out,
    sign_errors_null,
    summary,
)
from generalization.statistics.stratified import stratified_spearman, stratified_spearman_null

# ASSUME: information and sign errors look at all pairs of ensembles in every permutation. With
# 2,000, a p-value of .05 has a Monte-Carlo standard error of √(.05·.95/2000) = .005 (.002 with
# 10,000), the least is .0005, and the mean of permuted gaps is known to 1/45 of their deviation.
PERMUTATIONS_OF_PAIRS = 2000
# ASSUME: of more pairs than 250 ensembles have, information sees fewer permutations, and the row
# tells how many. With the 500 of 500 ensembles, a p-value of .05 has an error of .01, and the least
# is .002.
PAIRS_PERMUTED = 62_500_000
# ASSUME: of more ensembles they see so many, drawn at random. Time and memory grow with the square
# of their number (5,000 would take hours and tens of gigabytes); errors shrink with its root only.
ENSEMBLES_OF_PAIRS = 500
# ASSUME: of fewer ensembles, a prediction of levels that were left out has no interval: a jackknife
# of 8 covers half as often as it says.
ENSEMBLES_OF_LEVELS = 12
NO_INTERVAL_OF_A_CHOICE = "no interval, since resampling the choice of one network does not cover"

OF_ENSEMBLE = "of the ensemble"
NO_NETWORKS = "no network has a value of its own"

Numbers = Float[np.ndarray, "measures"]
# From how often every resample holds every ensemble to a statistic of every measure.
Statistic = Callable[
    [Float[np.ndarray, "resamples ensembles"]], Float[np.ndarray, "measures resamples"]
]
Row = dict[str, Any]


def league(population: Population, resampling: Resampling, *, permutations: int) -> Iterator[Row]:
    """Compute every statistic of every measure, each as a row.

    Args:
        population: Networks of one dataset and selection.
        resampling: Level of the intervals, and random numbers.
        permutations: Number of permutations behind p-values.

    Yields:
        measure, kind, statistic, estimate, low, high, p_value, p_value_corrected, networks,
        ensembles, cells, note.
    """
    judges = _Judges(population, resampling, permutations)
    yield from judges.correlations()
    yield from judges.regressions()
    if not len(population.gap):
        return  # Their notes say that nothing is left to judge.
    yield from judges.stratified()
    yield from judges.given_design()
    yield from judges.granulated()
    some = population.sample(ENSEMBLES_OF_PAIRS, resampling.stream(2))
    of_pairs = judges if some is population else _Judges(some, resampling, permutations)
    for row in chain(of_pairs.information(), of_pairs.sign_errors()):
        yield row | {"note": joined(row["note"], _sampled(some, population))}
    yield from judges.added_prediction()
    yield from judges.prediction_of_levels()
    yield from judges.beside_baselines()
    yield from judges.ceilings()
    yield from judges.chosen()


def _sampled(some: Population, population: Population) -> str:
    """Tell how many ensembles a row rests on that looks at pairs of them; empty if all."""
    if some is population:
        return ""
    return f"of {len(some.gap):,} of {len(population.gap):,} ensembles, drawn at random"


class _Judges:
    """What the judges share: the population, draws of ensembles, and how a row is made."""

    def __init__(self, population: Population, resampling: Resampling, permutations: int):
        self.population, self.level = population, resampling.level
        self.means, self.gap = population.means, population.mean_gap
        self.size, self.permutations = len(self.gap), permutations
        self.resampling, self.generator = resampling, resampling.stream()
        self.one_stratum = np.zeros(self.size, int)
        self.enough = self.size >= FEWEST_ENSEMBLES
        self.orders = self._orders(self.one_stratum) if self.enough else None
        self.dominant = population.dominant()
        # Ensemble of every place for a network.
        self.of_network = np.repeat(np.arange(self.size), self.population.gap.shape[1])

    def rows(
        self,
        statistic: str,
        interval: Interval,
        p: Numbers | None = None,
        corrected: Numbers | None = None,
        *,
        cells: Sequence[int] | int | None = None,
        notes: Sequence[str] | str = "",
    ) -> Iterator[Row]:
        """One row per measure; what does not exist is missing, and a note says why."""
        measures = len(self.population.measures)
        nothing = np.full(measures, np.nan)
        notes = [notes] * measures if isinstance(notes, str) else notes
        counts = self.population.networks(), self.population.ensembles(), self.population.pairs()
        for place in range(measures):
            yield {
                "measure": self.population.measures[place],
                "kind": self.population.kinds[place],
                "statistic": statistic,
                **{key: getattr(interval, key)[place] for key in Interval._fields},
                "p_value": (nothing if p is None else p)[place],
                "p_value_corrected": (nothing if corrected is None else corrected)[place],
                "networks": counts[0][place],
                "ensembles": counts[1][place],
                "cells": np.nan if cells is None else np.broadcast_to(cells, measures)[place],
                "pairs": counts[2][place] or np.nan,
                "note": self._note(place, notes[place], interval.estimate[place]),
            }

    def correlations(self) -> Iterator[Row]:
        """Pooled rank correlations, and Pearson's of the logarithm where that exists."""
        strata = self.one_stratum
        yield from self._stratified("spearman", strata)
        ranked = [values[~np.isnan(values)] for values in self.means]
        yield from self._correlation("kendall", _jackknifed_kendall, self.means, _kendall_p_values)
        logs = np.array([len(one) > 0 and bool((one > 0).all()) for one in ranked])
        with np.errstate(invalid="ignore", divide="ignore"):
            scaled = np.where(logs[:, None], np.log(self.means), self.means)
        scaled[~np.isfinite(scaled)] = np.nan
        for row in self._correlation("pearson", _jackknifed_pearson, scaled, _pearson_p_values):
            log = logs[self.population.measures.index(row["measure"])]
            yield row | {"statistic": "pearson_log" if log else "pearson"}

    def regressions(self) -> Iterator[Row]:
        """Slope of the gap over networks, and what it explains of the gap of ensembles."""
        count = len(self.population.measures)
        slopes, p = [], np.full(count, np.nan)
        squares = np.full((count, self.size + 1), np.nan)
        for place, values in enumerate(self.population.values):
            of_place = self.of_network
            x, y = values.ravel(), self.population.gap.ravel()
            if self.population.of_ensembles[place]:
                # An ensemble is one point: no network has a value of its own.
                x, y, of_place = self.means[place], self.gap, np.arange(self.size)
            x = np.log(x) if (x[~np.isnan(x)] > 0).all() else x
            there = np.isfinite(x) & np.isfinite(y)
            codes = np.unique(of_place[there], return_inverse=True)[1]
            if there.any() and np.ptp(x[there]) > 0:
                slope, p[place], _ = cr2_slope(x[there], y[there], codes, level=self.level)
                slopes.append([float(part) for part in slope])
                squares[place] = self._squares(x.reshape(self.size, -1))
            else:
                slopes.append([np.nan] * 3)
        interval = Interval(*np.array(slopes).reshape(-1, 3).T)
        yield from self.rows("ols_slope", interval, *self._corrected(p))
        yield from self.rows(
            "ols_r_squared",
            jackknife_interval(
                squares[:, 0], squares[:, 1:], level=self.level, bounds=(-np.inf, 1)
            ),
        )

    def stratified(self) -> Iterator[Row]:
        """Rank correlations within the levels of every swept factor, and within datasets.

        The factor that explains most of the gap comes first: the primary statistic of a study.
        """
        for factor in sorted(self.population.factors, key=lambda one: one != self.dominant):
            strata = self.population.strata_of(factor)
            name = f"spearman_within_{factor}"
            constant = f"constant within every level of {within(factor)}"
            yield from self._stratified(name, strata, constant)

    def given_design(self) -> Iterator[Row]:
        """Partial rank correlations given main effects, interactions, or how far networks fit."""
        main, loss = main_effects(self.population.levels), self.population.mean_log_loss
        designs = {"spearman_given_design": (main, NO_COVARIATES)}
        if self.population.levels.shape[1] > 1 and allows_interactions(self.population.levels):
            interactions = pairwise_interactions(self.population.levels)
            designs["spearman_given_interactions"] = (interactions, NO_COVARIATES)
        if not np.isnan(loss).any():
            designs["spearman_given_design_and_training_loss"] = (main, loss[None])
        for name, (design, covariates) in designs.items():
            if not self.enough or not self.population.factors:
                yield from self.rows(name, self._empty())
                continue
            held = orthonormal_basis(design).shape[1] + len(covariates)

            def statistic(counts, design=design, covariates=covariates):
                return partial_rank_correlation(counts, self.means, self.gap, design, covariates)

            interval = self._interval(statistic, self.size - 1 - held)
            given = self.means, self.gap, design
            null = partial_rank_correlation_null(*given, self.orders, covariates)
            notes = reasons(*given, covariates)
            yield from self.rows(
                name, interval, *self._tested(interval.estimate, null), notes=notes
            )

    def granulated(self) -> Iterator[Row]:
        """Granulated Kendall Ψ and its ψ of every factor (Jiang et al. 2019).

        Ψ is of hyper-parameters: it holds the dataset fixed, whose ψ has a row of its own. A
        measure that tells one dataset from the other, and nothing within, would have Ψ = 1/n.
        """
        factors, levels = self.population.factors, self.population.levels
        if not factors or not self.enough:
            yield from self.rows("granulated_kendall", self._empty())
            return
        averaged = [place for place, name in enumerate(factors) if name != "dataset"]
        given = self.means, self.gap, levels
        null = granulated_kendall_null(*given, self.orders, averaged)
        cells = granulated_cells(levels)
        overall, by_factor = granulated_intervals(*given, averaged, level=self.level)
        everything = [("granulated_kendall", overall, null.overall, cells.used[averaged].sum())] + [
            (f"granulated_kendall_{factor}", interval, null.by_factor[place], cells.used[place])
            for place, (factor, interval) in enumerate(zip(factors, by_factor, strict=True))
        ]
        for name, interval, null_of, used in everything:
            note = "" if used else "no two ensembles differ in this factor alone"
            tested = self._tested(interval.estimate, null_of)
            yield from self.rows(name, interval, *tested, cells=used, notes=note)

    def information(self) -> Iterator[Row]:
        """Conditional mutual information K beside what permuted gaps have of it."""
        levels = self.population.levels
        if not self.population.factors or not self.enough:
            yield from self.rows("conditional_information", self._empty())
            return
        pairs = max(self.size * (self.size - 1) // 2, 1)
        orders = self._few_orders()[: PAIRS_PERMUTED // pairs]
        null = conditional_information_null(self.means, self.gap, levels, orders)
        once = observed_counts(self.size)
        observed = conditional_information(once, self.means, self.gap, levels)[:, 0]
        left_out = conditional_information_left_out(self.means, self.gap, levels)
        interval = jackknife_interval(observed, left_out, level=self.level, bounds=(0, 1))
        with np.errstate(invalid="ignore"):
            means = null.mean(1)
        fewer = len(orders) < min(self.permutations, PERMUTATIONS_OF_PAIRS)
        told = f"permuted gaps{f' ({len(orders)} permutations)' if fewer else ''}"
        notes = ["" if np.isnan(one) else f"{one:.3f} with {told}" for one in means]
        tested = self._tested(observed, null)
        yield from self.rows("conditional_information", interval, *tested, notes=notes)

    def sign_errors(self) -> Iterator[Row]:
        """Robust sign errors over changes of one factor (Dziugaite et al. 2020)."""
        names = ("sign_error_mean", "sign_error_90th", "sign_error_worst")
        if not self.population.factors or not len(one_factor_pairs(self.population.levels).first):
            for name in names:
                note = "no two ensembles differ in one factor alone"
                yield from self.rows(name, self._empty(), notes=note)
            return
        population, pairs = self.population, one_factor_pairs(self.population.levels)
        environments = changes(pairs, population.levels)
        weights, weighted = self._certainty(pairs, environments)
        given = population.values, population.gap, pairs, weights
        settings = {"environments": environments}
        told = summary(sign_errors(*given, **settings).errors)
        notes = ["" if n else "no environment has enough certain pairs" for n in told.environments]
        notes = np.where(self.population.of_ensembles, NO_NETWORKS, notes)
        if not self.enough:
            for name, estimate in zip(names, told, strict=False):
                interval = self._empty()._replace(estimate=estimate)
                for row in self.rows(name, interval, cells=told.environments, notes=notes):
                    yield row | {"note": joined(row["note"], weighted)}
            return
        left_out = sign_errors_left_out(*given, **settings)
        # A mean is smooth in the weights of ensembles, which a quantile and a maximum are not.
        mean = jackknife_interval(told.mean, left_out, level=self.level, bounds=(0, 1))
        intervals = mean, *sign_error_intervals(*given, **settings, level=self.level)
        null = sign_errors_null(*given, self._few_orders(), **settings)
        # Chance has a mean of ½, either side of which is a relation; of the others, low is good.
        tested = [self._tested(0.5 - told.mean, 0.5 - null.mean)]
        tested += [self._tested(1 - told.high, 1 - null.high)]
        tested += [self._tested(1 - told.worst, 1 - null.worst)]
        for name, interval, p in zip(names, intervals, tested, strict=True):
            for row in self.rows(name, interval, *p, cells=told.environments, notes=notes):
                yield row | {"note": joined(row["note"], weighted)}

    def _certainty(
        self, pairs: OneFactorPairs, environments: Int[np.ndarray, "pairs"]
    ) -> tuple[Weights, str]:
        """Weights of pairs of networks in sign errors, and what they are."""
        some = self.population
        if some.errors is None:
            reason = f", since {self._without_errors()}" if some.without_errors else ""
            weights = hoeffding_weights(some.gap, some.test_sizes)
            return weights, f"weighted by two Hoeffding bounds{reason}"
        sets, seeds = some.errors.test_sets, np.isfinite(some.gap).sum(1)
        several = (sets[pairs.first] != sets[pairs.second]).any()
        between = ", of two test sets by two binomial variances" if several else ""
        # On average over environments.
        compared = (seeds[pairs.first] * seeds[pairs.second]).sum() / (environments.max() + 1)
        weights = mcnemar_weights(some.gap, some.errors, comparisons=max(compared, 1))
        return weights, f"weighted by McNemar's test{between}"

    def _without_errors(self) -> str:
        networks = np.isfinite(self.population.gap).sum()
        return f"{self.population.without_errors} of {networks} networks have no image errors"

    def added_prediction(self) -> Iterator[Row]:
        """Cross-validated R² that a measure adds to the design, and to design and baselines."""
        design = self.population.design
        of_baselines = self.means[self.population.baselines]
        complete = of_baselines[~np.isnan(of_baselines).any(1)]
        designs = {
            "added_r_squared": design,
            "added_r_squared_over_baselines": with_baselines(design, complete)
            if len(complete)
            else design,
        }
        for name, given in designs.items():
            if not self.enough:
                yield from self.rows(name, self._empty())
                continue

            def statistic(counts, given=given):
                return added_r_squared(counts, self.means, self.gap, given)

            observed = statistic(observed_counts(self.size))[:, 0]
            left_out = statistic(leave_one_out_counts(self.size))
            interval = jackknife_interval(observed, left_out, level=self.level)
            null = added_r_squared_null(self.means, self.gap, given, self.orders)
            # What is less than nothing says no more than nothing.
            tested = self._tested(np.maximum(observed, 0), np.maximum(null, 0))
            yield from self.rows(name, interval, *tested)

    def prediction_of_levels(self) -> Iterator[Row]:
        """Cross-validated R² that a measure adds where a level of a factor was never seen.

        The interval is of other networks at the same levels: it does not tell of levels that the
        study lacks. In simulations of 9 to 36 ensembles it covers .95 or more of a nominal .95,
        mostly .99; of 8, where four predict the other four, .5. The p-value is of permutations
        given all factors, that of the levels among them.
        """
        factors, levels = self.population.factors, self.population.levels
        names = [f"added_r_squared_{factor}" for factor in factors]
        if not self.enough:
            for name in names:
                yield from self.rows(name, self._empty())
            return
        given = self.means, self.gap, levels
        observed = added_r_squared_by_level(observed_counts(self.size), *given)[:, :, 0]
        left_out = added_r_squared_by_level(leave_one_out_counts(self.size), *given)
        nulls = added_r_squared_by_level_null(*given, self.orders)
        for factor, (name, null) in enumerate(zip(names, nulls, strict=True)):
            without = only_where_measured(left_out[factor], self.means)
            interval = jackknife_interval(
                observed[factor], without, level=self.level, fewest=ENSEMBLES_OF_LEVELS
            )
            tested = self._tested(np.maximum(observed[factor], 0), np.maximum(null, 0))
            cells = len(np.unique(levels[:, factor]))
            few = 0 < self.size < ENSEMBLES_OF_LEVELS
            note = f"no interval from fewer than {ENSEMBLES_OF_LEVELS} ensembles" if few else ""
            notes = [note if np.isfinite(one) else "" for one in observed[factor]]
            yield from self.rows(name, interval, *tested, cells=cells, notes=notes)

    def beside_baselines(self) -> Iterator[Row]:
        """|ρ| less that of the best rival, from resamples that all measures share."""
        names = (
            "difference_to_best_baseline",
            "probability_of_best",
            "rank",
            "simultaneous_interval",
        )
        if not self.enough:
            for name in names:
                yield from self.rows(name, self._empty())
            return
        strata = self._strata_of_dominant()
        counts = resampled_counts(
            strata, resamples=self.resampling.resamples, generator=self.generator
        )
        draws = stratified_spearman(counts, self.means, self.gap, strata)
        estimates = stratified_spearman(observed_counts(self.size), self.means, self.gap, strata)[
            :, 0
        ]
        some, others = self.population.candidates, self.population.rivals
        told = comparison(
            draws[some], estimates[some], draws[others], estimates[others], level=self.level
        )
        empty = np.full(len(some), np.nan)
        together = simultaneous_interval(draws[some], estimates[some], level=self.level)
        parts = (told.difference, Interval(told.p_best, empty, empty), told.rank, together)
        held = within(self.dominant) if self.dominant else ""
        where = f"rank correlations within levels of {held}" if held else ""
        for name, part in zip(names, parts, strict=True):
            tested = self._differing(some, told) if name == names[0] else ()
            sizes = np.abs(estimates[others])
            beside = name == names[0] and np.isfinite(sizes).any()
            best = self.population.measures[others[np.nanargmax(sizes)]] if beside else ""
            notes = joined(where, f"{BEST_RIVAL}{within(best)}" if best else "")
            rows = self.rows(name, self._at(some, part), *tested, notes=notes)
            yield from (row for row in rows if row["kind"] == "candidate")

    def _differing(self, some: np.ndarray, told: Comparison) -> tuple[Numbers, Numbers]:
        """p-values of no difference, from resamples moved to it (Romano & Wolf 2005)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            error = told.draws.std(axis=1, ddof=1)
            error = np.where(error > 0, error, np.nan)
            observed = told.difference.estimate / error
            null = (told.draws - told.difference.estimate[:, None]) / error[:, None]
        p, corrected = np.full((2, len(self.population.measures)), np.nan)
        p[some] = permutation_p_values(observed, null)
        corrected[some] = westfall_young(observed, null)
        return p, corrected

    def ceilings(self) -> Iterator[Row]:
        """What noise of seeds leaves to be explained, and how repeatable every measure is."""
        about = {"measure": "generalization_gap", "kind": "ceiling", "ensembles": self.size}
        about |= {"networks": int(np.isfinite(self.population.gap).sum())}
        designs = {"noise_ceiling": np.ones((self.size, 1))}
        for factor in self.population.factors:
            strata = self.population.strata_of(factor)[:, None]
            designs[f"noise_ceiling_within_{factor}"] = main_effects(strata)
        designs["noise_ceiling_given_design"] = self.population.design
        yield from (about | row for row in self._share_of_test_set())
        for name, design in designs.items():
            found = reliability(self.population.gap, design, level=self.level)
            told = {
                key: float(noise_ceilings(np.asarray(value)).spearman)
                for key, value in (
                    ("estimate", found.reliability),
                    ("low", found.low),
                    ("high", found.high),
                )
            }
            note = "" if np.isfinite(told["estimate"]) else "no ensemble has two seeds"
            tested = {"p_value": float(found.p_value) if self.enough else np.nan}
            yield about | {"statistic": name, **told, **tested, "note": note}
        ranks = np.full_like(self.population.values, np.nan)
        for values, ranked in zip(self.population.values, ranks, strict=True):
            there = np.isfinite(values)
            if there.any():
                ranked[there] = midranks(np.ones((1, there.sum())), values[there])[0]
        found = reliability(ranks, level=self.level)
        notes = np.where(self.population.of_ensembles, NO_NETWORKS, "")
        interval = Interval(found.reliability, found.low, found.high)
        tested = self._corrected(found.p_value) if self.enough else ()
        yield from self.rows("repeatability", interval, *tested, notes=notes)

    def _share_of_test_set(self) -> Iterator[Row]:
        """What the finite test set makes of the variance of test accuracies between seeds."""
        some = self.population
        if some.errors is None and not some.without_errors:
            return
        row = {"statistic": TEST_SET_SHARE, "estimate": np.nan, "low": np.nan, "high": np.nan}
        if some.errors is None:
            yield row | {"note": self._without_errors()}
            return
        there = np.isfinite(some.gap)
        correct = [some.errors.correct(place, seeds) for place, seeds in enumerate(there)]
        interval, ensembles = share_of_test_set(correct, level=self.level)
        note = "" if ensembles else "no ensemble has two seeds"
        if ensembles and np.isnan(interval.estimate):
            note = "no two seeds differ in their accuracy"
        yield row | interval._asdict() | {"ensembles": ensembles, "note": note}

    def chosen(self) -> Iterator[Row]:
        """Regret and hit rate of preferring networks by a measure, turned by its own sign.

        Regrets have no interval. Choosing one network is not smooth in the ensembles, and
        percentiles of resamples do not cover what a study expects: of a nominal .95, the regret .90
        to .96 if the measure correlates by 0 or .5, .76 to .94 by .9 and .33 to .75 by .99, where
        resamples hardly ever choose badly; the worst regret .94 to .99, .83 to .99 and .37 to .95.
        Of the hit rate, which is of several networks, percentiles cover .95 or more. p-values are
        of permutations within strata. The measure is turned anew after each, and in each resample.
        """
        strata = self._strata_of_dominant()
        signs = stratified_spearman(observed_counts(self.size), self.means, self.gap, strata)[:, 0]
        turned = self.means * np.where(signs < 0, -1.0, 1.0)[:, None]
        whole = selection(turned, self.gap)
        in_strata = selection(turned, self.gap, strata)
        note = "turned by the sign of the rank correlation" + (
            f" within {within(self.dominant)}" if self.dominant else ""
        )
        estimates = {
            "regret": whole.regret[:, 0],
            "regret_worst": largest(in_strata.regret),
            "top_20_hit_rate": whole.hit_rate[:, 0],
        }
        tested = self._chosen_by_chance(estimates, strata) if self.enough else {}
        for name, estimate in estimates.items():
            interval, notes = self._empty()._replace(estimate=estimate), note
            if self.enough and name == "top_20_hit_rate":
                interval = self._hit_rate_interval(estimate, strata)
            elif self.enough:
                notes = joined(note, NO_INTERVAL_OF_A_CHOICE)
            cells = in_strata.regret.shape[1] if name == "regret_worst" else 1
            yield from self.rows(name, interval, *tested.get(name, ()), cells=cells, notes=notes)

    def _hit_rate_interval(
        self, estimate: Numbers, strata: Int[np.ndarray, "ensembles"]
    ) -> Interval:
        """Percentiles of resamples within strata."""
        resamples = self.resampling.resamples
        counts = resampled_counts(strata, resamples=resamples, generator=self.generator)
        falls = stratified_spearman(counts, self.means, self.gap, strata) < 0
        draws = resampled_hit_rates(counts, self.means, self.gap, falls)
        missing = np.isnan(estimate) | (self.population.ensembles() < FEWEST_ENSEMBLES)
        draws[missing] = 0
        low, high = np.nanquantile(draws, [(1 - self.level) / 2, (1 + self.level) / 2], axis=1)
        bounds = np.fmin(low, estimate), np.fmax(high, estimate)
        return Interval(estimate, *(np.where(missing, np.nan, one) for one in bounds))

    def _chosen_by_chance(
        self, estimates: dict[str, Numbers], strata: Int[np.ndarray, "ensembles"]
    ) -> dict[str, tuple[Numbers, Numbers]]:
        """p-values: how often permuted gaps have as little regret, or as many hits."""
        orders = self.orders if strata.max(initial=0) == 0 else self._orders(strata)
        null = selection_null(self.means, self.gap, strata, orders)
        found = {"top_20_hit_rate": self._tested(estimates["top_20_hit_rate"], null.hit_rate)}
        for name, values in (("regret", null.whole), ("regret_worst", null.worst)):
            found[name] = self._tested(*below_most_regret(estimates[name], values))
        return found

    def _stratified(
        self, name: str, strata: Int[np.ndarray, "ensembles"], constant: str = ""
    ) -> Iterator[Row]:
        """Rows of a rank correlation within strata."""
        if not self.enough:
            yield from self.rows(name, self._empty())
            return

        def statistic(counts):
            return stratified_spearman(counts, self.means, self.gap, strata)

        levels = len(np.unique(strata))
        interval = self._interval(statistic, self.size - 1 - levels, strata)
        orders = self.orders if levels == 1 else self._orders(strata)
        null = stratified_spearman_null(self.means, self.gap, strata, orders)
        notes = [constant if np.isnan(one) else "" for one in interval.estimate]
        tested = self._tested(interval.estimate, null)
        yield from self.rows(name, interval, *tested, cells=levels, notes=notes)

    def _correlation(
        self,
        name: str,
        correlation: Callable[..., Any],
        values: np.ndarray,
        test: Callable[..., Any],
    ) -> Iterator[Row]:
        """Rows of a correlation of ensemble means that has no strata."""
        if not self.enough:
            yield from self.rows(name, self._empty())
            return
        observed = np.full(len(values), np.nan)
        left_out = np.full((len(values), self.size), np.nan)
        for place, one in enumerate(values):
            there = ~np.isnan(one)
            if there.sum() < FEWEST_ENSEMBLES or np.ptp(one[there]) == 0:
                continue
            x, y = _finite_order(one[there]), self.gap[there]
            observed[place], *without = correlation(x, y)
            left_out[place, _places(there, without)] = without
        coefficient = "kendall" if name == "kendall" else "spearman"
        interval = correlation_interval(
            observed, left_out, level=self.level, coefficient=coefficient
        )
        yield from self.rows(name, interval, *self._corrected(test(values, self.gap)))

    def _interval(
        self,
        statistic: Statistic,
        degrees_of_freedom: int,
        strata: Int[np.ndarray, "ensembles"] | None = None,
    ) -> Interval:
        """Fisher's z of a correlation with a jackknife over ensembles."""
        observed = statistic(observed_counts(self.size))[:, 0]
        left_out = statistic(leave_one_out_counts(self.size))
        left_out = only_where_measured(left_out, self.means)
        return correlation_interval(
            observed,
            left_out,
            level=self.level,
            degrees_of_freedom=degrees_of_freedom,
            strata=strata,
        )

    def _tested(
        self, observed: Numbers, null: Float[np.ndarray, "measures permutations"]
    ) -> tuple[Numbers, Numbers]:
        """p-values of all, and corrected ones of the candidates."""
        p, corrected = permutation_p_values(observed, null), np.full(len(observed), np.nan)
        family = self.population.candidates
        if len(family):
            corrected[family] = westfall_young(observed[family], null[family])
        return p, corrected

    def _corrected(self, p: Numbers) -> tuple[Numbers, Numbers]:
        """p-values that no permutation stands behind, and those of candidates by Holm (1979)."""
        corrected, family = np.full(len(p), np.nan), self.population.candidates
        family = family[np.isfinite(p[family])]
        if len(family):
            corrected[family] = holm(p[family])
        return p, corrected

    def _squares(self, x: np.ndarray) -> np.ndarray:
        """Adjusted R² of the gap on a measure, of ensemble means: of all, and without each."""
        means = pd.DataFrame(x).where(np.isfinite(x)).mean(axis=1).to_numpy()
        kept = ~np.isnan(means)
        found = np.full(self.size + 1, np.nan)
        if kept.sum() < FEWEST_ENSEMBLES or np.ptp(means[kept]) == 0:
            return found
        size = int(kept.sum())
        r, *without = _jackknifed_pearson(means[kept], self.gap[kept])
        found[0] = adjusted_r_squared(r**2, size, 2)
        rest = size - int(np.bincount(left_out_groups(size))[0])
        squares = np.square(without)
        found[1:][_places(kept, without)] = adjusted_r_squared(squares, rest, 2)
        return found

    def _strata_of_dominant(self) -> Int[np.ndarray, "ensembles"]:
        """Levels of the factor that explains most of the gap; one stratum without factors."""
        return self.population.strata_of(self.dominant) if self.dominant else self.one_stratum

    def _orders(self, strata: np.ndarray) -> np.ndarray:
        return permuted_orders(strata, permutations=self.permutations, generator=self.generator)

    def _few_orders(self) -> Int[np.ndarray, "permutations ensembles"]:
        """As many permutations as statistics of all pairs of ensembles take."""
        return self.orders[:PERMUTATIONS_OF_PAIRS]

    def _at(self, places: np.ndarray, interval: Interval) -> Interval:
        """An interval of some measures, as one of all."""
        found = [np.full(len(self.population.measures), np.nan) for _ in interval]
        for part, values in zip(found, interval, strict=True):
            part[places] = values
        return Interval(*found)

    def _empty(self) -> Interval:
        return Interval(*np.full((3, len(self.population.measures)), np.nan))

    def _note(self, place: int, note: str, estimate: float) -> str:
        """What is said of a row: why it has no estimate, and whether it is of the ensemble."""
        pairs = self.population.pairs()[place]
        of_ensemble = f"{OF_ENSEMBLE}: mean over {pairs} pairs of seeds" if pairs else ""
        return "; ".join(filter(None, [note or self._why_not(place, estimate), of_ensemble]))

    def _why_not(self, place: int, estimate: float) -> str:
        """Why a measure has no estimate; empty if it has one."""
        values = self.means[place]
        if not self.size or np.isnan(values).all():
            return "no network is left"
        ensembles = int((~np.isnan(values)).sum())
        if ensembles < FEWEST_ENSEMBLES:
            return f"{ensembles} of the {FEWEST_ENSEMBLES} ensembles that are needed"
        if not np.isnan(estimate):
            return ""
        if np.ptp(values[~np.isnan(values)]) == 0:
            return "the measure is the same for all ensembles"
        if np.ptp(self.gap) == 0:
            return "the gap is the same for all ensembles"
        return "not defined for this design" if self.population.factors else "no factor is swept"


def _jackknifed_kendall(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Kendall's τ-b of all ensembles, and then without each or without each group."""
    # No ensemble is in the first group.
    return kendall_left_out(x, y, left_out_groups(len(x)) + 1)


def _jackknifed_pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's r of the same."""
    size = len(x)
    return np.hstack([
        pearson(held, x, y) for held in (observed_counts(size), leave_one_out_counts(size))
    ])


def _places(there: np.ndarray, without: Sequence[float]) -> np.ndarray | slice:
    """Where a jackknife stands: at the ensembles that it leaves out; first, if it is of groups."""
    return there if there.sum() == len(without) else slice(len(without))


def _finite_order(values: np.ndarray) -> np.ndarray:
    """Values whose differences exist: infinite ones become larger than all others."""
    largest = np.abs(values[np.isfinite(values)]).max(initial=0)
    return np.clip(values, -2 * largest - 1, 2 * largest + 1)


def _kendall_p_values(values: np.ndarray, gap: np.ndarray) -> Numbers:
    """Two-sided p-values of Kendall's τ-b, exact where ties allow."""
    return _each(values, gap, lambda x, y: scipy.stats.kendalltau(x, y).pvalue)


def _pearson_p_values(values: np.ndarray, gap: np.ndarray) -> Numbers:
    """Two-sided p-values of Pearson's r, of Student's t."""
    return _each(values, gap, lambda x, y: scipy.stats.pearsonr(x, y).pvalue)


def _each(values: np.ndarray, gap: np.ndarray, test: Callable[..., float]) -> Numbers:
    """A test of every measure that varies, among the ensembles that have it."""
    found = np.full(len(values), np.nan)
    for place, one in enumerate(values):
        there = np.isfinite(one)
        if there.sum() >= FEWEST_ENSEMBLES and np.ptp(one[there]) > 0 and np.ptp(gap[there]) > 0:
            found[place] = test(one[there], gap[there])
    return found

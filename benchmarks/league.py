"""The league at full size: time of every statistic, peak memory, and the plain implementations.

30 measures of 2,000 networks (250 ensembles of 8 seeds), 2,000 resamples, 10,000 permutations, on
one core, in seconds of that core. The last line is the league as a study computes it, with all
intervals and tests, where statistics of all pairs of ensembles take 2,000 of the permutations.
"""

import argparse
import os
import resource
import sys
import time
from itertools import product
from pathlib import Path

# Products are many and small: threads of BLAS that wait for each other cost more than they give.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from scipy.stats import rankdata, spearmanr
from timing import print_table, take_turns

from generalization.statistics.ceiling import noise_ceilings, reliability
from generalization.statistics.conditional_information import (
    conditional_information,
    conditional_information_left_out,
    conditional_information_null,
)
from generalization.statistics.correlations import kendall, kendall_left_out
from generalization.statistics.design import (
    explained_by_design,
    main_effects,
    one_factor_pairs,
    pairwise_interactions,
)
from generalization.statistics.draws import (
    leave_one_out_counts,
    left_out_groups,
    observed_counts,
    permuted_orders,
    resampled_counts,
)
from generalization.statistics.granulated import granulated_intervals, granulated_kendall_null
from generalization.statistics.intervals import (
    comparison,
    correlation_interval,
    simultaneous_interval,
)
from generalization.statistics.league import league as judged
from generalization.statistics.multiplicity import permutation_p_values, westfall_young
from generalization.statistics.partial import (
    partial_rank_correlation,
    partial_rank_correlation_null,
)
from generalization.statistics.population import Population
from generalization.statistics.prediction import (
    added_r_squared,
    added_r_squared_by_level,
    added_r_squared_by_level_null,
    selection,
    with_baselines,
)
from generalization.statistics.resampling import Resampling
from generalization.statistics.sign_errors import (
    changes,
    hoeffding_weights,
    resampled_summary,
    sign_errors,
    sign_errors_null,
    summary,
)
from generalization.statistics.stratified import stratified_spearman, stratified_spearman_null

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from oracles.conditional_information import slow_conditional_information
from oracles.sign_errors import slow_sign_errors

TEST_SIZE, BASELINES, LEVEL, LARGE = 10_000, 3, 0.95, 5_000
FACTORS = ["corruption", "depth", "width", "rate", "scale"]


def study(measures: int, seeds: int, factors: tuple[int, ...]):
    """Measures that follow the gap to all degrees, a few functions of the design among them."""
    generator = np.random.default_rng(0)
    levels = np.array(list(product(*map(range, factors))))
    effects = [generator.normal(size=size)[levels[:, f]] for f, size in enumerate(factors)]
    means = 0.1 * np.sum(effects, axis=0) + 0.1 * generator.normal(size=len(levels))
    gap = means[:, None] + 0.02 * generator.normal(size=(len(levels), seeds))
    strength = np.linspace(-0.2, 0.2, measures)[:, None, None]
    values = strength * gap + 0.02 * generator.normal(size=(measures, *gap.shape))
    values[: len(factors)] = np.array(effects)[
        :, :, None
    ]  # swept factors are baselines, with many ties
    return levels, values, gap, generator


class Clock:
    """Seconds of every statistic, in the order of the league."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, name, function, *arguments, **settings):
        """Call the function, and print how long it took."""
        begin = time.process_time()
        result = function(*arguments, **settings)
        self.seconds[name] = time.process_time() - begin
        print(f"  {name:<58}{self.seconds[name]:9.2f} s", flush=True)
        return result


def league(measures: int, seeds: int, factors: tuple[int, ...], resamples: int, permutations: int):
    """Every statistic once, as a study needs it."""
    levels, values, gaps, generator = study(measures, seeds, factors)
    ensembles = len(levels)
    print(f"{measures} measures × {values[0].size:,} networks ({ensembles} × {seeds}), ", end="")
    print(f"{resamples:,} resamples, {permutations:,} permutations")
    clock, once, left_out = Clock(), observed_counts(ensembles), leave_one_out_counts(ensembles)
    mu, gap = values.mean(2), gaps.mean(1)
    pooled, dominant = np.zeros(ensembles, int), levels[:, 0]
    design, full = main_effects(levels), pairwise_interactions(levels)
    pairs = one_factor_pairs(levels)

    def draws():
        counts, orders = {}, {}
        for name, strata in {"pooled": pooled, "dominant": dominant}.items():
            counts[name] = resampled_counts(strata, resamples=resamples, generator=generator)
            orders[name] = permuted_orders(strata, permutations=permutations, generator=generator)
        return counts, orders

    counts, orders = clock.time("draws", draws)
    clock.time("design", explained_by_design, gap, levels, FACTORS[: len(factors)])
    for name, strata in {"pooled": pooled, "dominant": dominant}.items():
        given = mu, gap, strata
        found = stratified_spearman(once, *given)[:, 0]
        resampled = clock.time(
            f"spearman, {name}: resamples", stratified_spearman, counts[name], *given
        )
        jackknife = clock.time(
            f"spearman, {name}: jackknife", stratified_spearman, left_out, *given
        )
        null = clock.time(
            f"spearman, {name}: permutations", stratified_spearman_null, *given, orders[name]
        )
        correlation_interval(found, jackknife, level=LEVEL)
    for factor in range(1, len(factors)):
        clock.time(
            f"spearman within factor {factor}: jackknife, permutations",
            lambda strata: (
                stratified_spearman(left_out, mu, gap, strata),
                stratified_spearman_null(
                    mu,
                    gap,
                    strata,
                    permuted_orders(strata, permutations=permutations, generator=generator),
                ),
            ),
            levels[:, factor],
        )
    clock.time(
        "p-values, Westfall-Young",
        lambda: (permutation_p_values(found, null), westfall_young(found, null)),
    )
    ours = resampled[BASELINES:], found[BASELINES:], resampled[:BASELINES], found[:BASELINES]
    clock.time("paired differences, rank, P(best)", comparison, *ours, level=LEVEL)
    clock.time("simultaneous interval", simultaneous_interval, *ours[:2], level=LEVEL)
    for name, z in {"main effects": design, "interactions too": full}.items():
        given = mu, gap, z
        clock.time(
            f"partial, {name}: resamples", partial_rank_correlation, counts["pooled"], *given
        )
        clock.time(f"partial, {name}: jackknife", partial_rank_correlation, left_out, *given)
        clock.time(
            f"partial, {name}: permutations",
            partial_rank_correlation_null,
            *given,
            orders["pooled"],
        )
    given = mu, gap, levels
    clock.time("granulated Kendall: intervals", granulated_intervals, *given, level=LEVEL)
    clock.time(
        "granulated Kendall: permutations", granulated_kendall_null, *given, orders["pooled"]
    )
    clock.time("conditional information: jackknife", conditional_information_left_out, *given)
    clock.time(
        "conditional information: permutations",
        conditional_information_null,
        *given,
        orders["pooled"],
    )
    weights = hoeffding_weights(gaps, TEST_SIZE)
    errors = clock.time("sign errors", sign_errors, values, gaps, pairs, weights).errors
    clock.time(
        "sign errors: permutations",
        sign_errors_null,
        values,
        gaps,
        pairs,
        weights,
        orders["pooled"],
        environments=changes(pairs, levels),
    )
    clock.time(
        "sign errors: summary, resamples",
        lambda: (summary(errors), resampled_summary(counts["pooled"], errors, pairs)),
    )
    base = with_baselines(design, mu[4:6])
    for name, z in {"design": design, "design and baselines": base}.items():
        clock.time(
            f"added R², {name}: resamples, jackknife",
            lambda z: [added_r_squared(c, mu, gap, z) for c in (counts["pooled"], left_out)],
            z,
        )
    clock.time("added R² by level: jackknife", added_r_squared_by_level, left_out, mu, gap, levels)
    clock.time(
        "added R² by level: permutations",
        lambda: [
            one.shape for one in added_r_squared_by_level_null(mu, gap, levels, orders["pooled"])
        ],
    )
    clock.time("selection", selection, mu, gap, dominant)
    clock.time(
        "noise ceilings",
        lambda: (noise_ceilings(reliability(gaps, design).reliability), reliability(values)),
    )
    kinds = ["factor"] * len(factors) + ["baseline"] * BASELINES
    kinds += ["candidate"] * (measures - len(kinds))
    names, sizes = [str(place) for place in range(measures)], np.full(ensembles, TEST_SIZE)
    factor_names = FACTORS[: len(factors)]
    losses = generator.lognormal(size=gaps.shape)
    whole = Population(names, kinds, values, gaps, levels, factor_names, sizes, losses)
    begin = time.process_time()
    rows = list(judged(whole, Resampling(generator, resamples, LEVEL), permutations=permutations))
    seconds = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"  {'all':<58}{sum(clock.seconds.values()):9.2f} s")
    print(f"  {f'league of a study, {len(rows):,} rows':<58}{seconds:9.2f} s, peak {peak:.2f} GiB")


def plain_spearman(counts, x, y):
    return [
        spearmanr(np.repeat(x, held), np.repeat(y, held)).statistic for held in counts.astype(int)
    ]


def plain_partial(x, y, z, orders):
    fitted = [np.linalg.lstsq(z, rankdata(v), rcond=None)[0] for v in (x, y)]
    e, residual = rankdata(x) - z @ fitted[0], rankdata(y) - z @ fitted[1]
    found = []
    for order in orders:
        again = z @ fitted[1] + residual[order]
        f = again - z @ np.linalg.lstsq(z, again, rcond=None)[0]
        found.append(e @ f / np.sqrt(e @ e * (f @ f)))
    return found


def compare() -> None:
    """Time ours beside what one would otherwise write, where both do the same work.

    Raises:
        SystemExit: If sign errors are less than 100 times as fast as a double loop.
    """
    levels, values, gaps, generator = study(30, 8, (2, 5, 5, 5))
    mu, gap, z = values.mean(2), gaps.mean(1), main_effects(levels)
    pairs, weights = one_factor_pairs(levels), hoeffding_weights(gaps, TEST_SIZE)
    strata, once = np.zeros(250, int), observed_counts(250)
    counts = resampled_counts(strata, resamples=200, generator=generator)
    orders = permuted_orders(strata, permutations=200, generator=generator)

    def ours_and_plain(title, ours, plain, measures):
        """The plain one does one measure, of which the time is multiplied."""
        seconds = take_turns({"ours": ours}, repeats=3)
        seconds["plain"] = measures * take_turns({"": plain}, repeats=1, warmups=0)[""]
        print_table(f"{title} (plain: 1 of {measures} measures timed)", seconds, ours="ours")
        return seconds["plain"] / seconds["ours"]

    ratio = ours_and_plain(
        "Sign errors, a double loop over networks",
        lambda: sign_errors(values, gaps, pairs, weights),
        lambda: slow_sign_errors(values[9], gaps, levels, TEST_SIZE, 12),
        len(mu),
    )
    if ratio < 100:
        raise SystemExit(
            f"Sign errors must be 100 times as fast as a double loop, not {ratio:.0f}."
        )
    ours_and_plain(
        "Conditional information of the study, counters in a double loop",
        lambda: conditional_information(once, mu, gap, levels),
        lambda: slow_conditional_information(mu[9], gap, levels),
        len(mu),
    )
    ours_and_plain(
        "Spearman in 200 resamples, scipy",
        lambda: stratified_spearman(counts, mu, gap, strata),
        lambda: plain_spearman(counts, mu[9], gap),
        len(mu),
    )
    ours_and_plain(
        "Freedman-Lane, 200 permutations, least squares for each",
        lambda: partial_rank_correlation_null(mu, gap, z, orders),
        lambda: plain_partial(mu[9], gap, z, orders),
        len(mu),
    )
    x, y = generator.normal(size=(2, LARGE))
    ours_and_plain(
        f"Kendall's jackknife, {LARGE:,} ensembles, signs of all pairs in every row",
        lambda: kendall_left_out(x, y, left_out_groups(LARGE)),
        lambda: kendall(leave_one_out_counts(LARGE), x, y),
        1,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true", help="40 measures × 10,000 networks")
    parser.add_argument("--permutations", type=int, default=10_000)
    settings = parser.parse_args()
    large = settings.large
    measures, factors = (40, (2, 5, 5, 5, 5)) if large else (30, (2, 5, 5, 5))
    league(measures, 8, factors, 2000, settings.permutations)
    if not large:
        torch.set_num_threads(1)
        compare()


if __name__ == "__main__":
    main()

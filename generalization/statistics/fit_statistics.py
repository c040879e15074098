"""From the table of measures to the league: how each measure correlates with the gap."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from generalization.statistics.controls import random_main_effects
from generalization.statistics.design import allows_interactions, explained_by_design
from generalization.statistics.draws import observed_counts, permuted_orders
from generalization.statistics.estimates import INTERVAL, table_of
from generalization.statistics.intervals import FEWEST_ENSEMBLES
from generalization.statistics.league import league
from generalization.statistics.multiplicity import permutation_p_values
from generalization.statistics.population import Population, population
from generalization.statistics.power import least_correlation
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import SELECTIONS, by_dataset
from generalization.statistics.stratified import stratified_spearman, stratified_spearman_null

COLUMNS = [
    "measure",
    "kind",
    "statistic",
    "selection",
    "dataset",
    *INTERVAL,
    "p_value",
    "p_value_corrected",
    "networks",
    "ensembles",
    "cells",
    "pairs",
    "note",
]
DESIGN = [
    "selection",
    "dataset",
    "factor",
    "levels",
    "r_squared",
    "adjusted_r_squared",
    "one_factor_pairs",
    "value",
    "ensembles",
    "note",
]
# Rows of the design table that are no factor: what all of them explain, and what can be seen.
TERMS = {
    "main effects": "all_main_effects",
    "main effects and interactions": "pairwise_interactions",
}
POWER = "minimum_detectable_correlation"
PROXIES = "shown_random_main_effects"
NUMBER_OF_PROXIES, PERMUTATIONS_OF_PROXIES = 500, 999


def fit_statistics(
    measures: pd.DataFrame,
    *,
    resampling: Resampling,
    fitted_accuracy: float = 0.999,
    permutations: int = 10_000,
    baselines: Collection[str] = (),
    test_sizes: Mapping[str, int] | None = None,
    ensemble_measures: pd.DataFrame | None = None,
    image_errors: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judge every measure by every statistic of the league, over networks at their last step.

    Swept hyper-parameters stand among the measures as those that know nothing else, and random
    controls and a noisy oracle as those of which the truth is known. See ``league`` for the
    statistics, their intervals and their tests. Measures of ensembles are ranked by their mean over
    the pairs of networks of an ensemble; ``pairs`` counts these, and is empty for others.

    Args:
        resampling: Level of the intervals, and random numbers of resamples and permutations.
        permutations: Their number; no p-value is less than 1 / (1 + permutations).
        baselines: Measures that any other has to beat; they are no candidates.
        test_sizes: Dataset → number of test points; 10,000 by default.
        image_errors: Table of the profile of this name. With it, sign errors weight pairs by tests
            on single images, and a row tells what the finite test set makes of the variance
            between seeds.

    Returns:
        The statistics, one row per dataset (``all``, and where the study has several also each of
        them), selection (``fitted`` networks, and ``all``), measure and statistic, with the columns
        ``COLUMNS``; and the design, with the columns ``DESIGN``: what each swept factor, all of
        them, and their interactions explain of the gap (of several datasets, what a factor explains
        within them), the smallest correlation that the study finds in 80 % of repetitions, and how
        often it takes a random function of the hyper-parameters for a measure of the gap. What does
        not exist is empty; ``note`` says why.

    Raises:
        InputError: If the image errors of a network are not those of as many images as it has.
        ValueError: If permutations are none.
    """  # noqa: DOC502
    if permutations < 1:
        raise ValueError(f"permutations must be at least 1, not {permutations!r}.")
    rows, design = [], []
    for dataset, block in by_dataset(measures, measures["dataset"].unique()).items():
        for selection in SELECTIONS:
            some = population(
                block,
                selection,
                generator=resampling.stream(1),
                fitted_accuracy=fitted_accuracy,
                baselines=baselines,
                test_sizes=test_sizes,
                ensemble_measures=ensemble_measures,
                image_errors=image_errors,
            )
            about = {"selection": selection, "dataset": dataset}
            rows += [about | row for row in league(some, resampling, permutations=permutations)]
            design += [about | row for row in _design(some, resampling.stream(3))]
    return table_of(rows, COLUMNS, resampling), pd.DataFrame(design, columns=DESIGN)


def _design(some: Population, generator: np.random.Generator) -> Iterator[dict[str, Any]]:
    """What factors explain of the gap, and what the study can and cannot tell, row by row."""
    ensembles = len(some.mean_gap)
    about = {"ensembles": ensembles, "note": ""}
    levels = dict(zip(some.factors, some.levels.T, strict=True))
    if ensembles >= FEWEST_ENSEMBLES and np.ptp(some.mean_gap) > 0 and some.factors:
        for one in explained_by_design(some.mean_gap, some.levels, some.factors, some.blocks):
            missing = one.term.endswith("interactions") and not allows_interactions(some.levels)
            yield about | {
                "factor": TERMS.get(one.term, one.term),
                "levels": len(np.unique(levels[one.term])) if one.term in levels else np.nan,
                "r_squared": one.r_squared,
                "adjusted_r_squared": one.adjusted,
                "one_factor_pairs": one.contrasts,
                "note": "too few ensembles for pairwise interactions" if missing else "",
            }
    family, dominant = max(len(some.candidates), 1), some.dominant()
    ranks = {"": 1, "_given_design": int(np.linalg.matrix_rank(some.design)) if ensembles else 1}
    if dominant:
        ranks[f"_within_{dominant}"] = len(np.unique(levels[dominant]))
    for held_fixed, rank in ranks.items():
        least = least_correlation(ensembles, rank, family=family)
        note = f"at 80 % power, p-values corrected for {family} measures"
        yield about | {"factor": f"{POWER}{held_fixed}", "value": least, "note": note}
    if dominant and ensembles >= FEWEST_ENSEMBLES:
        note = f"share of {NUMBER_OF_PROXIES} draws with p of at most 0.05"
        value = shown_proxies(some, dominant, generator)
        yield about | {"factor": f"{PROXIES}_within_{dominant}", "value": value, "note": note}


def shown_proxies(some: Population, factor: str, generator: np.random.Generator) -> float:
    """Return how often a random function of the hyper-parameters correlates within a factor.

    The share of sums of random main effects that the permutation test within strata of the factor
    shows to correlate with the gap of this study, at .05: what a measure gets that knows the
    hyper-parameters and nothing else.
    """
    strata = some.strata_of(factor)
    proxies = np.stack([
        random_main_effects(some.levels, 1, generator)[:, 0] for _ in range(NUMBER_OF_PROXIES)
    ])
    orders = permuted_orders(strata, permutations=PERMUTATIONS_OF_PROXIES, generator=generator)
    given = proxies, some.mean_gap, strata
    observed = stratified_spearman(observed_counts(len(strata)), *given)[:, 0]
    p_values = permutation_p_values(observed, stratified_spearman_null(*given, orders))
    return float(np.mean(p_values <= 0.05))

"""Which networks fit, and whether counting only these makes or hides a relation.

If fitting depends on a measure and on what else makes the gap, the two are related among fitted
networks even if they are not among all: fitting is a collider (Pearl 2009, §1.2.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from generalization.statistics.draws import (
    leave_one_out_counts,
    observed_counts,
    only_where_measured,
    permuted_orders,
)
from generalization.statistics.estimates import (
    INTERVAL,
    SHARE,
    few_ensembles,
    mean_over_networks,
    table_of,
)
from generalization.statistics.intervals import FEWEST_ENSEMBLES, Interval, correlation_interval
from generalization.statistics.league_rows import shown
from generalization.statistics.multiplicity import permutation_p_values, westfall_young
from generalization.statistics.partial import (
    partial_rank_correlation,
    partial_rank_correlation_null,
    reasons,
)
from generalization.statistics.population import Population, population
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import by_dataset, final_networks, has_fitted
from generalization.tables import NETWORK, swept_hyperparameters

COLUMNS = [
    "dataset",
    "statistic",
    "factor",
    "factor_level",
    "measure",
    *INTERVAL,
    "p_value",
    "p_value_corrected",
    "networks",
    "ensembles",
    "note",
]
FRACTION, DEPENDENCE = "fraction_fitted", "fitting_given_design"
WARNING = "fitting depends on this measure: among fitted networks alone its correlation is biased"
# ASSUME: whether fitting depends on a measure is a warning, for which fewer permutations do than
# for the league.
PERMUTATIONS = 999


def selection_on_fit(
    measures: pd.DataFrame,
    statistics: pd.DataFrame,
    *,
    resampling: Resampling,
    fitted_accuracy: float = 0.999,
) -> pd.DataFrame:
    """Tell which networks fit, and whether that depends on a measure beyond the design.

    ``fraction_fitted`` is the fraction of networks that fit their training set at a level of a
    swept factor, the mean of ensembles with its t interval. ``fitting_given_design`` is, over all
    networks, the partial rank correlation of the mean measure of ensembles with the fraction of
    their networks that fit, given the main effects of all swept factors, with the interval and the
    Freedman–Lane test of the league; where it is shown, ``note`` is ``WARNING``.

    Returns:
        One row per dataset and level of a factor, and one per dataset and candidate, with the
        columns ``COLUMNS``; p-values are corrected by Westfall and Young's method.
    """
    baselines = statistics.loc[statistics["kind"] == "baseline", "measure"].unique()
    rows: list[dict[str, Any]] = []
    for dataset, block in by_dataset(measures, measures["dataset"].unique()).items():
        about = {"dataset": dataset}
        networks = final_networks(block)
        networks = networks.assign(fits=has_fitted(networks, fitted_accuracy=fitted_accuracy))
        rows += [about | row for row in _fractions(networks, resampling)]
        some = population(
            block,
            "all",
            generator=resampling.stream(),
            fitted_accuracy=fitted_accuracy,
            baselines=baselines,
        )
        if len(some.candidates):
            fits = _fraction_of_ensembles(block, networks)
            rows += [about | row for row in _dependence(some, fits, resampling)]
    return table_of(rows, COLUMNS, resampling)


def _fractions(networks: pd.DataFrame, resampling: Resampling) -> Iterator[dict[str, Any]]:
    """The fraction that fits at every level of every swept factor."""
    for factor in swept_hyperparameters(networks.drop(columns="fits")):
        for level, some in networks.groupby(factor, dropna=False):
            found = mean_over_networks(
                some["fits"].astype(float), some["ensemble"], resampling, limits=SHARE
            )
            yield {"statistic": FRACTION, "factor": factor, "factor_level": level} | found


def _fraction_of_ensembles(block: pd.DataFrame, networks: pd.DataFrame) -> np.ndarray:
    """Fraction of networks that fit, in the order of the ensembles of a population."""
    final = block[block["final"] & np.isfinite(block["generalization_gap"])]
    kept = networks.merge(final[NETWORK].drop_duplicates(), on=NETWORK)
    return kept.groupby("ensemble")["fits"].mean().sort_index().to_numpy(float)


def _dependence(
    some: Population, fits: np.ndarray, resampling: Resampling
) -> Iterator[dict[str, Any]]:
    """Partial rank correlation of every candidate with the fraction that fits."""
    means = some.means[some.candidates]
    size, count = len(fits), len(means)
    interval = Interval(*np.full((3, count), np.nan))
    p, corrected = np.full((2, count), np.nan)
    notes = [few_ensembles(size)] * count
    if size >= FEWEST_ENSEMBLES and np.ptp(fits) == 0:
        notes = [
            "all networks fit" if fits[0] == 1 else "the same fraction fits everywhere"
        ] * count
    elif size >= FEWEST_ENSEMBLES:
        orders = permuted_orders(
            np.zeros(size, int), permutations=PERMUTATIONS, generator=resampling.stream(2)
        )
        observed, left_out = (
            partial_rank_correlation(counts, means, fits, some.design)
            for counts in (observed_counts(size), leave_one_out_counts(size))
        )
        left_out = only_where_measured(left_out, means)
        free = size - 1 - np.linalg.matrix_rank(some.design)
        interval = correlation_interval(
            observed[:, 0], left_out, level=resampling.level, degrees_of_freedom=free
        )
        null = partial_rank_correlation_null(means, fits, some.design, orders)
        p, corrected = (
            permutation_p_values(observed[:, 0], null),
            westfall_young(observed[:, 0], null),
        )
        notes = [
            one.replace("the gap is", "fitting is") for one in reasons(means, fits, some.design)
        ]
    rows = pd.DataFrame({
        "statistic": DEPENDENCE,
        "measure": [some.measures[place] for place in some.candidates],
        **interval._asdict(),
        "level": resampling.level,
        "p_value": p,
        "p_value_corrected": corrected,
        "networks": some.networks()[some.candidates],
        "ensembles": some.ensembles()[some.candidates],
        "note": notes,
    })
    rows["note"] = rows["note"].mask(shown(rows), WARNING)
    yield from rows.drop(columns="level").to_dict("records")

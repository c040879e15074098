"""Models of the gap: what they say of each measure that ranks of ensemble means do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
from jaxtyping import Float

from generalization.statistics.design import main_effects
from generalization.statistics.draws import observed_counts, resampled_counts
from generalization.statistics.estimates import INTERVAL, few_ensembles, table_of
from generalization.statistics.intervals import FEWEST_ENSEMBLES
from generalization.statistics.mixed_models import Slope, mixed_slope, slope_within
from generalization.statistics.multiplicity import holm
from generalization.statistics.population import Population, population
from generalization.statistics.quantile_regression import quantile_slopes
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import SELECTIONS, by_dataset

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
    "note",
]
MIXED, WITHIN, SHARE = "mixed_slope", "slope_within_ensembles", "ensemble_variance_share"
UPPER, MIDDLE = 0.9, 0.5
QUANTILES = {"quantile_slope_50": MIDDLE, "quantile_slope_90": UPPER}
DIFFERENCE = "quantile_slope_difference"
# ASSUME: so many resamples tell the interval of a quantile's slope.
RESAMPLES = 200


def model_statistics(
    measures: pd.DataFrame,
    statistics: pd.DataFrame,
    *,
    resampling: Resampling,
    fitted_accuracy: float = 0.999,
) -> pd.DataFrame:
    """Model the gap of networks by each measure, as ``standard_ranks``, over their last steps.

    ``mixed_slope`` is the slope given all levels of all swept factors, with a random intercept of
    every ensemble; ``ensemble_variance_share`` is the share of the remaining variance that lies
    between ensembles: see ``mixed_slope``. ``slope_within_ensembles`` is the slope among seeds.
    ``quantile_slope_50`` and ``quantile_slope_90`` are slopes of the median and of the 90th
    percentile of the gap, ``quantile_slope_difference`` is the latter less the former: where it is
    positive, the gap spreads upwards as the measure grows, so that a small value bounds the gap
    from above better than a large one tells that it is large. Their intervals are percentiles of a
    bootstrap of ensembles.

    Returns:
        One row per dataset, selection, measure and statistic, with the columns ``COLUMNS``. Slopes
        are in units of the gap per standard deviation of ranks. p-values of candidates are
        corrected by Holm's method over the candidates of a statistic.
    """
    kinds = statistics.drop_duplicates("measure").set_index("measure")["kind"]
    tables = []
    for dataset, block in by_dataset(measures, measures["dataset"].unique()).items():
        for selection in SELECTIONS:
            some = population(
                block,
                selection,
                generator=resampling.stream(),
                fitted_accuracy=fitted_accuracy,
                baselines=kinds.index[kinds == "baseline"],
            )
            rows = pd.DataFrame(_rows(some, resampling), columns=COLUMNS)
            tables.append(_corrected(rows).assign(selection=selection, dataset=dataset))
    return table_of(pd.concat(tables).to_dict("records"), COLUMNS, resampling)


def standard_ranks(values: Float[np.ndarray, "networks"]) -> Float[np.ndarray, "networks"]:
    """Return midranks with mean 0 and variance 1; zeros where all are equal.

    Ranks take infinite values for what they are, and make slopes of measures on any scale alike.
    """
    if not len(values):
        return np.zeros(0)
    ranks = scipy.stats.rankdata(values)
    centered = ranks - ranks.mean()
    return centered / (centered.std() or 1.0)


def _rows(some: Population, resampling: Resampling) -> Iterator[dict[str, Any]]:
    """Every statistic of every candidate and baseline."""
    size, seeds = some.gap.shape
    of_network = np.repeat(np.arange(size), seeds)
    for name, kind, values in zip(some.measures, some.kinds, some.values, strict=True):
        if kind not in {"candidate", "baseline"}:
            continue
        there = ~np.isnan(values.ravel()) & ~np.isnan(some.gap.ravel())
        kept, codes = np.unique(of_network[there], return_inverse=True)
        about = {"measure": name, "kind": kind}
        about |= {"networks": int(there.sum()), "ensembles": len(kept)}
        x, y = standard_ranks(values.ravel()[there]), some.gap.ravel()[there]
        if why := _why_not(x, kept):
            for statistic in (MIXED, SHARE, WITHIN, *QUANTILES, DIFFERENCE):
                yield about | {"statistic": statistic, "note": why}
            continue
        mixed = mixed_slope(x, y, codes, main_effects(some.levels[kept]), level=resampling.level)
        yield about | {"statistic": MIXED} | _told(mixed)
        share = {"statistic": SHARE, "estimate": mixed.variance_share, "note": mixed.note}
        yield about | share
        within = slope_within(x, y, codes, level=resampling.level)
        yield about | {"statistic": WITHIN} | _told(within)
        for statistic, found in _quantiles(x, y, codes, resampling).items():
            yield about | {"statistic": statistic} | found


def _why_not(x, kept) -> str:
    """Why a measure has no model; empty if it has one."""
    if not len(x):
        return "no network is left"
    if len(kept) < FEWEST_ENSEMBLES:
        return few_ensembles(len(kept))
    return "" if x.any() else "the measure is the same for all networks"


def _told(slope: Slope) -> dict[str, Any]:
    return {key: value for key, value in slope._asdict().items() if key != "variance_share"}


def _quantiles(x, y, codes, resampling: Resampling) -> dict[str, dict[str, Any]]:
    """Slopes of quantiles and their difference, each with its interval from shared resamples."""
    ensembles = codes.max() + 1
    counts = resampled_counts(
        np.zeros(ensembles, int),
        resamples=min(resampling.resamples, RESAMPLES),
        generator=resampling.stream(),
    )
    counts = np.vstack([observed_counts(ensembles), counts])[:, codes]
    slopes = {key: quantile_slopes(counts, x, y, quantile=q) for key, q in QUANTILES.items()}
    middle, upper = slopes.values()
    slopes[DIFFERENCE] = upper - middle
    return {
        key: {"estimate": draws[0]} | resampling.interval(draws[1:]) | {"note": ""}
        for key, draws in slopes.items()
    }


def _corrected(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with p-values of candidates corrected by Holm's method, statistic by statistic."""
    corrected = pd.Series(np.nan, rows.index)
    tested = rows[(rows["kind"] == "candidate") & rows["p_value"].notna()]
    for _, family in tested.groupby("statistic"):
        corrected[family.index] = holm(family["p_value"].to_numpy(float))
    return rows.assign(p_value_corrected=corrected)

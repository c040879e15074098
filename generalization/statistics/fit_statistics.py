"""From the table of measures to statistics: how each measure goes with the generalization gap."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from generalization.statistics.correlations import kendall, pearson, spearman
from generalization.statistics.estimates import INTERVAL, few_ensembles, table_of
from generalization.statistics.regression import least_squares
from generalization.statistics.resampling import (
    Resampling,
    bootstrap_counts,
    permutation_p_value,
)
from generalization.statistics.selection import SELECTIONS, by_dataset, selected

COLUMNS = [
    "measure",
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
CORRELATIONS = {"spearman": spearman, "kendall": kendall, "pearson": pearson}


def fit_statistics(
    measures: pd.DataFrame,
    *,
    resampling: Resampling,
    fitted_accuracy: float = 0.999,
    permutations: int = 10_000,
) -> pd.DataFrame:
    """How each measure goes with the generalization gap, over networks at their last step.

    ``spearman`` and ``kendall`` (τ-b) are rank correlations. ``pearson_log`` is the correlation of
    the natural logarithm of the measure, where all its values are positive; otherwise it is
    ``pearson``, of the values themselves. ``ols_slope`` and ``ols_r_squared`` are of the regression
    of the gap on the same logarithm or values: change of the gap per unit of it.

    Intervals are percentile intervals of a bootstrap that resamples ensembles, then seeds within
    them; p-values are of permutations of whole ensembles. The slope has the interval and p-value of
    the t distribution with standard errors that are robust to dependence within ensembles.

    p-values are corrected by Holm's method over the measures of one statistic, selection and
    dataset, baselines included: it holds however the measures depend on each other, and they do,
    being measures of the same networks. Benjamini and Hochberg's would not hold for every
    dependence.

    Args:
        measures: Table of ``collect_measures``.
        resampling: Bootstrap of ensembles, then of seeds within them; the permutations have its
            random numbers, too.
        fitted_accuracy: Train accuracy from which on a network counts as fitted.
        permutations: Their number; no p-value is less than 1 / (1 + permutations), and correction
            multiplies the least by the number of measures.

    Returns:
        One row per dataset, measure, selection (``fitted`` networks, and ``all`` with finite
        values) and statistic, with the columns ``COLUMNS``. ``dataset`` is ``all``, and where the
        study has several also each of them. What does not exist is empty; ``note`` says why.

    Raises:
        ValueError: If permutations are none.
    """
    if permutations < 1:
        raise ValueError(f"permutations must be at least 1, not {permutations!r}.")
    rows = [
        {"measure": measure, "selection": selection, "dataset": dataset, **row}
        for dataset, block in by_dataset(measures, measures["dataset"].unique()).items()
        for measure in measures["measure"].unique()
        for selection in SELECTIONS
        for row in relation_to_gap(
            selected(block, measure, selection, fitted_accuracy=fitted_accuracy),
            resampling,
            permutations=permutations,
        )
    ]
    table = table_of(rows, COLUMNS, resampling).astype({"p_value": float})
    table["p_value_corrected"] = _corrected(table)
    return table


def relation_to_gap(
    networks: pd.DataFrame, resampling: Resampling, *, permutations: int
) -> Iterator[dict[str, object]]:
    """Every statistic of one measure, each as a row.

    Args:
        networks: One row per network, with ensemble, value and generalization_gap, both finite.
        resampling: Bootstrap of ensembles, then of seeds within them.
        permutations: Number of permutations.

    Yields:
        statistic, estimate, low, high, p_value, networks, ensembles, note; if there is no
        relation to estimate, only the name, the counts and the reason.
    """
    x, y = (networks[key].to_numpy(float) for key in ("value", "generalization_gap"))
    ensembles, names = pd.factorize(networks["ensemble"])
    size = {"networks": len(x), "ensembles": len(names)}
    log = (x > 0).all()
    x = np.log(x) if log else x
    pearsons = "pearson_log" if log else "pearson"
    reason = _why_not(x, y, len(names))
    if reason:
        for statistic in ("spearman", "kendall", pearsons, "ols_slope", "ols_r_squared"):
            yield {"statistic": statistic, **size, "note": reason}
        return
    generator = resampling.stream()
    counts = bootstrap_counts(ensembles, resamples=resampling.resamples, generator=generator)
    draws = {kind: correlation(counts, x, y) for kind, correlation in CORRELATIONS.items()}
    for kind, correlation in CORRELATIONS.items():
        yield {
            "statistic": pearsons if kind == "pearson" else kind,
            "estimate": correlation(np.ones((1, len(x))), x, y)[0],
            **_interval(draws[kind], resampling),
            "p_value": permutation_p_value(
                x, y, ensembles, kind=kind, permutations=permutations, generator=generator
            ),
            **size,
        }
    slope, r_squared = least_squares(x, y, ensembles, level=resampling.level)
    plain = "" if log else "of the values themselves: not all are positive"
    yield {"statistic": "ols_slope", **slope, **size, "note": plain}
    # In a regression on one number, the test of R² is that of the slope.
    yield {"statistic": "ols_r_squared", **r_squared, **size}


def _why_not(x: np.ndarray, y: np.ndarray, ensembles: int) -> str:
    """Why no relation can be estimated; empty if it can."""
    if not len(x):
        return "no network is left"
    if few := few_ensembles(ensembles, "that are needed"):
        return few
    if np.ptp(x) == 0:
        return "the measure is the same for all networks"
    if np.ptp(y) == 0:
        return "the gap is the same for all networks"
    return ""


def _interval(draws: np.ndarray, resampling: Resampling) -> dict[str, object]:
    """Percentile interval of the resamples in which a correlation exists, and how many lack it."""
    dropped = int((~np.isfinite(draws)).sum())
    if dropped == len(draws):
        return {"note": "no interval: the measure or the gap is constant in every resample"}
    note = f"{dropped} of {len(draws)} resamples are constant and left out" if dropped else ""
    return resampling.interval(draws) | {"note": note}


def _corrected(table: pd.DataFrame) -> pd.Series:
    """p-values corrected over the measures of each statistic, selection and dataset."""
    # Whether logarithms were taken does not make another statistic.
    statistic = table["statistic"].str.removesuffix("_log")
    tested = table["p_value"].dropna()
    return tested.groupby([statistic, table["selection"], table["dataset"]]).transform(
        lambda p: multipletests(p, method="holm")[1]
    )

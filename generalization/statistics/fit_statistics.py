"""From the table of measures to statistics: how each measure goes with the generalization gap."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from generalization.statistics.correlations import kendall, pearson, spearman
from generalization.statistics.regression import least_squares
from generalization.statistics.resampling import bootstrap_counts, permutation_p_value
from generalization.statistics.selection import SELECTIONS, selected

COLUMNS = [
    "measure",
    "statistic",
    "selection",
    "dataset",
    "estimate",
    "low",
    "high",
    "level",
    "p_value",
    "p_value_corrected",
    "networks",
    "ensembles",
    "note",
]
CORRELATIONS = {"spearman": spearman, "kendall": kendall, "pearson": pearson}
FEWEST_ENSEMBLES = 3


def fit_statistics(
    measures: pd.DataFrame,
    *,
    generator: np.random.Generator,
    fitted_accuracy: float = 0.999,
    level: float = 0.95,
    resamples: int = 2000,
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
        generator: Of resamples and permutations. Every measure sees the same ones, so that
            measures are compared on equal terms and a new one changes no interval of another.
        fitted_accuracy: Train accuracy from which on a network counts as fitted.
        level: Of the intervals.
        resamples: Number of bootstrap resamples.
        permutations: Their number; no p-value is less than 1 / (1 + permutations), and correction
            multiplies the least by the number of measures.

    Returns:
        One row per dataset, measure, selection (``fitted`` networks, and ``all`` with finite
        values) and statistic, with the columns ``COLUMNS``. ``dataset`` is ``all``, and where the
        study has several also each of them. What does not exist is empty; ``note`` says why.

    Raises:
        ValueError: If level is not between 0 and 1, or resamples or permutations are none.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level!r}.")
    for name, number in {"resamples": resamples, "permutations": permutations}.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, not {number!r}.")
    entropy = int(generator.integers(2**63))
    rows = [
        {"measure": measure, "selection": selection, "dataset": dataset, **row}
        for dataset, block in blocks(measures).items()
        for measure in measures["measure"].unique()
        for selection in SELECTIONS
        for row in relation_to_gap(
            selected(block, measure, selection, fitted_accuracy=fitted_accuracy),
            generator=np.random.default_rng(entropy),
            level=level,
            resamples=resamples,
            permutations=permutations,
        )
    ]
    table = pd.DataFrame(rows, columns=COLUMNS).assign(level=level)
    table = table.astype(dict.fromkeys(["estimate", "low", "high", "p_value"], float))
    table["p_value_corrected"] = _corrected(table)
    return table


def blocks(networks: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of all datasets together, then those of each of several."""
    datasets = networks["dataset"].unique()
    each = {name: networks[networks["dataset"] == name] for name in datasets}
    return {"all": networks} | (each if len(datasets) > 1 else {})


def relation_to_gap(
    networks: pd.DataFrame,
    *,
    generator: np.random.Generator,
    level: float,
    resamples: int,
    permutations: int,
) -> Iterator[dict[str, object]]:
    """Every statistic of one measure, each as a row.

    Args:
        networks: One row per network, with ensemble, value and generalization_gap, both finite.
        generator: Of resamples and permutations.
        level: Of the intervals.
        resamples: Number of bootstrap resamples.
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
    counts = bootstrap_counts(ensembles, resamples=resamples, generator=generator)
    draws = {kind: correlation(counts, x, y) for kind, correlation in CORRELATIONS.items()}
    for kind, correlation in CORRELATIONS.items():
        yield {
            "statistic": pearsons if kind == "pearson" else kind,
            "estimate": correlation(np.ones((1, len(x))), x, y)[0],
            **_interval(draws[kind], level),
            "p_value": permutation_p_value(
                x, y, ensembles, kind=kind, permutations=permutations, generator=generator
            ),
            **size,
        }
    slope, r_squared = least_squares(x, y, ensembles, level=level)
    plain = "" if log else "of the values themselves: not all are positive"
    yield {"statistic": "ols_slope", **slope, **size, "note": plain}
    # In a regression on one number, R² is r² and its test is that of the slope.
    squares = _interval(draws["pearson"] ** 2, level)
    yield {"statistic": "ols_r_squared", "estimate": r_squared, **squares, **size}


def _why_not(x: np.ndarray, y: np.ndarray, ensembles: int) -> str:
    """Why no relation can be estimated; empty if it can."""
    if not len(x):
        return "no network is left"
    if ensembles < FEWEST_ENSEMBLES:
        return f"{ensembles} of the {FEWEST_ENSEMBLES} ensembles that are needed"
    if np.ptp(x) == 0:
        return "the measure is the same for all networks"
    if np.ptp(y) == 0:
        return "the gap is the same for all networks"
    return ""


def _interval(draws: np.ndarray, level: float) -> dict[str, object]:
    """Percentile interval of the resamples in which a correlation exists."""
    defined = draws[np.isfinite(draws)]
    if not len(defined):
        return {"note": "no interval: the measure or the gap is constant in every resample"}
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    dropped = len(draws) - len(defined)
    note = f"{dropped} of {len(draws)} resamples are constant and left out" if dropped else ""
    return {"low": low, "high": high, "note": note}


def _corrected(table: pd.DataFrame) -> pd.Series:
    """p-values corrected over the measures of each statistic, selection and dataset."""
    # Whether logarithms were taken does not make another statistic.
    statistic = table["statistic"].str.removesuffix("_log")
    tested = table["p_value"].dropna()
    return tested.groupby([statistic, table["selection"], table["dataset"]]).transform(
        lambda p: multipletests(p, method="holm")[1]
    )

"""How many units are active at test points, whether normally so, and how large the regions are."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import kurtosis, normaltest, skew

from generalization.statistics.means import (
    before_and_after,
    check_resampling,
    few_ensembles,
    mean_over_networks,
    missing,
)
from generalization.tables import KEPT_NETWORK

COLUMNS = [
    "dataset",
    "trained",
    "statistic",
    "estimate",
    "low",
    "high",
    "level",
    "networks",
    "ensembles",
    "note",
]
# ASSUME: counts are taken for normal unless a test at 5 % rejects that; the paper shows a figure.
SIGNIFICANCE = 0.05
FEWEST_POINTS = 20  # For the test of kurtosis.


def region_statistics(
    activation_regions: pd.DataFrame,
    training: pd.DataFrame,
    *,
    generator: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
) -> pd.DataFrame:
    """Activation regions of networks at test points, before and after training.

    Daróczy 2020, theorem 3.2, takes the number of active units of a point for normal, from
    histograms (Figs 1 and 4), and doubts it of single layers (§8). The statistics of a network:

    ``active_mean``, ``active_variance``, ``active_share``
        Of the number of active units over points; the mean over the number of units.
    ``active_skewness``, ``active_excess_kurtosis``
        0 of a normal distribution.
    ``active_normal``, and ``active_1_normal`` … of single hidden layers
        1 if D'Agostino and Pearson's test, of skewness and kurtosis together, does not reject
        normality at 5 %, else 0. The mean is a share of networks, which is 0.95 if all were normal:
        nothing is corrected for their number. (Tests that compare distribution functions, as
        Shapiro and Wilk's, also reject that counts are whole numbers.)
    ``distinct_regions``
        Over the number of points.
    ``log_membership``
        Mean over points, see ``log_membership`` of activation patterns.
    ``margin``, ``inradius``
        Medians over points.

    All networks see the same points, and intervals are for these: they resample networks alone, in
    two stages, ensembles and seeds within them.

    Args:
        activation_regions: Table of the profile ``activation_regions`` of a study.
        training: Table of ``collect_training``.
        generator: Of resamples. Every row sees the same ones.
        resamples: Number of bootstrap resamples.
        level: Of the percentile intervals.

    Returns:
        Means over networks, with the columns ``COLUMNS``: for each dataset, networks at step 0, and
        networks at their last step, whether they have fitted or not. What does not exist is empty;
        ``note`` says why.

    Raises:
        ValueError: If level is not between 0 and 1, or resamples are none.
    """  # noqa: DOC502
    check_resampling(level, resamples)
    entropy = int(generator.integers(2**63))
    networks = regions_of_networks(activation_regions, training)
    rows = [
        {"dataset": dataset, "trained": trained, "statistic": statistic}
        | _mean(rows, statistic, np.random.default_rng(entropy), level, resamples)
        for (dataset, trained), rows in networks.groupby(["dataset", "trained"])
        for statistic in networks.columns.drop([*KEPT_NETWORK, "dataset", "trained"])
    ]
    return pd.DataFrame(rows, columns=COLUMNS).assign(level=level)


def regions_of_networks(activation_regions: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """All statistics of every network, before and after training.

    Args:
        activation_regions: Table of the profile ``activation_regions`` of a study.
        training: Table of ``collect_training``.

    Returns:
        ensemble, seed, step, dataset, trained, and one column per statistic.
    """
    keys = [*KEPT_NETWORK, "dataset", "trained"]
    rows = before_and_after(activation_regions, training)
    networks = [
        dict(zip(keys, network, strict=True)) | _of_network(points)
        for network, points in rows.groupby(keys, sort=False)
    ]
    return pd.DataFrame(networks, columns=None if networks else keys)


def _of_network(points: pd.DataFrame) -> dict[str, float]:
    """All statistics of one network. What it lacks, a layer or regions at all, is NaN."""
    layers = [name for name in points if name.startswith("active_")]
    active = points["active"].to_numpy(float)
    varies = active.std() > 0
    return {
        "active_mean": active.mean(),
        "active_variance": active.var(ddof=1) if len(active) > 1 else np.nan,
        "active_share": (active / points["units"]).mean(),
        "active_skewness": skew(active) if varies else np.nan,
        "active_excess_kurtosis": kurtosis(active) if varies else np.nan,
        **{f"{name}_normal": _normal(points[name]) for name in ("active", *layers)},
        "distinct_regions": points["pattern"].nunique() / len(points) or np.nan,
        "log_membership": points["log_membership"].mean(),
        "margin": points["margin"].median(),
        "inradius": points["inradius"].median(),
    }


def _normal(counts: pd.Series) -> float:
    """Whether normality is not rejected, 1 or 0; NaN of too few points, or if nothing varies."""
    counts = counts.to_numpy(float)
    if len(counts) < FEWEST_POINTS or not counts.std() > 0:
        return np.nan
    return float(normaltest(counts).pvalue >= SIGNIFICANCE)


def _mean(
    networks: pd.DataFrame, statistic: str, generator: np.random.Generator, level: float, draws: int
) -> dict[str, object]:
    """Mean over the networks that have the statistic, with its interval."""
    mean = mean_over_networks(
        networks[statistic],
        networks["ensemble"],
        generator=generator,
        resamples=draws,
        level=level,
    )
    lacks = missing(mean["networks"], len(networks), "finite value")
    return mean | {"note": "; ".join(filter(None, [lacks, few_ensembles(mean)]))}

"""How many units are active at test points, whether normally so, and how large the regions are."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import kurtosis, norm, normaltest, skew

from generalization.statistics.estimates import (
    ESTIMATE,
    SHARE,
    groups,
    means_of_columns,
    paired_contrast,
    table_of,
)
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import before_and_after
from generalization.tables import KEPT_NETWORK, NETWORK

OVER_UNTRAINED = "over_untrained"
COLUMNS = [
    *("dataset", "trained", "statistic"),
    *ESTIMATE,
    *(f"{OVER_UNTRAINED}{end}" for end in ("", "_low", "_high")),
]
# ASSUME: counts are taken for normal unless a test at 5 % rejects that; the paper shows a figure.
SIGNIFICANCE = 0.05
FEWEST_POINTS = 20  # For the test of kurtosis.


def region_statistics(
    activation_regions: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
) -> pd.DataFrame:
    """Activation regions of networks at test points, before and after training.

    Daróczy 2020, theorem 3.2, takes the number of active units of a point for normal, from
    histograms (Figs 1 and 4), and doubts it of single layers (§8). The statistics of a network:

    ``active_mean``, ``active_variance``, ``active_share``
        Of the number of active units over points; the mean over the number of units.
    ``active_skewness``, ``active_excess_kurtosis``
        0 of a normal distribution.
    ``active_ks``, and ``active_1_ks`` … of single hidden layers
        Largest distance of the distribution function to that of the normal distribution of the same
        mean and variance, with continuity correction: how far from normal, however many points.
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

    All networks see the same points, and intervals are for these: they are over networks alone.

    Returns:
        Means over networks, with the columns ``COLUMNS``: for each dataset, networks at step 0, and
        networks at their last step, whether they have fitted or not. ``over_untrained`` of
        ``active_share`` is the geometric mean of its ratio over the same network before training.
        What does not exist is empty; ``note`` says why.
    """
    networks = regions_of_networks(activation_regions, training)
    statistics = networks.columns.drop([*KEPT_NETWORK, "dataset", "trained"])
    ends = ("_normal", "_share", "_regions")
    limits = {name: SHARE for name in statistics if name.endswith(ends)}
    rows = [
        about | row | _over_untrained(row["statistic"], alike, networks, resampling)
        for about, alike in groups(networks, ["dataset", "trained"], sort=True)
        for row in means_of_columns(alike, statistics, resampling, limits=limits)
    ]
    return table_of(rows, COLUMNS, resampling)


def _over_untrained(
    statistic: str, alike: pd.DataFrame, networks: pd.DataFrame, resampling: Resampling
) -> dict[str, float]:
    """Share of active units of trained networks over that of the same networks at step 0."""
    # Half of the units are active before training, by the symmetry of their weights.
    if statistic != "active_share" or not alike["trained"].all():
        return {}
    before = networks[~networks["trained"].astype(bool)].set_index(NETWORK)[statistic]
    before = before.reindex(pd.MultiIndex.from_frame(alike[NETWORK])).to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms = np.log(alike[statistic].to_numpy(float)), np.log(before)
    return paired_contrast(
        *logarithms, alike["ensemble"], resampling, name=OVER_UNTRAINED, scale=np.exp
    )


def regions_of_networks(activation_regions: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """All statistics of every network, before and after training.

    Returns:
        ensemble, seed, step, dataset, trained, and one column per statistic.
    """
    keys = [*KEPT_NETWORK, "dataset", "trained"]
    rows = before_and_after(activation_regions, training)
    networks = [network | _of_network(points) for network, points in groups(rows, keys)]
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
        **{f"{name}_ks": _distance_to_normal(points[name]) for name in ("active", *layers)},
        "distinct_regions": points["pattern"].nunique() / len(points) or np.nan,
        "log_membership": points["log_membership"].mean(),
        "margin": points["margin"].median(),
        "inradius": points["inradius"].median(),
    }


def _normal(counts: pd.Series) -> float:
    """1 if normality is not rejected, else 0; NaN for too few points or constant counts."""
    counts = counts.to_numpy(float)
    if len(counts) < FEWEST_POINTS or not counts.std() > 0:
        return np.nan
    return float(normaltest(counts).pvalue >= SIGNIFICANCE)


def _distance_to_normal(counts: pd.Series) -> float:
    """Largest distance of distribution functions, at whole numbers and a half; NaN if constant."""
    counts = np.sort(counts.to_numpy(float))
    if not np.isfinite(counts).all() or not counts.std() > 0:
        return np.nan
    halves = np.arange(counts[0] - 1, counts[-1] + 1) + 0.5
    below = np.searchsorted(counts, halves) / len(counts)
    return float(abs(below - norm.cdf(halves, counts.mean(), counts.std())).max())

"""Clusters of networks of one architecture that were trained with different hyper-parameters."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from generalization.experiments.similarity.network_pairs import GENERALIZING, final_pairs, place
from generalization.statistics.estimates import ESTIMATE, groups, mean_over_networks, table_of
from generalization.statistics.resampling import Resampling

KEYS = ["similarity", "dataset", "architecture", "depth", "width", "layer"]
COLUMNS = [*KEYS, "place", "statistic", *ESTIMATE]
DIFFERENCE = "between_minus_within_ensembles"
# ASSUME: as few networks have clusters, and a cut gives at most so many.
FEWEST_NETWORKS, MOST_CLUSTERS = 4, 10

Distances = Float[np.ndarray, "networks networks"]
Clusters = Int[np.ndarray, "networks"]


def solution_clusters(
    similarities: pd.DataFrame, training: pd.DataFrame, *, resampling: Resampling
) -> pd.DataFrame:
    """Cluster the final layers of networks of one architecture, after Morcos et al. 2018.

    The networks differ in their seed and in hyper-parameters such as the learning rate, which make
    their ensembles. Distances are 1 − similarity, the clusters those of average linkage, cut where
    the mean silhouette is largest. The statistics are

    ``clusters``, ``silhouette``
        Number of clusters of this cut, and its mean silhouette, without an interval.
    ``between_minus_within_ensembles``
        Mean distance of networks to those of other ensembles, less that to other seeds of their
        own ensemble, over ensembles.

    Returns:
        One row per similarity, dataset, architecture, depth, width, layer (weight layers from 0,
        the last are the logits) and statistic, over networks on true labels, with the columns
        ``COLUMNS``. What does not exist is empty; ``note`` says why.
    """
    rows = [
        about | row
        for about, networks, distances in distances_of_groups(similarities, training)
        for row in _of_group(networks, distances, resampling)
    ]
    table = table_of(rows, COLUMNS, resampling)
    return table.assign(place=place(table["layer"], table["depth"]))


def distances_of_groups(
    similarities: pd.DataFrame, training: pd.DataFrame
) -> Iterator[tuple[dict[str, object], pd.DataFrame, Distances]]:
    """Yield ``KEYS``, networks (ensemble, seed) and their distances, where all are known.

    Groups of one ensemble or fewer than four networks have no clusters.
    """
    pairs = final_pairs(similarities, training)
    pairs = pairs[(pairs["task_a"] == GENERALIZING) & (pairs["task_b"] == GENERALIZING)]
    about = training.loc[training["final"]].drop_duplicates("ensemble").set_index("ensemble")
    same = np.ones(len(pairs), bool)
    for key in ("architecture", "depth", "width"):
        same &= (pairs["ensemble_b"].map(about[key]) == pairs[key]).to_numpy()
    for group, rows in groups(pairs[same], KEYS):
        networks, distances = _matrix(rows)
        several = networks["ensemble"].nunique() > 1 and len(networks) >= FEWEST_NETWORKS
        if several and np.isfinite(distances).all():
            yield group, networks, distances


def ordered_clusters(distances: Distances) -> tuple[Int[np.ndarray, "networks"], Clusters, float]:
    """Return an order in which neighbors are alike, clusters, and their mean silhouette.

    Clusters are numbered from 1; if all networks are at one point, there is one cluster.
    """
    flat = squareform(distances, checks=False)
    tree = optimal_leaf_ordering(linkage(flat, "average"), flat)
    order = leaves_list(tree)
    most = min(MOST_CLUSTERS, len(distances) - 1)
    cuts = [fcluster(tree, count, "maxclust") for count in range(2, most + 1)]
    scores = [mean_silhouette(distances, cut) for cut in cuts if cut.max() > 1]
    if not scores:
        return order, np.ones(len(distances), int), np.nan
    best = int(np.argmax(scores))
    return order, [cut for cut in cuts if cut.max() > 1][best], scores[best]


def mean_silhouette(distances: Distances, clusters: Clusters) -> float:
    """Return the mean of (b − a) / max(a, b) over networks (Rousseeuw 1987).

    a is the mean distance to the others of the own cluster, b that to the nearest other cluster. A
    network that is a cluster of its own has 0.
    """
    members = clusters[:, None] == np.unique(clusters)
    sums, sizes = distances @ members, members.sum(0)
    own = sizes[members.argmax(1)]
    a = (sums * members).sum(1) / np.maximum(own - 1, 1)
    b = np.where(members, np.inf, sums / sizes).min(1)
    largest = np.maximum(a, b)
    scores = np.divide(b - a, largest, out=np.zeros(len(a)), where=largest > 0)
    return float(np.where(own > 1, scores, 0).mean())


def _matrix(rows: pd.DataFrame) -> tuple[pd.DataFrame, Distances]:
    """Return networks and the symmetric matrix of their distances, NaN where it is unknown."""
    sides = [
        rows[[f"ensemble_{s}", f"seed_{s}"]].set_axis(["ensemble", "seed"], axis=1) for s in "ab"
    ]
    networks = pd.concat(sides).drop_duplicates().sort_values(["ensemble", "seed"])
    number = pd.Series(range(len(networks)), pd.MultiIndex.from_frame(networks))
    a, b = (number[pd.MultiIndex.from_frame(side)].to_numpy() for side in sides)
    distances = np.full((len(networks), len(networks)), np.nan)
    distances[a, b] = distances[b, a] = 1 - rows["value"].to_numpy(float)
    np.fill_diagonal(distances, 0)
    return networks.reset_index(drop=True), distances


def _of_group(
    networks: pd.DataFrame, distances: Distances, resampling: Resampling
) -> Iterator[dict[str, object]]:
    """Yield the statistics of one group of networks."""
    _, clusters, score = ordered_clusters(distances)
    ensembles = networks["ensemble"]
    counts = {"networks": len(networks), "ensembles": ensembles.nunique(), "note": ""}
    found = {"clusters": float(clusters.max()), "silhouette": score}
    for statistic, value in found.items():
        yield {"statistic": statistic, "estimate": value, "low": np.nan, "high": np.nan} | counts
    values = pd.Series(_between_minus_within(distances, ensembles.to_numpy()))
    estimate = mean_over_networks(values, ensembles, resampling, lacking="another seed")
    yield {"statistic": DIFFERENCE} | estimate


def _between_minus_within(
    distances: Distances, ensembles: np.ndarray
) -> Float[np.ndarray, "networks"]:
    """Mean distance of every network to other ensembles, less that to its own; NaN without one."""
    own = ensembles[:, None] == ensembles
    others = own.sum(1) - 1
    within = np.divide(
        (distances * own).sum(1), others, out=np.full(len(own), np.nan), where=others > 0
    )
    return (distances * ~own).sum(1) / (~own).sum(1) - within

"""Distances of networks of one architecture, in the order of their clusters."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generalization.experiments.similarity.layer_maps import NAMES, name_of_networks
from generalization.experiments.similarity.network_pairs import place
from generalization.experiments.similarity.solution_clusters import (
    Clusters,
    Distances,
    distances_of_groups,
    ordered_clusters,
)
from generalization.figures.style import figure_of_words, headline, styled, title
from generalization.names import setting_name
from generalization.tables import swept_hyperparameters

MOST_PANELS = 3
MOST_LABELS = 40


@styled
def cluster_maps(similarities: pd.DataFrame, training: pd.DataFrame) -> Figure:
    """Distances of the last hidden layers of all pairs of networks, after Morcos et al. 2018.

    Networks on true labels of one architecture are in the order of their clusters, which white
    lines tell apart; all maps have one scale.

    Returns:
        One heat map per similarity, dataset, architecture, depth and width, at most three; words,
        if no networks of two ensembles were all compared.
    """
    found = list(distances_of_groups(similarities, training))
    shown = [one for one in found if _is_last_hidden(one[0])][:MOST_PANELS]
    if not shown:
        return figure_of_words("No networks of two ensembles on true labels were all compared.")
    figure = Figure(figsize=(4.6 * len(shown) + 0.8, 4.9))
    grid = figure.subplots(1, len(shown), squeeze=False)[0]
    about_all = pd.DataFrame([about for about, *_ in shown])
    hyperparameters = training.drop_duplicates("ensemble").set_index("ensemble")
    largest = max(distances.max() for *_, distances in shown) or 1
    for axes, (about, networks, distances) in zip(grid, shown, strict=True):
        order, clusters, score = ordered_clusters(distances)
        labels = _labels(networks, hyperparameters)
        image = _draw(axes, distances[np.ix_(order, order)], clusters[order], largest)
        if len(labels) <= MOST_LABELS:
            named = [labels[network] for network in order]
            axes.set_yticks(range(len(order)), named, fontsize=min(9, 180 / len(order)))
        kind = name_of_networks(about_all, about["dataset"], about["architecture"], about["depth"])
        dataset, *rest = kind.split(", ")
        count = f"{len(labels)} networks, {clusters.max()} clusters"
        similarity = ", ".join([*rest, NAMES[about["similarity"]]])
        title(axes, dataset, [similarity, count, f"silhouette {score:.2f}"])
    figure.colorbar(image, ax=list(grid), shrink=0.7, label="Distance, 1 − similarity")
    headline(figure, "Distances of networks in the last hidden layer")
    return figure


def _is_last_hidden(about: dict[str, object]) -> bool:
    layer, depth = (pd.Series([about[key]]) for key in ("layer", "depth"))
    return place(layer, depth)[0] == "last_hidden"


def _labels(networks: pd.DataFrame, hyperparameters: pd.DataFrame) -> list[str]:
    """Name every network by the settings in which the ensembles differ."""
    of_networks = hyperparameters.loc[networks["ensemble"]]
    swept = swept_hyperparameters(of_networks.reset_index())
    rows = of_networks[swept].to_dict("records")
    return [", ".join(setting_name(key, value) for key, value in row.items()) for row in rows]


def _draw(axes: Axes, ordered: Distances, clusters: Clusters, largest: float) -> object:
    """Draw one heat map with the borders of its clusters."""
    image = axes.imshow(ordered, vmin=0, vmax=largest, cmap="viridis")
    for border in np.flatnonzero(np.diff(clusters)) + 0.5:
        axes.axhline(border, color="white", linewidth=1.4)
        axes.axvline(border, color="white", linewidth=1.4)
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    return image

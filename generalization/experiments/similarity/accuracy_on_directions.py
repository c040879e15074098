"""Accuracy when a layer is projected on few directions, against their number."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter

from generalization.experiments.similarity.layer_maps import layer_names, of_architecture
from generalization.experiments.similarity.network_pairs import GENERALIZING, task
from generalization.figures.style import (
    CATEGORIES,
    MARKERS,
    QUIET,
    figure_of_words,
    styled,
)
from generalization.tables import NETWORK, with_networks

KINDS = {
    "svcca": "SVCCA with another seed",
    "svcca_weights": "SVCCA, weights",
    "principal": "principal directions",
    "largest_units": "units of largest activation",
    "random_units": "random units",
}
STYLES = {
    kind: {"color": color, "marker": marker, "markersize": 4.5}
    for kind, color, marker in zip(KINDS, CATEGORIES, MARKERS, strict=False)
}
MOST_GROUPS, MOST_COLUMNS = 3, 3
GROUP = ["dataset", "architecture", "depth", "width"]


@styled
def accuracy_on_directions(projection_accuracy: pd.DataFrame, training: pd.DataFrame) -> Figure:
    """Test accuracy of networks at their last step against the number of directions of a layer.

    After Raghu et al. 2017. One line per kind of directions, the mean over networks on true labels,
    with a band of ± one standard error over networks; the upper gray line is the accuracy with
    the whole layer, the lower one that with the layer at its mean.

    Args:
        projection_accuracy: Table of the profile of a study.
        training: Table of ``collect_training``.

    Returns:
        One row of panels per dataset, architecture, depth and width, at most three, one panel per
        layer, at most three: the first, the last, and what is evenly between; words, if there is no
        such network.
    """
    rows = with_networks(projection_accuracy, training)
    rows = rows[rows["final"] & (task(rows) == GENERALIZING)]
    if rows.empty:
        return figure_of_words("No network on true labels was projected at its last step.")
    groups = list(rows.groupby(GROUP, sort=True))[:MOST_GROUPS]
    columns = min(max(depth for (_, _, depth, _), _ in groups), MOST_COLUMNS)

    figure = Figure(figsize=(1.4 + 3 * columns, 1.3 + 3.1 * len(groups)))
    grid = figure.subplots(len(groups), columns, sharey="row", squeeze=False)
    for panels, ((dataset, architecture, depth, width), group) in zip(grid, groups, strict=True):
        shown = np.unique(np.linspace(0, depth - 1, columns).round().astype(int))
        for axes, layer in zip(panels, shown, strict=False):
            _draw(axes, group[group["layer"] == layer])
            name = layer_names(depth)[layer]
            axes.set_title(name if name == "logits" else f"layer {name}", fontsize=11.5)
        for axes in panels[len(shown) :]:
            axes.remove()
        networks = len(group.drop_duplicates(NETWORK))
        kind = of_architecture(rows, architecture)
        panels[0].set_title(
            f"{dataset}{kind}, width {width}, {networks} networks\nlayer 1", fontsize=11.5
        )
        panels[0].set_ylabel("Test accuracy")
        panels[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        panels[0].set_ylim(0, 1.02)
    for axes in grid[-1]:
        axes.set_xlabel("Directions")
    heading = "Test accuracy of networks of which one layer is projected on few directions"
    figure.suptitle(heading, x=0.01, ha="left", weight="bold")
    kinds = [kind for kind in KINDS if kind in set(rows["directions"])]
    lines = [Line2D([], [], label=KINDS[kind], **STYLES[kind]) for kind in kinds]
    figure.legend(handles=lines, loc="outside lower center", ncols=3)
    return figure


def _draw(axes: Axes, rows: pd.DataFrame) -> None:
    """The lines of one panel."""
    least, most = rows["k"].min(), rows["k"].max()
    for k in (least, most):
        level = rows.loc[rows["k"] == k, "accuracy"].mean()
        axes.axhline(level, color=QUIET, linewidth=1, zorder=1)
    kinds = dict(iter(rows[rows["k"] > 0].groupby("directions")))
    for kind in [kind for kind in reversed(KINDS) if kind in kinds]:  # SVCCA's above the others.
        of_kind = kinds[kind]
        means = of_kind.groupby("k")["accuracy"].agg(["mean", "sem"])
        error = means["sem"].fillna(0)  # One network has none.
        low, high = means["mean"] - error, means["mean"] + error
        axes.plot(means.index, means["mean"], linewidth=1.4, **STYLES[kind])
        color = STYLES[kind]["color"]
        axes.fill_between(means.index, low, high, color=color, alpha=0.2, linewidth=0)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(LogLocator(2 if most < 40 else 4))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda k, _: f"{k:,g}"))

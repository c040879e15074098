"""Accuracy when a layer is projected on few directions, against their number."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from generalization.experiments.similarity.layer_panels import panels_of_layers
from generalization.experiments.similarity.network_pairs import GENERALIZING, task
from generalization.figures.legends import labelled
from generalization.figures.marks import mean_line
from generalization.figures.style import CATEGORIES, MARKERS, QUIET, figure_of_words, styled
from generalization.tables import with_networks

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


@styled
def accuracy_on_directions(projection_accuracy: pd.DataFrame, training: pd.DataFrame) -> Figure:
    """Test accuracy of networks at their last step against the number of directions of a layer.

    After Raghu et al. 2017. One line per kind of directions, the mean over networks on true labels,
    with a band of ± one standard error over networks; the upper gray line is the accuracy with
    the whole layer, the lower one that with the layer at its mean.

    Returns:
        The panels of ``panels_of_layers``; words, if there is no such network.
    """
    rows = with_networks(projection_accuracy, training)
    rows = rows[rows["final"] & (task(rows) == GENERALIZING)]
    if rows.empty:
        return figure_of_words("No network on true labels was projected at its last step.")
    figure = panels_of_layers(
        rows,
        _draw,
        margin=(1.4, 1.3),
        percent=True,
        x="Directions",
        y="Test accuracy",
        headline="Test accuracy of networks of which one layer is projected on few directions",
    )
    there = set(rows["directions"])
    lines = labelled({name: STYLES[kind] for kind, name in KINDS.items() if kind in there})
    figure.legend(handles=lines, loc="outside lower center", ncols=3)
    return figure


def _draw(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the lines of one panel."""
    least, most = rows["k"].min(), rows["k"].max()
    for k in (least, most):
        level = rows.loc[rows["k"] == k, "accuracy"].mean()
        axes.axhline(level, color=QUIET, linewidth=1, zorder=1)
    kinds = dict(iter(rows[rows["k"] > 0].groupby("directions")))
    for kind in [kind for kind in reversed(KINDS) if kind in kinds]:  # SVCCA's above the others.
        means = kinds[kind].groupby("k")["accuracy"].agg(["mean", "sem"])
        mean_line(axes, means, linewidth=1.4, **STYLES[kind])
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(LogLocator(2 if most < 40 else 4))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda k, _: f"{k:,g}"))

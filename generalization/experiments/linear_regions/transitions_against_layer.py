"""In which layers transitions are, before and after training."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from generalization.figures.facets import Facet
from generalization.figures.legends import entries
from generalization.figures.looks import told_apart
from generalization.figures.marks import mean_line
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import CATEGORIES, QUIET, figure_of_words, styled
from generalization.tables import with_networks

PANELS = ["dataset", "activation"]
TIMES = ("before training", "after training")


@styled
def transitions_against_layer(
    transitions_per_layer: pd.DataFrame, training: pd.DataFrame, *, color: str = "label_corruption"
) -> Figure:
    """Transitions per unit against the hidden layer, before and after training.

    One line per color and depth, the mean over all networks that share them, with a band of ± one
    standard error over networks; dashed, what is expected of random initial weights. One row of
    panels per dataset and activation function. Divided by their units, layers of all widths can be
    compared: untrained ReLU layers are expected to be all alike.

    Returns:
        The figure; words, if no network has transitions at step 0 or at its last step.
    """
    rows = _per_unit(transitions_per_layer, training)
    if rows.empty:
        return figure_of_words("No network has transitions in hidden layers to show.")
    hues, _ = told_apart(training, color, panels=PANELS)
    # One line per color and depth; without anything to tell apart, all in a color.
    alike = list(dict.fromkeys(["depth", hues.key or "depth"]))

    def draw(panel: Panel) -> None:
        for _, networks in panel.table.groupby("depth", sort=False):
            expected = networks.groupby("layer")["expected"].mean()
            panel.axes.plot(expected, color=QUIET, linestyle="--", linewidth=1.2, zorder=3)
        for _, networks in panel.table.groupby(alike, sort=False, dropna=False):
            hue = hues.of(networks.iloc[0]) if hues.key else CATEGORIES[0]
            means = networks.groupby("layer")["transitions"].agg(["mean", "sem"])
            mean_line(panel.axes, means, color=hue, marker="o", markersize=4, linewidth=1.4)
        panel.axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))

    expected = entries({"untrained": QUIET}, "color", marker="", linestyle="--")
    return SmallMultiples(
        rows=Facet.of(rows, *PANELS, name=lambda *names: ", ".join(names)),
        columns=Facet.of(rows, "time", order=TIMES, name=str),
        size=(3.6, 3.2),
        margin=(3, 0.8),
        grid={"sharex": True, "sharey": "row"},
        heading=lambda panel: f"{panel.row_name}: {panel.column_name}",
        x="Hidden layer",
        y="Transitions per unit",
        headline="Transitions per layer: means over {networks}",
        legend=hues.legend(linestyle="-") | {"Expected": expected},
    ).draw(rows, draw)


def _per_unit(transitions_per_layer: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Layers of untrained networks and of networks at their last step, divided by their units."""
    rows = with_networks(transitions_per_layer, training).dropna(subset="transitions")
    before = rows["step"] == 0
    chosen = before | rows["final"]
    per_unit = rows[["transitions", "expected"]].div(rows["width"].astype(float), axis=0)
    return rows.assign(time=np.where(before, *TIMES), **per_unit)[chosen]

"""Accuracy against the fraction of ablated units, and against noise added to them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from generalization.figures.facets import Facet
from generalization.figures.looks import Looks, told_apart
from generalization.figures.marks import mean_line
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import QUIET, Percentages, figure_of_words, styled
from generalization.names import value_name
from generalization.tables import KEPT_NETWORK, with_networks

# Mode → heading and axis of its panels.
MODES = {
    "zero": ("Ablated to zero", "Ablated units"),
    "mean": ("Ablated to their mean", "Ablated units"),
    "class_mean": ("Ablated to the class mean", "Ablated units"),
    "noise": ("Noise added", "Variance of noise / of unit"),
}
# What has rows of panels of its own, if a study sweeps over it.
ROWS = ("dataset", "architecture", "normalization", "dropout")
PLACES = 101


@styled
def accuracy_under_ablation(
    ablation_curves: pd.DataFrame, training: pd.DataFrame, *, color: str = "label_corruption"
) -> Figure:
    """Training accuracy when units of all hidden layers are ablated, as Morcos et al. 2018.

    One column per kind of ablation, one row per dataset, architecture, normalization and dropout. A
    line is the mean over all networks at their last step that share these and the color, with a
    band of ± one standard error of the mean over networks. Of networks trained with dropout the
    fraction dropped is marked.

    Returns:
        The figure; words, if no network has a curve.
    """
    rows = with_networks(ablation_curves, training)
    rows = rows[rows["final"] & (rows["layer"] == "all")]
    if rows.empty:
        return figure_of_words("No network has curves of ablation to show.")
    hues, _ = told_apart(training, color, panels=ROWS)

    def draw(panel: Panel) -> None:
        axes, dropout = panel.axes, panel.table["dropout"].unique()
        _draw_lines(panel, hues)
        if panel.column != "noise":
            axes.xaxis.set_major_formatter(Percentages())
            if len(dropout) == 1 and pd.notna(dropout[0]) and dropout[0]:
                axes.axvline(dropout[0], color=QUIET, linestyle=":", linewidth=1.2)

    return SmallMultiples(
        rows=Facet.of(rows, *(key for key in ROWS if rows[key].nunique() > 1)),
        columns=Facet.of(rows, "mode", order=MODES, name=lambda mode: MODES[mode][0]),
        size=(2.9, 2.7),
        margin=(2, 0.8),
        grid={"sharex": "col", "sharey": True},
        limits={"ylim": (0, 1.03)},
        percent=True,
        x=lambda panel: MODES[panel.column][1] * panel.bottom,
        y="Training accuracy",
        headline="Single directions: accuracy of {networks} while units are ablated",
        legend=hues.legend(marker="", linestyle="-"),
    ).draw(rows, draw)


def _draw_lines(panel: Panel, hues: Looks) -> None:
    """Draw the lines of a panel, one per color."""
    for value, alike in Facet.of(panel.table, *filter(None, [hues.key])).split(panel.table):
        look = {"color": hues.of(alike.iloc[0]), "label": value_name(value)}
        mean_line(panel.axes, _interpolated(alike), linewidth=1.6, **look)


def _interpolated(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean over networks and its standard error by amount: networks of other sizes have others."""
    amounts = np.linspace(0, rows["amount"].max(), PLACES)
    networks = [
        curve.sort_values("amount", kind="stable") for _, curve in rows.groupby(KEPT_NETWORK)
    ]
    accuracies = [np.interp(amounts, one["amount"], one["accuracy"]) for one in networks]
    return pd.DataFrame(accuracies, columns=amounts).agg(["mean", "sem"]).T

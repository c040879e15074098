"""Time to fit, and test error, against the corruption of labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from generalization.experiments.random_labels.fitting_curves import (
    architecture,
    architecture_columns,
)
from generalization.figures.facets import Facet
from generalization.figures.legends import entries, labelled
from generalization.figures.looks import looks_apart
from generalization.figures.marks import bars
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import QUIET, Percentages, figure_of_words, styled

# Statistic → heading and label of its panel.
PANELS = {
    "over_true_labels": ("Time to fit", "Relative to true labels"),
    "test_error": ("Test error", "On true labels"),
}


@styled
def corruption(fitting_times: pd.DataFrame, classes: Mapping[str, int]) -> Figure:
    """Time to fit and test error against label corruption, as Zhang et al. 2017, Figs 1b and 1c.

    One line per dataset and architecture.

    Returns:
        The figure; words, if labels were not corrupted.
    """
    labels = fitting_times["randomization"].isin(["none", "random_labels"])
    of_setting = fitting_times["ensembles"] == 1
    rows = fitting_times[labels & of_setting & fitting_times["estimate"].notna()]
    if rows["label_corruption"].nunique() < 2:
        return figure_of_words("Labels were not corrupted to several degrees.")
    keys = architecture_columns(fitting_times)
    networks = Facet.of(
        rows, *keys, name=lambda *values: architecture(dict(zip(keys, values, strict=True)))
    )
    looks = dict(zip(networks.names, looks_apart(len(networks.names)), strict=True))

    def draw(panel: Panel) -> None:
        axes = panel.axes
        for (_, alike), look in zip(networks.split(panel.table), looks.values(), strict=True):
            _draw(panel, alike, look)
        if panel.column == "over_true_labels":
            axes.set_ylim(0, None)
            return
        for dataset in rows["dataset"].unique():
            axes.axhline(1 - 1 / classes[dataset], color=QUIET, linestyle="--", linewidth=1.2)
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(Percentages())

    lines = labelled(looks, linestyle="", markersize=7, markeredgewidth=1.4)
    chance = entries({"chance": QUIET}, "color", marker="", linestyle="--")
    return SmallMultiples(
        columns=Facet.of(rows, "statistic", order=PANELS, name=lambda name: PANELS[name][0]),
        size=(5.5, 4.4),
        margin=(0, 0),
        limits={"xlim": (-0.04, 1.04)},
        x="Label corruption",
        y=lambda panel: PANELS[panel.column][1],
        heading_size=13,
        legend={"Networks": lines, "Error": chance},
    ).draw(rows, draw)


def _draw(panel: Panel, rows: pd.DataFrame, look: Mapping[str, str]) -> None:
    """Draw a line with intervals; true labels have none relative to themselves, but 1."""
    if rows.empty:
        return
    rows = rows.sort_values("label_corruption", kind="stable")
    points = rows[["label_corruption", "estimate", "low", "high"]].to_numpy(float)
    if panel.column == "over_true_labels":
        points = np.vstack([[0, 1, 1, 1], points])
    corruption, *ends = points.T
    line = {"markersize": 6, "capsize": 3, "linewidth": 1.5}
    panel.axes.errorbar(corruption, ends[0], yerr=bars(*ends), **line, **look)

"""Canonical correlations of layers in decreasing order, during training and between seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generalization.experiments.similarity.layer_panels import panels_of_layers
from generalization.experiments.similarity.network_pairs import GENERALIZING, task
from generalization.experiments.similarity.stable_directions import END, SEED
from generalization.figures.legends import entries
from generalization.figures.looks import colors
from generalization.figures.marks import mean_line
from generalization.figures.style import Percentages, figure_of_words, styled
from generalization.tables import NETWORK, with_networks

MOST_STEPS = 6
BETWEEN_SEEDS = {"linestyle": "--", "linewidth": 1.6}
PARTS = np.linspace(0, 1, 21)  # Of the directions.


@styled
def sorted_correlations(canonical_spectra: pd.DataFrame, training: pd.DataFrame) -> Figure:
    """Single canonical correlations in decreasing order, after Raghu et al. 2017.

    One line per kept step, at most six, for a layer beside its end; dashed, for two seeds at their
    ends. Lines are means over networks on true labels, with a band of ± one standard error over
    networks, against the share of the directions.

    Returns:
        The panels of ``panels_of_layers``; words, if there is no such network.
    """
    rows = canonical_spectra[canonical_spectra["compared"].isin([END, SEED])]
    rows = with_networks(rows, training)
    rows = rows[task(rows) == GENERALIZING]
    if rows.empty:
        return figure_of_words("No network on true labels was compared with its end or a seed.")
    steps = _shown_steps(rows)
    hues = colors(steps)

    def draw(axes: Axes, layer: pd.DataFrame) -> None:
        to_end = layer[layer["compared"] == END]
        for step in steps:
            mean_line(axes, _means(to_end[to_end["step"] == step]), color=hues[step])
        seeds = _means(layer[layer["compared"] == SEED])
        mean_line(axes, seeds, color="black", **BETWEEN_SEEDS)
        axes.xaxis.set_major_formatter(Percentages())

    named = {f"{step:,}": hues[step] for step in steps}
    seeds = {"at their end": "black"} if (rows["compared"] == SEED).any() else {}
    return panels_of_layers(
        rows,
        draw,
        margin=(2.6, 0.9),
        x="Directions, in order",
        y="Canonical correlation",
        headline="Canonical correlations, one by one",
        legend={
            "With the end, at step": entries(named, "color", linestyle="-", marker=""),
            "Two seeds": entries(seeds, "color", marker="", **BETWEEN_SEEDS),
        },
    )


def _shown_steps(rows: pd.DataFrame) -> list[int]:
    """Return kept steps that have lines: the first, the last, and what is evenly between."""
    kept = np.unique(rows.loc[rows["compared"] == END, "step"])
    places = np.linspace(0, len(kept) - 1, min(len(kept), MOST_STEPS)).round().astype(int)
    return [int(step) for step in kept[places]]


def _means(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard error over networks, at shares of the directions of each."""
    curves = [
        np.interp(
            PARTS, (one["rank"] - 1) / np.maximum(one["directions"] - 1, 1), one["correlation"]
        )
        for _, one in rows.sort_values("rank", kind="stable").groupby(NETWORK)
    ]
    return pd.DataFrame(curves, columns=PARTS).agg(["mean", "sem"]).T

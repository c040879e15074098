"""In which layers transitions are, before and after training."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from generalization.figures.style import (
    CATEGORIES,
    QUIET,
    colors,
    entries,
    figure_of_words,
    legend,
    style_of,
    styled,
)
from generalization.names import readable, values_of
from generalization.tables import NETWORK, swept_hyperparameters, with_networks

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

    Args:
        transitions_per_layer: Table of the profile of a study.
        training: Table of ``collect_training``.
        color: Hyper-parameter that colors tell apart. One that the study does not sweep over gives
            way to the first that it does, other than those that have panels of their own.

    Returns:
        The figure; words, if no network has transitions at step 0 or at its last step.
    """
    rows = _per_unit(transitions_per_layer, training)
    if rows.empty:
        return figure_of_words("No network has transitions in hidden layers to show.")
    color = _told_apart(training, color)
    hues = colors(values_of(training[color])) if color else {}
    times = [time for time in TIMES if time in set(rows["time"])]
    panels_of = list(rows.groupby(PANELS, sort=False))

    figure = Figure(figsize=(3 + 3.6 * len(times), 0.8 + 3.2 * len(panels_of)))
    panels = figure.subplots(len(panels_of), len(times), sharex=True, sharey="row", squeeze=False)
    for line, (names, networks) in zip(panels, panels_of, strict=True):
        for axes, time in zip(line, times, strict=True):
            _draw(axes, networks[networks["time"] == time], color, hues)
            axes.set_title(f"{', '.join(names)}: {time}", fontsize=11.5)
        line[0].set_ylabel("Transitions per unit")
    for axes in panels[-1]:
        axes.set_xlabel("Hidden layer")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    networks = len(rows.drop_duplicates(NETWORK))
    figure.suptitle(
        f"Transitions per layer: means over {networks:,} networks", x=0.01, ha="left", weight="bold"
    )
    legend(
        panels[0, -1],
        {
            readable(color or ""): entries(hues, "color", linestyle="-"),
            "Expected": entries({"untrained": QUIET}, "color", marker="", linestyle="--"),
        },
    )
    return figure


def _per_unit(transitions_per_layer: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Layers of untrained networks and of networks at their last step, divided by their units."""
    rows = with_networks(transitions_per_layer, training).dropna(subset="transitions")
    before = rows["step"] == 0
    chosen = before | rows["final"]
    per_unit = rows[["transitions", "expected"]].div(rows["width"].astype(float), axis=0)
    return rows.assign(time=np.where(before, *TIMES), **per_unit)[chosen]


def _told_apart(training: pd.DataFrame, color: str) -> str | None:
    """The hyper-parameter for colors."""
    swept = [key for key in swept_hyperparameters(training) if key not in PANELS]
    return color if color in swept else next(iter(swept), None)


def _draw(axes: Axes, networks: pd.DataFrame, color: str | None, hues: dict) -> None:
    """The lines of a panel, one per color and depth."""
    for _, alike in networks.groupby("depth", sort=False):
        expected = alike.groupby("layer")["expected"].mean()
        axes.plot(expected.index, expected, color=QUIET, linestyle="--", linewidth=1.2, zorder=3)
    keys = list(dict.fromkeys(["depth", color or "depth"]))
    for _, alike in networks.groupby(keys, sort=False, dropna=False):
        hue = style_of(hues, alike[color].iloc[0], QUIET) if color else CATEGORIES[0]
        layers = alike.groupby("layer")["transitions"].agg(["mean", "sem"])
        axes.plot(layers.index, layers["mean"], color=hue, marker="o", markersize=4, linewidth=1.4)
        error = layers["sem"].fillna(0)  # One network has none.
        low, high = layers["mean"] - error, layers["mean"] + error
        axes.fill_between(layers.index, low, high, color=hue, alpha=0.2, linewidth=0)

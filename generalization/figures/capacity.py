"""The generalization gap against the capacity of networks, and against how well they fit."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, PercentFormatter

from generalization.figures.gap_against_measure import (
    correlations_in_words,
    correlations_of,
    title,
    told_apart,
)
from generalization.figures.style import (
    QUIET,
    colors,
    entries,
    figure_of_words,
    legend,
    logarithmic,
    style_of,
    styled,
)
from generalization.names import readable, values_of, within
from generalization.statistics.selection import selected

PANELS = {"number_of_parameters": "", "training_loss": " (nats)"}
RING = {
    "markersize": 12,
    "markerfacecolor": "none",
    "markeredgecolor": "black",
    "markeredgewidth": 1.4,
}
CENTER = {"ha": "center", "va": "center", "color": QUIET}


@styled
def capacity(
    measures: pd.DataFrame,
    statistics: pd.DataFrame,
    *,
    color: str = "label_corruption",
    fitted_accuracy: float = 0.999,
) -> Figure:
    """One point per fitted network: the gap against its size and its training loss.

    As Novak et al. 2018, Fig. 1: networks that fit all alike, so that what is left to tell them
    apart is how many parameters they have and how far below the rest their loss is. A ring marks
    the network with the least gap of a dataset. Axes are logarithmic where all values are positive.

    Args:
        measures: Table of ``collect_measures``.
        statistics: Table of ``fit_statistics``, for Spearman's correlation.
        color: Hyper-parameter that colors tell apart. One that the study does not sweep over gives
            way to the first that it does.
        fitted_accuracy: Train accuracy from which on a network counts as fitted.

    Returns:
        The figure, datasets in rows; words, if no network has fitted or neither was measured.
    """
    networks = {
        measure: selected(measures, measure, "fitted", fitted_accuracy=fitted_accuracy)
        for measure in PANELS
    }
    if all(rows.empty for rows in networks.values()):
        return figure_of_words("No fitted network has a number of parameters or a training loss.")
    color, _ = told_apart(measures, color, "")
    hues = colors(values_of(measures[color])) if color else {}
    datasets = measures["dataset"].unique()
    several = len(datasets) > 1
    of_fitted = statistics[statistics["selection"] == "fitted"]

    figure = Figure(figsize=(10, 0.4 + 4.1 * len(datasets)))
    grid = figure.subplots(len(datasets), len(PANELS), sharey="row", squeeze=False)
    for row, dataset in zip(grid, datasets, strict=True):
        for axes, (measure, fitted) in zip(row, networks.items(), strict=True):
            _panel(axes, fitted[fitted["dataset"] == dataset], measure, color, hues)
            relation = correlations_of(of_fitted, measure, dataset if several else "all")
            name = f"{dataset}: {within(measure)}" if several else readable(measure)
            title(axes, name, relation, fontsize=11.5)
        row[0].set_ylabel("Generalization gap (train − test accuracy)")
        row[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    figure.suptitle(
        f"Gap of networks that fitted: {correlations_in_words(statistics)}",
        x=0.01,
        ha="left",
        weight="bold",
        fontsize=13,
    )
    groups = {readable(color or ""): entries(hues, "color")}
    legend(grid[0, -1], groups | {"Ring": entries({"least gap": "o"}, "marker", **RING)})
    return figure


def _panel(axes: Axes, points: pd.DataFrame, measure: str, color: str | None, hues: dict) -> None:
    """The gap of single networks against one of their measures."""
    axes.set_xlabel(f"{readable(measure)}{PANELS[measure]}")
    if points.empty:
        axes.text(0.5, 0.5, "no fitted network has it", **CENTER, transform=axes.transAxes)
        return
    shades = [style_of(hues, value, QUIET) for value in points[color]] if color else QUIET
    axes.scatter(points["value"], points["generalization_gap"], c=shades, s=26, alpha=0.75)
    best = points.loc[points["generalization_gap"].idxmin()]
    axes.plot(best["value"], best["generalization_gap"], linestyle="", marker="o", **RING)
    if (points["value"] > 0).all():
        logarithmic(axes.xaxis, points["value"])
    if points["value"].min() >= 1000:
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))

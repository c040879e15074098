"""The variance over networks against what output sensitivity predicts of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from generalization.figures.gap_against_measure import title, told_apart
from generalization.figures.style import (
    QUIET,
    colors,
    entries,
    figure_of_words,
    legend,
    logarithmic,
    markers,
    style_of,
    styled,
)
from generalization.names import number, readable, values_of

PANELS = {False: "Untrained", True: "At the last step"}
AXES = {"x": "predicted", "y": "variance"}
MOST_TICKS = 6
ENDS = ("estimate", "low", "high")


@styled
def variance_against_sensitivity(
    bias_variance: pd.DataFrame,
    training: pd.DataFrame,
    *,
    color: str = "label_corruption",
    marker: str = "depth",
) -> Figure:
    """The variance of logits against K (S C + Σ), before and after training, one point an ensemble.

    Forouzesh, Salehi & Thiran 2020, slide 8. The line is where both are equal. Datasets have a row
    of panels each; both axes have the same scale in a panel.

    Args:
        bias_variance: Table of that name.
        training: Table of ``collect_training``.
        color: Hyper-parameter that colors tell apart. One that the study does not sweep over gives
            way to the first that it does.
        marker: Hyper-parameter that markers tell apart, if the study sweeps over it.

    Returns:
        The figure; words, if no ensemble has a variance and a prediction of it.
    """
    points = _points(bias_variance, training)
    if points.empty:
        return figure_of_words("No ensemble has a variance of logits and a prediction of it.")
    color, marker = told_apart(training, color, marker)
    hues = colors(values_of(training[color])) if color else {}
    shapes = markers(values_of(training[marker])) if marker else {}
    datasets = values_of(points["dataset"])

    figure = Figure(figsize=(10, 0.3 + 4.6 * len(datasets)))
    grid = figure.subplots(len(datasets), len(PANELS), squeeze=False)
    for row, dataset in zip(grid, datasets, strict=True):
        for axes, (trained, when) in zip(row, PANELS.items(), strict=True):
            here = points[(points["dataset"] == dataset) & (points["trained"] == trained)]
            name = f"{dataset}: {when.lower()}" if len(datasets) > 1 else when
            title(axes, name, _agreement(here), fontsize=11.5)
            for point in here.to_dict("records"):
                hue = style_of(hues, point.get(color), QUIET)
                _draw(axes, point, color=hue, marker=style_of(shapes, point.get(marker), "o"))
            _scale(axes, here)
        row[0].set_ylabel("Variance of logits over networks")
    groups = {
        readable(color or ""): entries(hues, "color"),
        readable(marker or ""): entries(shapes, "marker", color=QUIET),
    }
    legend(grid[0, -1], groups)
    return figure


def _points(bias_variance: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """One row per ensemble and time, with both quantities, their intervals and hyper-parameters."""
    chosen = bias_variance["output"].eq("logits") & bias_variance["quantity"].isin(AXES.values())
    rows = bias_variance[chosen].astype(dict.fromkeys(ENDS, float))
    wide = rows.pivot(index=["ensemble", "trained"], columns="quantity", values=list(ENDS))
    places = [(end, quantity) for quantity in AXES.values() for end in ENDS]
    table = wide.reindex(columns=pd.MultiIndex.from_tuples(places))
    table.columns = [f"{axis}_{end}" for axis in AXES for end in ENDS]
    there = (table[["x_estimate", "y_estimate"]] > 0).all(axis=1)
    return table[there].reset_index().merge(training.drop_duplicates("ensemble"), on="ensemble")


def _draw(axes: Axes, point: dict, *, color: object, marker: str) -> None:
    """A point with its intervals, where it has any."""
    bars = {
        f"{axis}err": np.nan_to_num([
            [max(point[f"{axis}_estimate"] - point[f"{axis}_low"], 0)],
            [max(point[f"{axis}_high"] - point[f"{axis}_estimate"], 0)],
        ])
        for axis in AXES
    }
    place = point["x_estimate"], point["y_estimate"]
    axes.errorbar(*place, **bars, color=color, marker=marker, markersize=6, elinewidth=1)


def _scale(axes: Axes, points: pd.DataFrame) -> None:
    """The same logarithmic scale on both axes, and the line where both are equal."""
    axes.set_box_aspect(1)
    axes.set_xlabel("Predicted, $K\\,(S\\,C + Σ)$")
    if points.empty:
        return
    ends = points.filter(regex="^[xy]_").stack()
    limits = ends[ends > 0].min() / 1.5, ends.max() * 1.5
    for axis in (axes.xaxis, axes.yaxis):
        logarithmic(axis, pd.Series(limits))
        if limits[1] / limits[0] > 1e4:  # Networks may be many powers of ten apart.
            axis.set_major_locator(LogLocator(numticks=MOST_TICKS))
    axes.set(xlim=limits, ylim=limits)
    axes.plot(limits, limits, color=QUIET, linewidth=1, zorder=0)


def _agreement(points: pd.DataFrame) -> list[str]:
    """The ratio of both in words."""
    if points.empty:
        return ["no ensemble has both"]
    ratios = points["y_estimate"] / points["x_estimate"]
    lowest, middle, highest = map(number, (ratios.min(), ratios.median(), ratios.max()))
    return [
        f"Variance / predicted: median {middle}",
        f"from {lowest} to {highest}, {len(points)} ensembles",
    ]

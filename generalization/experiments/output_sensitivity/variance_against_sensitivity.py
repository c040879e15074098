"""The variance over networks against what output sensitivity predicts of it."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from generalization.figures.facets import Facet
from generalization.figures.looks import told_apart
from generalization.figures.marks import bars
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import QUIET, figure_of_words, logarithmic, styled
from generalization.names import number

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

    Returns:
        The figure; words, if no ensemble has a variance and a prediction of it.
    """
    points = _points(bias_variance, training)
    if points.empty:
        return figure_of_words("No ensemble has a variance of logits and a prediction of it.")
    hues, shapes = told_apart(training, color, marker)
    datasets = Facet.of(points, "dataset")

    def draw(panel: Panel) -> None:
        for point in panel.table.to_dict("records"):
            _draw(panel.axes, point, color=hues.of(point), marker=shapes.of(point))
        _scale(panel.axes, panel.table)

    def heading(panel: Panel) -> str:
        when = panel.column_name
        return f"{panel.row}: {when.lower()}" if len(datasets.values) > 1 else when

    return SmallMultiples(
        rows=datasets,
        columns=Facet(("trained",), tuple(PANELS), tuple(PANELS.values())),
        size=(5, 4.6),
        margin=(0, 0.3),
        heading=heading,
        below=lambda panel: _agreement(panel.table),
        x=lambda _: "Predicted, $K\\,(S\\,C + Σ)$",
        y="Variance of logits over networks",
        legend=hues.legend() | shapes.legend(color=QUIET),
    ).draw(points, draw)


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
    reach = {f"{axis}err": bars(*(point[f"{axis}_{end}"] for end in ENDS)) for axis in AXES}
    place = point["x_estimate"], point["y_estimate"]
    axes.errorbar(*place, **reach, color=color, marker=marker, markersize=6, elinewidth=1)


def _scale(axes: Axes, points: pd.DataFrame) -> None:
    """The same logarithmic scale on both axes, and the line where both are equal."""
    axes.set_box_aspect(1)
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

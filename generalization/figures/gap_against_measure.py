"""The generalization gap of ensembles against one of their measures."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

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
from generalization.names import interval, readable, values_of, within
from generalization.statistics.selection import has_fitted, selected
from generalization.tables import swept_hyperparameters


@styled
def gap_against_measure(
    measures: pd.DataFrame,
    statistics: pd.DataFrame,
    measure: str,
    *,
    color: str = "label_corruption",
    marker: str = "depth",
    fitted_accuracy: float = 0.999,
) -> Figure:
    """One point per ensemble, its mean over seeds, with bars of ± one standard error of the mean.

    As Novak et al. 2018, Fig. 5 and §A.5.1, but that ensembles of which not all networks have
    fitted are drawn too, hollow. The axis is logarithmic where all values are positive.

    Args:
        measures: Table of ``collect_measures``.
        statistics: Table of ``fit_statistics``, for Spearman's correlation.
        measure: Which measure.
        color: Hyper-parameter that colors tell apart. One that the study does not sweep over gives
            way to the first that it does.
        marker: Hyper-parameter that markers tell apart, if the study sweeps over it.
        fitted_accuracy: Train accuracy from which on a network counts as fitted.

    Returns:
        The figure; words, if no network has the measure and a gap.
    """
    networks = selected(measures, measure, "all", fitted_accuracy=fitted_accuracy)
    if networks.empty:
        return figure_of_words(f"{readable(measure)}: no network has a finite value.")
    color, marker = _told_apart(measures, color, marker)
    hues = colors(values_of(measures[color])) if color else {}
    shapes = markers(values_of(measures[marker])) if marker else {}
    points = _points(networks, fitted_accuracy)

    figure = Figure(figsize=(8, 5))
    axes = figure.add_subplot()
    for point in points.to_dict("records"):
        hue = style_of(hues, point.get(color), QUIET)
        _draw(axes, point, color=hue, marker=style_of(shapes, point.get(marker), "o"))
    if (networks["value"] > 0).all():
        logarithmic(axes.xaxis, points["x_mean"])
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set(xlabel=readable(measure), ylabel="Generalization gap (train − test accuracy)")
    relation = _relation(statistics, measure)
    axes.set_title(f"Gap against {within(measure)}", pad=10 + 14 * len(relation))
    axes.annotate(
        "\n".join(relation), (0, 1), (0, 6), "axes fraction", "offset points", fontsize=10.5
    )
    hollow = {} if points["fitted"].all() else {"all": QUIET, "not all": "white"}
    legend(
        axes,
        {
            readable(color or ""): entries(hues, "color"),
            readable(marker or ""): entries(shapes, "marker", color=QUIET),
            "Seeds fitted": entries(hollow, "markerfacecolor", color=QUIET),
        },
    )
    return figure


def _told_apart(measures: pd.DataFrame, color: str, marker: str) -> tuple[str | None, str | None]:
    """The hyper-parameters for colors and for markers, as far as the study sweeps."""
    swept = swept_hyperparameters(measures)
    marker = marker if marker in swept and marker != color else None
    color = color if color in swept else next((key for key in swept if key != marker), None)
    return color, marker


def _points(networks: pd.DataFrame, fitted_accuracy: float) -> pd.DataFrame:
    """One row per ensemble, with its hyper-parameters."""
    networks = networks.assign(fitted=has_fitted(networks, fitted_accuracy=fitted_accuracy))
    ensembles = networks.groupby("ensemble", sort=False)
    return networks.drop_duplicates("ensemble").assign(
        fitted=ensembles["fitted"].transform("all"),
        **{
            f"{axis}_{name}": ensembles[column].transform(name)
            for axis, column in {"x": "value", "y": "generalization_gap"}.items()
            for name in ("mean", "sem")
        },
    )


def _draw(axes: Axes, point: dict, *, color, marker: str) -> None:
    axes.errorbar(
        point["x_mean"],
        point["y_mean"],
        # One seed has no standard error.
        xerr=np.nan_to_num(point["x_sem"]),
        yerr=np.nan_to_num(point["y_sem"]),
        color=color,
        marker=marker,
        markersize=7,
        markeredgewidth=1.4,
        markerfacecolor=color if point["fitted"] else "white",
        elinewidth=1.2,
    )


def _relation(statistics: pd.DataFrame, measure: str) -> list[str]:
    """Spearman's correlation of each selection, one line each."""
    rows = statistics[(statistics["measure"] == measure) & (statistics["statistic"] == "spearman")]
    return [
        f"{row['selection'].capitalize()}: {_correlation(row)}; {row['networks']} networks "
        f"of {row['ensembles']} ensembles"
        for row in rows.to_dict("records")
    ]


def _correlation(row: dict) -> str:
    if pd.isna(row["estimate"]):
        return row["note"]
    shown = interval(row["estimate"], row["low"], row["high"])
    return f"Spearman ρ {shown}, {row['level'] * 100:g} % interval"

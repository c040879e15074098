"""The generalization gap of ensembles against one of their measures, dataset by dataset."""

from __future__ import annotations

from collections.abc import Sequence

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
    panels_of,
    style_of,
    styled,
)
from generalization.names import interval, readable, values_of, within
from generalization.statistics.selection import has_fitted, selected
from generalization.tables import swept_hyperparameters

COLUMNS = 2


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
    fitted are drawn too, hollow. Datasets have a panel each and share the scale of the gap. The
    axis is logarithmic where all values are positive.

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
    color, marker = told_apart(measures, color, marker)
    hues = colors(values_of(measures[color])) if color else {}
    shapes = markers(values_of(measures[marker])) if marker else {}
    points = _points(networks, fitted_accuracy)
    datasets = measures["dataset"].unique()

    figure, panels = _panels(len(datasets))
    for axes, dataset in zip(panels, datasets, strict=True):
        of_dataset = points[points["dataset"] == dataset]
        for point in of_dataset.to_dict("records"):
            hue = style_of(hues, point.get(color), QUIET)
            _draw(axes, point, color=hue, marker=style_of(shapes, point.get(marker), "o"))
        if len(of_dataset) and (networks["value"] > 0).all():
            logarithmic(axes.xaxis, of_dataset["x_mean"])
        axes.set_xlabel(readable(measure))
    if len(datasets) == 1:
        title(panels[0], f"Gap against {within(measure)}", _relation(statistics, measure))
    else:
        heading = f"Gap against {within(measure)}: {correlations_in_words(statistics)}"
        figure.suptitle(heading, x=0.01, ha="left", weight="bold", fontsize=13)
        for axes, dataset in zip(panels, datasets, strict=True):
            title(axes, dataset, correlations_of(statistics, measure, dataset), fontsize=11.5)
    hollow = {} if points["fitted"].all() else {"all": QUIET, "not all": "white"}
    legend(
        panels[min(len(panels), COLUMNS) - 1],
        {
            readable(color or ""): entries(hues, "color"),
            readable(marker or ""): entries(shapes, "marker", color=QUIET),
            "Seeds fitted": entries(hollow, "markerfacecolor", color=QUIET),
        },
    )
    return figure


def told_apart(measures: pd.DataFrame, color: str, marker: str) -> tuple[str | None, str | None]:
    """The hyper-parameters for colors and for markers, as far as the study sweeps."""
    # Datasets have panels of their own.
    swept = [key for key in swept_hyperparameters(measures) if key != "dataset"]
    marker = marker if marker in swept and marker != color else None
    color = color if color in swept else next((key for key in swept if key != marker), None)
    return color, marker


def title(axes: Axes, words: str, lines: Sequence[str], **font: object) -> None:
    """A heading over a panel, and under it lines that are not bold."""
    axes.set_title(words, pad=10 + 14 * len(lines), **font)
    axes.annotate("\n".join(lines), (0, 1), (0, 6), "axes fraction", "offset points", fontsize=10.5)


def correlations_of(statistics: pd.DataFrame, measure: str, dataset: str) -> list[str]:
    """Spearman's correlation of each selection in few words, one line each.

    Args:
        statistics: Table of ``fit_statistics``.
        measure: Which measure.
        dataset: Which block of the table: a dataset, or ``all``.
    """
    return [
        f"{row['selection'].capitalize()}: "
        + (row["note"] if pd.isna(row["estimate"]) else f"ρ {_estimate(row)}")
        + f", {row['networks']} networks"
        for row in _ranks(statistics, measure, dataset)
    ]


def correlations_in_words(statistics: pd.DataFrame) -> str:
    """What ``correlations_of`` says, for a heading."""
    return f"Spearman's ρ with {statistics['level'].iloc[0] * 100:g} % intervals"


def _panels(number: int) -> tuple[Figure, list[Axes]]:
    """One panel for each dataset, with one scale of the gap."""
    rows = -(-number // COLUMNS)
    figure = Figure(figsize=(8, 5) if number == 1 else (10, 0.4 + 4.3 * rows))
    grid, panels = panels_of(figure, number, COLUMNS, sharey=True)
    for axes in grid[:, 0]:
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.set_ylabel("Generalization gap (train − test accuracy)")
    return figure, panels


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
    return [
        f"{row['selection'].capitalize()}: {_correlation(row)}; {row['networks']} networks "
        f"of {row['ensembles']} ensembles"
        for row in _ranks(statistics, measure, "all")
    ]


def _ranks(statistics: pd.DataFrame, measure: str, dataset: str) -> list[dict]:
    wanted = {"measure": measure, "dataset": dataset, "statistic": "spearman"}
    return statistics[(statistics[[*wanted]] == [*wanted.values()]).all(axis=1)].to_dict("records")


def _correlation(row: dict) -> str:
    if pd.isna(row["estimate"]):
        return row["note"]
    return f"Spearman ρ {_estimate(row)}, {row['level'] * 100:g} % interval"


def _estimate(row: dict) -> str:
    return interval(row["estimate"], row["low"], row["high"])

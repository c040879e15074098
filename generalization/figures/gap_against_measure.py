"""The generalization gap of ensembles against one of their measures, dataset by dataset.

Args:
    measure: Name of the measure.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generalization.figures.facets import Facet
from generalization.figures.looks import ensemble_legend, told_apart
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import (
    figure_of_words,
    headline,
    logarithmic,
    logarithmic_from_zero,
    spans_decades,
    styled,
)
from generalization.names import interval, readable, within
from generalization.statistics.selection import has_fitted, selected

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
    axis is logarithmic where all values are positive, and where none is negative and the positive
    ones span more than three decades; then a stretch at its left begins at 0.

    Returns:
        The figure; words, if no network has the measure and a gap.
    """
    networks = selected(measures, measure, "all", fitted_accuracy=fitted_accuracy)
    if networks.empty:
        return figure_of_words(f"{readable(measure)}: no network has a finite value.")
    hues, shapes = told_apart(measures, color, marker)
    points = _points(networks, fitted_accuracy)
    datasets = measures["dataset"].unique()
    single = len(datasets) == 1

    def draw(panel: Panel) -> None:
        for point in panel.table.to_dict("records"):
            _draw(panel.axes, point, color=hues.of(point), marker=shapes.of(point))
        if len(panel.table) and (networks["value"] > 0).all():
            logarithmic(panel.axes.xaxis, panel.table["x_mean"])
        elif len(panel.table) and spans_decades(networks["value"]):
            logarithmic_from_zero(panel.axes.xaxis, panel.table["x_mean"])

    def below(panel: Panel) -> list[str]:
        if single:
            return _relation(statistics, measure)
        return correlations_of(statistics, measure, panel.column)

    name = f"Gap against {within(measure)}"
    figure = SmallMultiples(
        columns=Facet(("dataset",), tuple(datasets), (name,) if single else tuple(datasets)),
        wrap=COLUMNS,
        size=(8, 5) if single else (5, 4.3),
        margin=(0, 0) if single else (0, 0.4),
        grid={"sharey": True},
        below=below,
        heading_size=13 if single else 11.5,
        percent=True,
        x=lambda _: readable(measure) + _how_found(networks),
        y="Generalization gap (train − test accuracy)",
        legend=ensemble_legend((hues, shapes), points["fitted"]),
    ).draw(points, draw)
    if not single:
        headline(figure, f"{name}: {correlations_in_words(statistics)}", fontsize=13)
    return figure


def correlations_of(statistics: pd.DataFrame, measure: str, dataset: str) -> list[str]:
    """Spearman's correlation of each selection in few words, one line each.

    Args:
        dataset: Block of the table: a dataset, or ``all``.
    """
    return [
        f"{row['selection'].capitalize()}: "
        + (row["note"] if pd.isna(row["estimate"]) else f"ρ {_estimate(row)}")
        + f", {row['networks']} networks"
        for row in _ranks(statistics, measure, dataset)
    ]


def correlations_in_words(statistics: pd.DataFrame) -> str:
    """Correlations of ``correlations_of`` in words, for a heading."""
    return f"Spearman's ρ with {statistics['level'].iloc[0] * 100:g} % intervals"


def _how_found(networks: pd.DataFrame) -> str:
    """Say of values that are not exact how they were found, in parentheses."""
    methods = [one for one in networks["method"].dropna().unique() if one != "exact"]
    return f" ({', '.join(sorted(methods))})" if methods else ""


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

"""The generalization gap against the capacity of networks, and against how well they fit."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from generalization.figures.facets import Facet
from generalization.figures.gap_against_measure import correlations_in_words, correlations_of
from generalization.figures.legends import entries
from generalization.figures.looks import Looks, told_apart
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import QUIET, figure_of_words, headline, logarithmic, styled
from generalization.names import readable, within
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

    Returns:
        The figure, datasets in rows; words, if no network has fitted or neither was measured.
    """
    networks = pd.concat([
        selected(measures, measure, "fitted", fitted_accuracy=fitted_accuracy) for measure in PANELS
    ])
    if networks.empty:
        return figure_of_words("No fitted network has a number of parameters or a training loss.")
    hues, _ = told_apart(measures, color)
    datasets = tuple(measures["dataset"].unique())
    several = len(datasets) > 1
    of_fitted = statistics[statistics["selection"] == "fitted"]

    def heading(panel: Panel) -> str:
        name = f"{panel.row}: {within(panel.column)}"
        return name if several else readable(panel.column)

    def below(panel: Panel) -> list[str]:
        return correlations_of(of_fitted, panel.column, panel.row if several else "all")

    rings = entries({"least gap": "o"}, "marker", **RING)
    figure = SmallMultiples(
        rows=Facet(("dataset",), datasets, datasets),
        columns=Facet(("measure",), tuple(PANELS), tuple(PANELS.values())),
        size=(5, 4.1),
        margin=(0, 0.4),
        grid={"sharey": "row"},
        heading=heading,
        below=below,
        percent=True,
        x=lambda panel: f"{readable(panel.column)}{panel.column_name}",
        y="Generalization gap (train − test accuracy)",
        legend=hues.legend() | {"Ring": rings},
    ).draw(networks, lambda panel: _draw(panel.axes, panel.table, hues))
    words = f"Gap of networks that fitted: {correlations_in_words(statistics)}"
    headline(figure, words, fontsize=13)
    return figure


def _draw(axes: Axes, points: pd.DataFrame, hues: Looks) -> None:
    """Draw the gap of single networks against one of their measures."""
    if points.empty:
        axes.text(0.5, 0.5, "no fitted network has it", **CENTER, transform=axes.transAxes)
        return
    shades = [hues.of(point) for point in points.to_dict("records")]
    axes.scatter(points["value"], points["generalization_gap"], c=shades, s=26, alpha=0.75)
    best = points.sort_values("generalization_gap", kind="stable").iloc[0]
    axes.plot(best["value"], best["generalization_gap"], linestyle="", marker="o", **RING)
    if (points["value"] > 0).all():
        logarithmic(axes.xaxis, points["value"])
    if points["value"].min() >= 1000:
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))

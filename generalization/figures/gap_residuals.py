"""The gap against the leading measures, once the design is taken out of both."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generalization.figures.small_multiples import Facet, Panel, SmallMultiples
from generalization.figures.style import FITTED, QUIET, figure_of_reasons, headline, styled
from generalization.names import interval, readable
from generalization.statistics.design import residuals
from generalization.statistics.league_rows import league_rows
from generalization.statistics.model_statistics import standard_ranks
from generalization.statistics.population import Population, population

LEADING = 6  # ASSUME: so many measures, three in a row, are read at a glance.
GIVEN = "spearman_given_design"
POINTS = {"s": 30, "alpha": 0.8, "color": FITTED, "linewidths": 0}
ZERO = {"color": QUIET, "linewidth": 0.8, "zorder": 0}
LINE = {"color": "black", "linewidth": 1.4}


@styled
def gap_residuals(
    measures: pd.DataFrame,
    statistics: pd.DataFrame,
    *,
    fitted_accuracy: float = 0.999,
) -> Figure:
    """One point per ensemble of fitted networks: residuals given the levels of all swept factors.

    The candidates with the largest absolute partial rank correlation have a panel each. The line
    is that of least squares, whose slope is the one of the measure in a regression of ensemble
    means on design and measure (Frisch & Waugh 1933). A bend, a single ensemble that makes the
    slope, or a spread that grows to one side shows here and in no rank correlation.

    Returns:
        The figure; words, if no measure has a residual.
    """
    given = _candidates(statistics, GIVEN, measures)
    candidates = given.dropna(subset="estimate")
    if candidates.empty:
        rows = given if len(given) else _candidates(statistics, "spearman", measures)
        return figure_of_reasons("partial correlation", rows["note"])
    order = candidates["estimate"].abs().sort_values(ascending=False, kind="stable")
    leading = tuple(order.index[:LEADING])
    some = population(
        measures,
        "fitted",
        generator=np.random.default_rng(0),
        fitted_accuracy=fitted_accuracy,
    )

    def below(panel: Panel) -> list[str]:
        row = candidates.loc[panel.column]
        told = interval(row["estimate"], row["low"], row["high"])
        return [f"partial rank correlation {told}", f"{row['ensembles']} ensembles"]

    figure = SmallMultiples(
        columns=Facet(("measure",), leading, tuple(map(readable, leading))),
        wrap=3,
        size=(4.6, 3.9),
        margin=(0, 0.4),
        grid={"sharey": True},
        below=below,
        x=lambda _: "Rank of the measure, residual (SD)",
        y="Gap, residual (percentage points)",
    ).draw(
        pd.concat([_points(some, measure) for measure in leading]),
        lambda panel: _draw(panel.axes, panel.table),
    )
    headline(figure, _heading(len(leading)), fontsize=13)
    return figure


def _candidates(statistics: pd.DataFrame, statistic: str, measures: pd.DataFrame) -> pd.DataFrame:
    """Rows of candidates that have values of networks, of which points can be means."""
    rows = league_rows(statistics, statistic)
    return rows[(rows["kind"] == "candidate") & rows.index.isin(measures["measure"])]


def _heading(measures: int) -> str:
    """Say what is shown, in two lines over a single panel."""
    if measures == 1:
        return "What the design leaves of the gap\nand of the leading measure"
    return f"What the design leaves of the gap and of the {measures} leading measures"


def _points(some: Population, measure: str) -> pd.DataFrame:
    """Residuals of the ensembles that have a measure."""
    values = some.values[some.measures.index(measure)]
    there = ~np.isnan(values) & ~np.isnan(some.gap)
    ranks = np.full(values.shape, np.nan)
    ranks[there] = standard_ranks(values[there])
    kept = there.any(1)
    means = np.stack([
        np.nanmean(np.where(there, one, np.nan)[kept], axis=1) for one in (ranks, some.gap)
    ])
    x, y = residuals(means, some.design[kept])
    return pd.DataFrame({"measure": measure, "x": x, "y": 100 * y})


def _draw(axes: Axes, points: pd.DataFrame) -> None:
    """Draw the points and their least-squares line, which passes through the origin."""
    axes.axhline(0, **ZERO)
    axes.axvline(0, **ZERO)
    axes.scatter(points["x"], points["y"], **POINTS)
    slope = (points["x"] @ points["y"]) / np.square(points["x"]).sum()
    ends = np.array([points["x"].min(), points["x"].max()])
    axes.plot(ends, slope * ends, **LINE)

"""League of measures: correlation with the gap, pooled, and where the design is held fixed."""

from __future__ import annotations

from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generalization.figures.league_panels import (
    CEILING,
    POOLED,
    draw_ceiling,
    draw_partial,
    draw_primary,
    draw_reversal,
    draw_sign_errors,
)
from generalization.figures.legends import labelled
from generalization.figures.style import ALL, FITTED, QUIET, figure_of_reasons, headline, styled
from generalization.names import interval, number, readable, within
from generalization.statistics.league_rows import (
    companion,
    league_rows,
    primary_statistic,
    stratum,
)

ROW = 0.36  # Height in inches.
BESIDE = "spearman_given_design"


@styled
def measure_league(statistics: pd.DataFrame, *, primary: str = "spearman_within") -> Figure:
    """The correlation of every measure with the gap of fitted networks, over all datasets.

    The first panel has the pooled Spearman correlation and the primary statistic, joined by an
    arrow that is orange where the sign changes and at least one of the two is shown. The second has
    the correlation given the design, the third the mean and the worst sign error. Measures are
    sorted by the absolute value of the primary statistic, those without one by the pooled
    correlation. All but candidates are grey.

    Returns:
        The figure; words, if no correlation could be estimated.
    """
    statistic = primary_statistic(statistics, primary)
    judged, pooled = league_rows(statistics, statistic), league_rows(statistics, "spearman")
    if judged["estimate"].isna().all() and pooled["estimate"].isna().all():
        return figure_of_reasons("correlation", judged["note"], pooled["note"])
    order = _order(judged, pooled)
    judged, pooled, partial, mean_error, worst_error = (
        league_rows(statistics, name).reindex(order)
        for name in (statistic, "spearman", BESIDE, "sign_error_mean", "sign_error_worst")
    )
    held, reversal = stratum(statistic), statistic != "spearman"
    words = f"within {within(held)}" if held else within(statistic) if reversal else "pooled"

    figure = Figure(figsize=(14, 2.4 + ROW * len(order)))
    panels = figure.subplots(1, 3, sharey=True, width_ratios=(4, 2, 1.3))
    if reversal:
        draw_reversal(panels[0], pooled, judged)
    draw_primary(panels[0], judged, f"pooled → {words}" if reversal else words)
    draw_ceiling(panels[0], league_rows(statistics, companion("noise_ceiling", statistic)))
    draw_partial(panels[1], partial)
    draw_sign_errors(panels[2], mean_error["estimate"], worst_error["estimate"])
    _name_rows(panels[0], judged["kind"], judged["pairs"].notna())
    _write_beside(panels[2], judged)
    _explain(figure, words, reversal=reversal)
    headline(figure, _title(judged, held), fontsize=13)
    return figure


def _order(judged: pd.DataFrame, pooled: pd.DataFrame) -> pd.Index:
    """Sort measures by the primary statistic, those without one last, by the pooled correlation."""
    strengths = pd.DataFrame({
        "judged": judged["estimate"].abs(),
        "pooled": pooled["estimate"].abs(),
    })
    return strengths.sort_values(["judged", "pooled"], ascending=False, kind="stable").index


def _explain(figure: Figure, words: str, *, reversal: bool) -> None:
    """Write the legend of the first panel, and what hollow points are, below all panels."""
    big = {"color": FITTED, "markersize": 6.5}
    looks = {f"{words}: shown": big, "not shown": big | {"markerfacecolor": "white"}}
    if reversal:
        looks |= {
            "pooled": {"color": POOLED, "markerfacecolor": "white", "markersize": 4.5},
            "sign changes": {"color": ALL, "marker": "", "linestyle": "-", "linewidth": 1.6},
        }
    looks["noise ceiling"] = {"marker": "", **CEILING}
    handles = labelled(looks, marker="o", linestyle="")
    figure.legend(handles=handles, loc="outside lower left", ncols=len(looks), handlelength=1.5)


def _name_rows(axes: Axes, kinds: pd.Series, of_ensembles: pd.Series) -> None:
    """Write the names at the left, in grey with their kind if they are no candidates.

    Args:
        kinds: Kind of every measure.
        of_ensembles: Whether each is a measure of ensembles, from pairs of networks.
    """
    others = {"baseline": "baseline", "factor": "hyper-parameter", "control": "control"}
    names = [
        readable(measure)
        + (f" ({others[kind]})" if kind in others else "")
        + (" (of the ensemble)" if of_ensembles[measure] else "")
        for measure, kind in kinds.items()
    ]
    axes.set_yticks(range(len(kinds)), names)
    axes.set_ylim(len(kinds) - 0.4, -0.75)
    for label, kind in zip(axes.get_yticklabels(), kinds, strict=True):
        label.set_color("black" if kind == "candidate" else QUIET)
    for one in axes.figure.axes:
        one.tick_params(axis="y", length=0)
        one.grid(False, axis="y")
        for place in range(0, len(kinds), 2):
            one.axhspan(place - 0.5, place + 0.5, color="#F5F6F8", linewidth=0, zorder=0)


def _write_beside(axes: Axes, rows: pd.DataFrame) -> None:
    """Write the primary statistic to the right of all panels, or why there is none."""
    for place, row in enumerate(rows.to_dict("records")):
        missing = pd.isna(row["estimate"])
        words = row["note"] if missing else interval(row["estimate"], row["low"], row["high"])
        style = {"color": QUIET if missing or row["kind"] != "candidate" else FITTED}
        where = (1, place), (10, 0), ("axes fraction", "data"), "offset points"
        lines = fill("" if pd.isna(words) else str(words), 34)
        axes.annotate(lines, *where, va="center", fontsize=10, **style)


def _title(judged: pd.DataFrame, held: str) -> str:
    """Head line with what is held fixed and on how many networks the league rests."""
    under = f", at equal {within(held)}" if held else ""
    size = f"{number(int(judged['networks'].max()))} fitted networks"
    ensembles = f"{number(int(judged['ensembles'].max()))} ensembles"
    return f"How measures rank the generalization gap{under}: up to {size} of {ensembles}"

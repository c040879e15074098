"""Pairs that differ in one setting: the worse of two values against the better."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator

from generalization.figures.legends import entries
from generalization.figures.looks import colors
from generalization.figures.style import (
    FITTED,
    QUIET,
    Percentages,
    figure_of_words,
    headline,
    logarithmic,
    styled,
    title,
)
from generalization.names import number, readable, value_name, values_of, within
from generalization.statistics.pairs import COMPARISON

SIDES = ("better", "worse")
SHARES = ("generalization_gap", "test_accuracy")
SHOWN = (
    "generalization_gap",
    "ablation_auc",
    "class_selectivity",
    "class_information",
    "jacobian_norm",
    "transitions",
    "output_sensitivity",
    "centered_output_sensitivity",
)
MOST = 4  # Columns.
WIDTH, HEIGHT, WORDS = 3.4, 4.2, 1.7  # Of a panel, one with points or with words, in inches.
LETTERS = 36  # Of a heading, above a panel.
LINE = 0.25  # Height of a further line of a heading.


@styled
def paired_ensembles(
    pairs: pd.DataFrame,
    pair_statistics: pd.DataFrame,
    *,
    quantities: Sequence[str] = SHOWN,
) -> Figure:
    """One point per pair of ensembles, as Novak et al. 2018, Fig. 4; one row per comparison.

    Bars are ± one standard error of the mean over seeds. A point above the diagonal is a pair of
    which the setting that should generalize worse has the larger value.

    Args:
        pair_statistics: Table of ``pair_statistics``.
        quantities: Quantities to show, one column each: the first four that the study has.

    Returns:
        The figure; words, if nothing was compared.
    """
    there = set(pairs["quantity"])
    shown = [quantity for quantity in quantities if quantity in there][:MOST]
    if not shown:
        return figure_of_words("No settings were compared in pairs.")
    datasets = values_of(pairs["dataset"].dropna())
    hues = colors(datasets) if len(datasets) > 1 else {}
    statistics = pair_statistics[pair_statistics["dataset"] == "all"]
    comparisons = pairs.groupby(COMPARISON, sort=False)

    headings = [
        fill(_heading(one, _of(statistics, one)), LETTERS * len(shown)) for one, _ in comparisons
    ]
    heights = [
        (HEIGHT if _there(rows).any() else WORDS) + LINE * heading.count("\n")
        for heading, (_, rows) in zip(headings, comparisons, strict=True)
    ]
    figure = Figure(figsize=(WIDTH * len(shown), sum(heights) + 0.4 * bool(hues)))
    rows = np.atleast_1d(figure.subfigures(len(heights), 1, height_ratios=heights, hspace=0.05))
    for part, heading, (comparison, compared) in zip(rows, headings, comparisons, strict=True):
        tests = _of(statistics, comparison)
        headline(part, heading, weight="normal", fontsize=11.5)
        for place, quantity in enumerate(shown):
            axes = part.add_subplot(1, len(shown), place + 1)
            points = compared[compared["quantity"] == quantity]
            _panel(axes, points, tests.loc[quantity], hues)
    if hues:
        figure.legend(handles=entries(hues, "color"), loc="outside lower left", ncols=len(hues))
    return figure


def _panel(axes: Axes, points: pd.DataFrame, test: pd.Series, hues: dict) -> None:
    """One quantity of one comparison."""
    quantity = test.name
    axes.set_box_aspect(1)
    there = points[_there(points)]
    if there.empty:
        axes.set_title(fill(readable(quantity), 20), fontsize=11.5)
        axes.set_axis_off()
        words = fill(f"No pair: {points['note'].iloc[0]}.", 30)
        axes.text(0.5, 0.5, words, ha="center", va="center", color=QUIET, fontsize=10.5)
        return
    title(axes, readable(quantity), _sign_test(test), fontsize=11.5)
    for point in there.to_dict("records"):
        axes.errorbar(
            point["value_better"],
            point["value_worse"],
            # One seed has no standard error.
            xerr=np.nan_to_num(point["error_better"]),
            yerr=np.nan_to_num(point["error_worse"]),
            color=hues.get(point["dataset"], FITTED),
            marker="o",
            markersize=5,
            elinewidth=1,
            alpha=0.75,
        )
    _equal_axes(axes, there, quantity)
    axes.axline((0.5, 0.5), (0.6, 0.6), transform=axes.transAxes, color=QUIET, linewidth=1)
    for side, label in {"better": axes.set_xlabel, "worse": axes.set_ylabel}.items():
        label(_setting(points["setting"].iloc[0], points[side].iloc[0]))


def _equal_axes(axes: Axes, points: pd.DataFrame, quantity: str) -> None:
    """The same scale, ends and ticks on both axes: logarithmic for positive measures."""
    values = pd.concat([points[f"value_{side}"] for side in SIDES])
    low, high = values.min(), values.max()
    if quantity not in SHARES and low > 0:
        margin = max((high / low) ** 0.08, 1.05)
        limits = low / margin, high * margin
        for axis in (axes.xaxis, axes.yaxis):
            logarithmic(axis, pd.Series(limits))
            # Panels are small, and have room for few ticks.
            ratio = limits[1] / limits[0]
            if ratio >= 1e4:
                axis.set_major_locator(LogLocator(numticks=5))
            else:
                axis.set_major_locator(LogLocator(subs=(1, 3)) if ratio >= 6 else MaxNLocator(4))
            if limits[1] >= 1000 and ratio < 1e4:
                axis.set_major_formatter(EngFormatter(sep=""))
    else:
        margin = max(0.08 * (high - low), 1e-3)
        limits = low - margin, high + margin
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(4))
            if quantity in SHARES:
                axis.set_major_formatter(Percentages())
    axes.set(xlim=limits, ylim=limits)


def _there(points: pd.DataFrame) -> pd.Series:
    return points[[f"value_{side}" for side in SIDES]].notna().all(axis=1)


def _sign_test(test: pd.Series) -> list[str]:
    fraction, *ends = (f"{test[key] * 100:.0f}" for key in ("estimate", "low", "high"))
    return [
        f"{fraction} % [{', '.join(ends)}] of {test['pairs']} above",
        f"p = {number(test['p_value'], digits=2)}",
    ]


def _heading(comparison: tuple, tests: pd.DataFrame) -> str:
    """Setting that is compared, with the fraction of pairs in which its better value wins."""
    setting, better, worse = comparison
    heading = f"{readable(setting)}: {value_name(worse)} against {value_name(better)}"
    accuracy = tests.loc["test_accuracy"]
    if not accuracy["pairs"]:
        return heading
    return (
        f"{heading} (test accuracy is higher with {value_name(better)} in "
        f"{accuracy['estimate'] * 100:.0f} % of {accuracy['pairs']} pairs)"
    )


def _of(statistics: pd.DataFrame, comparison: tuple) -> pd.DataFrame:
    chosen = statistics[(statistics[COMPARISON] == list(comparison)).all(axis=1)]
    return chosen.set_index("quantity")


def _setting(setting: str, value: object) -> str:
    return f"{within(setting)} = {value_name(value)}"

"""Time to fit, and test error, against the corruption of labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from generalization.experiments.random_labels.fitting_curves import (
    architecture,
    architecture_columns,
)
from generalization.figures.style import (
    CATEGORIES,
    MARKERS,
    QUIET,
    entries,
    figure_of_words,
    legend,
    styled,
)


@styled
def corruption(fitting_times: pd.DataFrame, classes: Mapping[str, int]) -> Figure:
    """As Zhang et al. 2017, Figs 1b and 1c; one line per dataset and architecture.

    Args:
        fitting_times: Table of statistics.
        classes: Dataset → number of classes.

    Returns:
        The figure; words, if labels were not corrupted.
    """
    labels = fitting_times["randomization"].isin(["none", "random_labels"])
    rows = fitting_times[labels & fitting_times["estimate"].notna()]
    if rows["label_corruption"].nunique() < 2:
        return figure_of_words("Labels were not corrupted to several degrees.")
    figure = Figure(figsize=(11, 4.4))
    times, errors = figure.subplots(1, 2)
    keys = architecture_columns(fitting_times)
    looks = {}
    for place, (about, alike) in enumerate(rows.groupby(keys, dropna=False)):
        look = {"color": CATEGORIES[place % 7], "marker": MARKERS[place % 7]}
        looks[architecture(dict(zip(keys, about, strict=True)))] = look
        _draw(times, alike[alike["statistic"] == "over_true_labels"], look, at_zero=1.0)
        _draw(errors, alike[alike["statistic"] == "test_error"], look)
    for dataset in rows["dataset"].unique():
        chance = 1 - 1 / classes[dataset]
        errors.axhline(chance, color=QUIET, linestyle="--", linewidth=1.2)
    times.set(title="Time to fit", ylabel="Relative to true labels", ylim=(0, None))
    errors.set(title="Test error", ylabel="On true labels", ylim=(0, 1))
    errors.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for axes in (times, errors):
        axes.set(xlabel="Label corruption", xlim=(-0.04, 1.04))
    lines = [
        entries({name: look["color"]}, "color", marker=look["marker"])[0]
        for name, look in looks.items()
    ]
    chance = entries({"chance": QUIET}, "color", marker="", linestyle="--")
    legend(errors, {"Networks": lines, "Error": chance})
    return figure


def _draw(
    axes: Axes, rows: pd.DataFrame, look: Mapping[str, str], at_zero: float | None = None
) -> None:
    """A line with intervals; relative to itself, what is not corrupted has a value of its own."""
    if rows.empty:
        return
    rows = rows.sort_values("label_corruption")
    points = rows[["label_corruption", "estimate", "low", "high"]].to_numpy(float)
    if at_zero is not None:
        points = np.vstack([[0, at_zero, at_zero, at_zero], points])
    corruption, estimate, low, high = points.T
    reach = np.nan_to_num([estimate - low, high - estimate])
    axes.errorbar(corruption, estimate, yerr=reach, markersize=6, capsize=3, linewidth=1.5, **look)

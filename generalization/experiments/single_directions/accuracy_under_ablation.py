"""Accuracy against the fraction of ablated units, and against noise added to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product

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
    style_of,
    styled,
)
from generalization.names import readable, setting_name, value_name, values_of
from generalization.tables import KEPT_NETWORK, NETWORK, swept_hyperparameters, with_networks

# Mode → heading and axis of its panels.
MODES = {
    "zero": ("Ablated to zero", "Ablated units"),
    "mean": ("Ablated to their mean", "Ablated units"),
    "class_mean": ("Ablated to the class mean", "Ablated units"),
    "noise": ("Noise added", "Variance of noise / of unit"),
}
# What has rows of panels of its own, if a study sweeps over it.
ROWS = ("dataset", "architecture", "normalization", "dropout")
PLACES = 101


@styled
def accuracy_under_ablation(
    ablation_curves: pd.DataFrame, training: pd.DataFrame, *, color: str = "label_corruption"
) -> Figure:
    """Training accuracy when units of all hidden layers are ablated, as Morcos et al. 2018.

    One column per kind of ablation, one row per dataset, architecture, normalization and dropout. A
    line is the mean over all networks at their last step that share these and the color, with a
    band of ± one standard error of the mean over networks. Of networks trained with dropout the
    fraction dropped is marked.

    Args:
        ablation_curves: Table of the profile of a study.
        training: Table of ``collect_training``.
        color: Hyper-parameter that colors tell apart. One that the study does not sweep over gives
            way to the first that it does.

    Returns:
        The figure; words, if no network has a curve.
    """
    rows = with_networks(ablation_curves, training)
    rows = rows[rows["final"] & (rows["layer"] == "all")]
    if rows.empty:
        return figure_of_words("No network has curves of ablation to show.")
    swept = [key for key in swept_hyperparameters(training) if key not in ROWS]
    color = color if color in swept else next(iter(swept), None)
    hues = colors(values_of(rows[color])) if color else {}
    modes = [mode for mode in MODES if mode in set(rows["mode"])]
    parts = _parts(rows)

    figure = Figure(figsize=(2.9 * len(modes) + 2, 0.8 + 2.7 * len(parts)))
    grid = figure.subplots(len(parts), len(modes), sharex="col", sharey=True, squeeze=False)
    for line, part in zip(grid, parts.values(), strict=True):
        for axes, mode in zip(line, modes, strict=True):
            _draw(axes, part[part["mode"] == mode], color, hues)
            if mode != "noise" and part["dropout"].nunique() == 1 and part["dropout"].iloc[0]:
                axes.axvline(part["dropout"].iloc[0], color=QUIET, linestyle=":", linewidth=1.2)
        line[0].set_ylabel("Training accuracy")
        line[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _headings(grid, modes, parts)
    networks = len(rows.drop_duplicates(NETWORK))
    figure.suptitle(
        f"Single directions: accuracy of {networks:,} networks while units are ablated",
        x=0.01,
        ha="left",
        weight="bold",
    )
    lines = entries(hues, "color", marker="", linestyle="-")
    legend(grid[0, -1], {readable(color or ""): lines})
    return figure


def _parts(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Heading → rows of each line of panels."""
    keys = [key for key in ROWS if rows[key].nunique() > 1]
    if not keys:
        return {"": rows}
    there = product(*(values_of(rows[key]) for key in keys))
    parts = {
        ", ".join(setting_name(key, value) for key, value in zip(keys, values, strict=True)): rows[
            (rows[keys] == list(values)).all(axis=1)
        ]
        for values in there
    }
    return {name: part for name, part in parts.items() if len(part)}


def _draw(axes: Axes, rows: pd.DataFrame, color: str | None, hues: Mapping) -> None:
    """The lines of a panel, one per color."""
    parts = (
        {value: _having(rows, color, value) for value in values_of(rows[color])} if color else {}
    )
    for value, alike in (parts or {None: rows}).items():
        amounts, accuracies = _interpolated(alike)
        mean, hue = accuracies.mean(0), style_of(hues, value, QUIET)
        axes.plot(amounts, mean, color=hue, linewidth=1.6, label=value_name(value))
        if len(accuracies) > 1:
            error = accuracies.std(0, ddof=1) / np.sqrt(len(accuracies))
            axes.fill_between(
                amounts, mean - error, mean + error, color=hue, alpha=0.25, linewidth=0
            )


def _having(rows: pd.DataFrame, key: str, value: object) -> pd.DataFrame:
    return rows[rows[key].isna() if value is None else rows[key] == value]


def _interpolated(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Amounts, and the accuracy of every network there: networks of other sizes have others."""
    amounts = np.linspace(0, rows["amount"].max(), PLACES)
    networks = [curve.sort_values("amount") for _, curve in rows.groupby(KEPT_NETWORK)]
    accuracies = [np.interp(amounts, one["amount"], one["accuracy"]) for one in networks]
    return amounts, np.array(accuracies)


def _headings(grid: np.ndarray, modes: list[str], parts: Iterable[str]) -> None:
    """Kinds of ablation above the panels, what a row shows above its first, amounts below."""
    for column, mode in zip(grid.T, modes, strict=True):
        heading, amount = MODES[mode]
        for axes in column:
            axes.set_title(heading, fontsize=11.5)
        column[-1].set_xlabel(amount)
        column[-1].set_ylim(0, 1.03)
        if mode != "noise":
            column[-1].xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for axes, part in zip(grid[:, 0], parts, strict=True):
        if part:
            axes.set_title(f"{part}\n{axes.get_title('left')}", fontsize=11.5)

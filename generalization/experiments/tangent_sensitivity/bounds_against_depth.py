"""The tangent sensitivity and its bounds against depth."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from generalization.figures.style import entries, figure_of_words, legend, styled
from generalization.names import value_name, values_of
from generalization.tables import KEPT_NETWORK, NETWORK, with_networks

# What is drawn, by its name in the table, as it lies from top to bottom. What the author computes
# in place of theorem 3.2 is of another order, and is left to the table.
LINES = {
    "theorem_3_1": ("Theorem 3.1", {"color": "#D55E00"}),
    # Wide, so that the active paths can be seen on it: they are often almost the same.
    "theorem_3_2": ("Theorem 3.2", {"color": "#E69F00", "linewidth": 4, "alpha": 0.7}),
    "active_paths": ("Active paths", {"color": "#009E73"}),
    "layerwise": ("Layer by layer, all units", {"color": "#56B4E9"}),
    "layerwise_active": ("Layer by layer, active units", {"color": "#0072B2"}),
    "exact": ("Value", {"color": "#000000"}),
}
MARK = {"marker": "o", "markersize": 4, "linewidth": 1.5}
TIMES = {"at the last step": "-", "untrained": "--"}
# Widths and scales of initial weights that have panels, spread over all that there are.
MOST_WIDTHS, MOST_SCALES = 3, 3


@styled
def bounds_against_depth(tangent_bounds: pd.DataFrame, training: pd.DataFrame) -> Figure:
    """The mean tangent sensitivity and its bounds against depth, as Daróczy 2020, Fig. 2.

    One panel per width, one row of panels per dataset and scale of initial weights. A line is the
    mean of logarithms over all networks that share them, with a band of ± one standard error over
    networks at their last step.

    Args:
        tangent_bounds: Table of the profile of a study.
        training: Table of ``collect_training``.

    Returns:
        The figure; words, if no network has a value and bounds at step 0 or at its last step.
    """
    rows = _powers_of_ten(tangent_bounds, training)
    if rows.empty:
        return figure_of_words("No network has a tangent sensitivity and bounds of it to show.")
    widths = _spread(values_of(rows["width"]), MOST_WIDTHS)
    scales = _spread(values_of(rows["init_scale"]), MOST_SCALES)
    lines = [pair for pair in product(values_of(rows["dataset"]), scales) if len(_of(rows, *pair))]

    figure = Figure(figsize=(3.4 + max(2.7 * len(widths), 4), 0.9 + 3.1 * len(lines)))
    grid = figure.subplots(len(lines), len(widths), sharex=True, sharey="row", squeeze=False)
    for line, (dataset, scale) in zip(grid, lines, strict=True):
        for axes, width in zip(line, widths, strict=True):
            networks = _of(rows, dataset, scale)
            _draw(axes, networks[networks["width"] == width])
            axes.set_title(f"Width {value_name(width)}", fontsize=11.5)
        heading = f"{dataset}, init scale {value_name(scale)}" if len(scales) > 1 else dataset
        line[0].set_title(f"{heading}\nWidth {value_name(widths[0])}", fontsize=11.5)
        line[0].set_ylabel("Tangent sensitivity ‖∂²f/∂θ∂x‖$_F$")
        line[0].yaxis.set_major_locator(MaxNLocator(6, integer=True))
        line[0].yaxis.set_major_formatter(FuncFormatter(lambda power, _: f"$10^{{{power:g}}}$"))
    for axes in grid[-1]:
        axes.set_xlabel("Depth (weight layers)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    shown = rows[rows["width"].isin(widths) & rows["init_scale"].isin(scales)]
    networks = len(shown.drop_duplicates(NETWORK))
    figure.suptitle(
        f"Tangent sensitivity and its bounds: means over {networks:,} networks",
        x=0.01,
        ha="left",
        weight="bold",
    )
    drawn = [Line2D([], [], label=name, **MARK | look) for name, look in LINES.values()]
    times = {time: style for time, style in TIMES.items() if time in set(rows["time"])}
    shades = entries(times, "linestyle", marker="", color="#000000")
    legend(grid[0, -1], {"Sensitivity": drawn, "Networks": shades})
    return figure


def _powers_of_ten(tangent_bounds: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Values and bounds of untrained networks and of networks at their last step, as ``power``."""
    rows = with_networks(tangent_bounds, training)
    rows = rows.astype({"log_bound": float, "log_exact": float})  # A table without rows has none.
    before = rows["step"] == 0
    rows = rows.assign(time=np.where(before, "untrained", "at the last step"))
    rows = rows[before | rows["final"]]
    exact = rows.drop_duplicates(KEPT_NETWORK)
    rows = pd.concat([exact.assign(bound="exact", log_bound=exact["log_exact"]), rows])
    rows = rows.assign(power=rows["log_bound"] / np.log(10))
    return rows[np.isfinite(rows["power"]) & np.isfinite(rows["log_exact"])]


def _spread(values: list, most: int) -> list:
    """At most so many of the values, the first and the last among them."""
    places = np.linspace(0, len(values) - 1, min(most, len(values)))
    return [values[place] for place in places.round().astype(int)]


def _of(rows: pd.DataFrame, dataset: str, scale: float) -> pd.DataFrame:
    """The networks of a row of panels."""
    return rows[(rows["dataset"] == dataset) & (rows["init_scale"] == scale)]


def _draw(axes: Axes, networks: pd.DataFrame) -> None:
    """The lines of a panel, one per bound and time."""
    for bound, (_, look) in LINES.items():
        for time, style in TIMES.items():
            alike = networks[(networks["bound"] == bound) & (networks["time"] == time)]
            depths = alike.groupby("depth")["power"].agg(["mean", "sem"])
            axes.plot(depths.index, depths["mean"], linestyle=style, label=bound, **MARK | look)
            if time == "at the last step":
                error = depths["sem"].fillna(0)  # One network has none.
                low, high = depths["mean"] - error, depths["mean"] + error
                band = {"color": look["color"], "alpha": 0.2, "linewidth": 0}
                axes.fill_between(depths.index, low, high, **band)

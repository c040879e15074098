"""The tangent sensitivity and its bounds against depth."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from generalization.figures.facets import Facet
from generalization.figures.legends import entries, labelled
from generalization.figures.marks import mean_line
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import figure_of_words, styled
from generalization.names import value_name, values_of
from generalization.tables import KEPT_NETWORK, with_networks

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

    Returns:
        The figure; words, if no network has a value and bounds at step 0 or at its last step.
    """
    rows = _powers_of_ten(tangent_bounds, training)
    if rows.empty:
        return figure_of_words("No network has a tangent sensitivity and bounds of it to show.")
    widths = _spread(values_of(rows["width"]), MOST_WIDTHS)
    scales = _spread(values_of(rows["init_scale"]), MOST_SCALES)
    times = {time: style for time, style in TIMES.items() if time in set(rows["time"])}
    drawn = labelled({name: MARK | look for name, look in LINES.values()})
    shades = entries(times, "linestyle", marker="", color="#000000")
    return SmallMultiples(
        rows=Facet.of(
            rows,
            *("dataset", "init_scale"),
            order=[*product(values_of(rows["dataset"]), scales)],
            name=None if len(scales) > 1 else lambda dataset, _: dataset,
            noun="scales of initial weights, by dataset,",
        ),
        columns=Facet.of(
            rows,
            "width",
            order=widths,
            name=lambda width: f"Width {value_name(width)}",
            noun="widths",
        ),
        size=(2.7, 3.1),
        margin=(3.4, 0.9),
        fewest=4 / 2.7,
        grid={"sharex": True, "sharey": "row"},
        x="Depth (weight layers)",
        y="Tangent sensitivity ‖∂²f/∂θ∂x‖$_F$",
        headline="Tangent sensitivity and its bounds: means over {networks}",
        legend={"Sensitivity": drawn, "Networks": shades},
    ).draw(rows, _draw)


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


def _draw(panel: Panel) -> None:
    """Draw one line per bound and time, with a band of networks at their last step."""
    rows, axes = panel.table, panel.axes
    for bound, (_, look) in LINES.items():
        for time, style in TIMES.items():
            alike = rows[(rows["bound"] == bound) & (rows["time"] == time)]
            means = alike.groupby("depth")["power"].agg(["mean", "sem"])
            line = MARK | look | {"linestyle": style, "label": bound}
            mean_line(axes, means, band=time == "at the last step", **line)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda power, _: f"$10^{{{power:g}}}$"))

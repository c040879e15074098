"""How networks fit true labels, random labels and random images."""

from __future__ import annotations

from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from generalization.experiments.random_labels.fitting_times import OF_DATA
from generalization.figures.style import CATEGORIES, figure_of_words, legend, styled
from generalization.figures.training_curves import mean_over_seeds
from generalization.names import readable, value_name
from generalization.tables import NETWORK

# As the paper calls them, in its order.
KINDS = {
    "none": "true labels",
    "random_labels": "random labels",
    "shuffled_pixels": "shuffled pixels",
    "random_pixels": "random pixels",
    "gaussian": "Gaussian",
}
HUES = dict(zip(KINDS, CATEGORIES, strict=False))
# What hides another: permuted pixels are fitted as those in their order are.
DASHED = ("shuffled_pixels", "gaussian")
COLUMNS = 3
LETTERS = 34  # Of the name of a panel, in a line.


@styled
def fitting_curves(training: pd.DataFrame, fitting_times: pd.DataFrame) -> Figure:
    """Training loss against the step for each kind of data, as Zhang et al. 2017, Fig. 1a.

    One panel per dataset and architecture, one line per kind, the mean over seeds; a point where
    the networks have fitted, with its interval.

    Args:
        training: Table of ``collect_training``.
        fitting_times: Table of statistics.

    Returns:
        The figure; words, if no network was trained on such data.
    """
    corruption = training["label_corruption"].where(training["randomization"] == "none", 0)
    rows = training[(corruption == 0) & training["randomization"].isin(KINDS)]
    if rows.empty or not rows["step"].any():
        return figure_of_words("No network was trained on uncorrupted data: no course to show.")
    keys = architecture_columns(fitting_times)
    panels = list(rows.groupby(keys, dropna=False))
    columns = min(COLUMNS, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(2.4 + 4 * columns, 0.7 + 3.6 * lines))
    grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for axes, (about, of_panel) in zip(grid.flat, panels, strict=False):
        times = fitting_times[(fitting_times[keys] == list(about)).all(axis=1)]
        _draw(axes, of_panel, times[times["statistic"] == "fitting_step"])
        name = architecture(dict(zip(keys, about, strict=True)))
        axes.set_title(fill(name, LETTERS), fontsize=11.5)
        axes.set_xlabel("Training step")
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("Training loss (nats)")
    networks = len(rows.drop_duplicates(NETWORK))
    figure.suptitle(
        f"Fitting random data: means over {networks} networks", x=0.01, ha="left", weight="bold"
    )
    lines = [
        Line2D([], [], color=hue, linewidth=2, linestyle=_style(kind), label=KINDS[kind])
        for kind, hue in HUES.items()
        if (rows["randomization"] == kind).any()
    ]
    legend(grid[0, -1], {"Data": lines})
    return figure


def architecture_columns(fitting_times: pd.DataFrame) -> list[str]:
    """Columns of the table that say within what networks are compared."""
    return list(fitting_times.columns[: list(fitting_times).index("randomization")])


def architecture(about: dict[str, object]) -> str:
    """Dataset and architecture, in words; what an architecture does without is not named."""
    words = [str(about["dataset"])]
    for key, value in about.items():
        if key in OF_DATA or value == "none":
            continue
        named = value_name(value).replace("_", " ")
        words.append(named if key == "architecture" else f"{readable(key).lower()} {named}")
    return ", ".join(words)


def _style(kind: str) -> str:
    return "--" if kind in DASHED else "-"


def _draw(axes: Axes, rows: pd.DataFrame, times: pd.DataFrame) -> None:
    """The lines of a panel."""
    for kind, hue in HUES.items():
        of_kind = rows[rows["randomization"] == kind]
        if of_kind.empty:
            continue
        mean = mean_over_seeds(of_kind, "train_loss")
        axes.plot(mean.index, mean, color=hue, linewidth=1.8, linestyle=_style(kind))
        chosen = (times["randomization"] == kind) & times["label_corruption"].isin([0, 1])
        for time in times[chosen].dropna(subset="estimate").to_dict("records"):
            loss = np.interp(np.log1p(time["estimate"]), np.log1p(mean.index), mean)
            reach = [[time["estimate"] - time["low"]], [time["high"] - time["estimate"]]]
            axes.errorbar(
                time["estimate"], loss, xerr=np.nan_to_num(reach), color=hue, marker="o", capsize=3
            )
    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)

"""How alike layers are to what they will be at the end, in the course of training."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from generalization.experiments.similarity.layer_maps import (
    TASKS,
    facet_of_similarities,
    layer_legend,
    of_architecture,
)
from generalization.experiments.similarity.network_pairs import task
from generalization.experiments.similarity.similarity_to_end import similarity_to_end
from generalization.figures.facets import Facet
from generalization.figures.looks import colors
from generalization.figures.marks import mean_line
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import figure_of_words, styled
from generalization.tables import KEPT_NETWORK, NETWORK

GROUP = ["dataset", "architecture", "depth", "task"]
MOST_GROUPS = 4


@styled
def similarity_over_training(similarities: pd.DataFrame, training: pd.DataFrame) -> Figure:
    """Similarity of every layer with itself at the end against the step, after Raghu et al. 2017.

    One line per layer, the mean over networks, with a band of ± one standard error over networks;
    dotted, what is expected by chance. Networks that end earlier count on as they ended. One column
    of panels per dataset, architecture, depth and kind of labels, at most four, one row per
    similarity, at most two.

    Returns:
        The figure; words, if no network was kept in the course of training.
    """
    rows = _courses(similarities, training)
    if rows.empty:
        return figure_of_words("No network was kept at two steps and compared with its end.")
    groups = Facet.of(rows, *GROUP, most=MOST_GROUPS, noun="kinds of networks")
    hues = colors(range(max(depth for _, _, depth, _ in groups.values)))

    def heading(panel: Panel) -> str:
        dataset, architecture, _, labels = panel.column
        networks = len(panel.table.drop_duplicates(NETWORK))
        name = f"{dataset}{of_architecture(rows, architecture)}"
        return f"{name}, {TASKS[labels]}\n{networks} networks" * panel.top

    def draw(panel: Panel) -> None:
        depth = panel.column[2]
        for layer, of_layer in panel.table.groupby("layer"):
            # Logits keep their color where networks differ in depth.
            _draw(panel.axes, of_layer, hues[layer if layer < depth - 1 else len(hues) - 1])
        _scale(panel.axes, panel.table["step"].max())

    return SmallMultiples(
        rows=facet_of_similarities(rows),
        columns=groups,
        fewest=1.4,
        grid={"sharex": True, "sharey": True},
        limits={"ylim": (0, 1.03)},
        heading=heading,
        x="Training step",
        y="{row} with the end",
        headline="Layers on the way to their end",
        legend=layer_legend(hues, marker=""),
    ).draw(rows, draw)


def _courses(similarities: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Similarity to the end of all layers of networks that were kept before it."""
    rows = similarity_to_end(similarities, training)
    rows = rows[rows.groupby(["similarity", *NETWORK])["step"].transform("nunique") > 1]
    about = training[[*KEPT_NETWORK, *GROUP[:-1]]].assign(task=task(training))
    return rows.merge(about, on=KEPT_NETWORK, validate="many_to_one")


def _draw(axes: Axes, rows: pd.DataFrame, color: object) -> None:
    """Draw the course of a layer, and what is expected by chance."""
    courses = rows.pivot(index="step", columns=NETWORK, values="value").ffill()
    look = {"color": color, "marker": "o", "markersize": 3.5, "linewidth": 1.5}
    mean_line(axes, courses.agg(["mean", "sem"], axis=1), **look)
    null = rows.groupby("step")["null"].mean()
    axes.plot(null.index, null, color=color, linestyle=":", linewidth=1.2)


def _scale(axes: Axes, last: float) -> None:
    """Scale the axes, with ticks at powers of ten up to the last step."""
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xticks([0, *(10.0 ** np.arange(np.ceil(np.log10(max(last, 1)) + 0.01)))])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,g}"))
    axes.minorticks_off()

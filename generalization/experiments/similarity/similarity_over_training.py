"""How alike layers are to what they will be at the end, in the course of training."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generalization.experiments.similarity.layer_maps import (
    TASKS,
    facet_of_similarities,
    layer_legend,
    name_of_networks,
    scale_steps,
)
from generalization.experiments.similarity.network_pairs import task
from generalization.experiments.similarity.similarity_to_end import (
    ON_LINE,
    OVER_TRAINING,
    similarity_to_end,
)
from generalization.figures.facets import Facet
from generalization.figures.legends import entries
from generalization.figures.looks import colors
from generalization.figures.marks import mean_line
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import QUIET, figure_of_words, styled
from generalization.tables import KEPT_NETWORK, NETWORK

GROUP = ["dataset", "architecture", "depth", "task"]
MOST_GROUPS = 4
LINE = {"linestyle": "--", "linewidth": 1.1}
STRAIGHT = {"On the straight line": entries({"any layer": QUIET}, "color", marker="", **LINE)}


@styled
def similarity_over_training(similarities: pd.DataFrame, training: pd.DataFrame) -> Figure:
    """Similarity of every layer with itself at the end against the step, after Raghu et al. 2017.

    One line per layer, the mean over networks, with a band of ± one standard error over networks;
    dotted, what is expected by chance; dashed, points on the straight line from start to end, as
    far from the start as the network was at the step, where these were compared. Networks that end
    earlier count on as they ended. One column of panels per dataset, architecture, depth and kind
    of labels, at most four, one row per similarity, at most two.

    Returns:
        The figure; words, if no network was kept in the course of training.
    """
    rows = _courses(similarities, training, OVER_TRAINING)
    on_line = _courses(similarities, training, ON_LINE)
    if rows.empty:
        return figure_of_words("No network was kept at two steps and compared with its end.")
    groups = Facet.of(rows, *GROUP, most=MOST_GROUPS, noun="kinds of networks")
    hues = colors(range(max(depth for _, _, depth, _ in groups.values)))

    def heading(panel: Panel) -> str:
        *kind, labels = panel.column
        networks = len(panel.table.drop_duplicates(NETWORK))
        name = name_of_networks(rows, *kind)
        return f"{name}, {TASKS[labels]}\n{networks} networks" * panel.top

    def draw(panel: Panel) -> None:
        depth = panel.column[2]
        # Logits keep their color where networks differ in depth.
        shades = [*list(hues.values())[: depth - 1], hues[len(hues) - 1]]
        for layer, course in panel.table.groupby("layer"):
            _draw(panel.axes, course, shades[layer])
        for layer, course in _like(on_line, panel.table).groupby("layer"):
            _draw_line(panel.axes, course, shades[layer])
        scale_steps(panel.axes, panel.table["step"].max())

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
        legend=layer_legend(hues, marker="") | (STRAIGHT if len(on_line) else {}),
    ).draw(rows, draw)


def _courses(similarities: pd.DataFrame, training: pd.DataFrame, pairs: str) -> pd.DataFrame:
    """Similarity to the end of all layers of networks that were kept before it."""
    rows = similarity_to_end(similarities, training, pairs)
    rows = rows[rows.groupby(["similarity", *NETWORK])["step"].transform("nunique") > 1]
    about = training[[*KEPT_NETWORK, *GROUP[:-1]]].assign(task=task(training))
    return rows.merge(about, on=KEPT_NETWORK, validate="many_to_one")


def _like(rows: pd.DataFrame, shown: pd.DataFrame) -> pd.DataFrame:
    """Rows of the networks and the similarity that a panel shows."""
    keys = ["similarity", *NETWORK]
    return rows.merge(shown[keys].drop_duplicates(), on=keys)


def _draw(axes: Axes, rows: pd.DataFrame, color: object) -> None:
    """Draw the course of a layer, and what is expected by chance."""
    look = {"color": color, "marker": "o", "markersize": 3.5, "linewidth": 1.5}
    mean_line(axes, _means(rows), **look)
    null = rows.groupby("step")["null"].mean()
    axes.plot(null.index, null, color=color, linestyle=":", linewidth=1.2)


def _draw_line(axes: Axes, rows: pd.DataFrame, color: object) -> None:
    """Draw a layer on the straight line from start to end."""
    mean_line(axes, _means(rows), band=False, color=color, **LINE)


def _means(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard error over networks at every step; ended networks count on."""
    courses = rows.pivot(index="step", columns=NETWORK, values="value").ffill()
    return courses.agg(["mean", "sem"], axis=1)

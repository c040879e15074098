"""Test accuracy against steps and against computation, with and without frozen layers."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generalization.experiments.similarity.layer_maps import name_of_networks
from generalization.figures.facets import Facet
from generalization.figures.legends import labelled
from generalization.figures.marks import mean_line
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import CATEGORIES, QUIET, Percentages, figure_of_words, styled
from generalization.tables import NETWORK

GROUP = ["dataset", "architecture", "depth"]
MOST_GROUPS = 4
KINDS = {"none": "all layers learn", "bottom_up": "frozen from the bottom up"}
STYLES = {
    kind: {"color": color, "marker": "o", "markersize": 3.5, "linewidth": 1.5}
    for kind, color in zip(KINDS, CATEGORIES, strict=False)
}
FROZEN = {"color": QUIET, "linestyle": ":", "linewidth": 1.2}
ROWS = {"step": "Training step", "flops": "FLOPs of training"}
SHOWN = 0.05  # Of training: before, accuracy rises too steeply to tell the lines apart.


@styled
def freezing_costs(freezing_courses: pd.DataFrame) -> Figure:
    """Test accuracy against the training step and against FLOPs, after Raghu et al. 2017.

    One line with and one without frozen layers, the mean over networks of all settings, with a band
    of ± one standard error over networks; dotted, the steps after which a layer is frozen. Networks
    that end earlier count on as they ended. One column of panels per dataset, architecture and
    depth, at most four.

    Returns:
        The figure; words, if no setting has both kinds of networks in the course of training.
    """
    rows = freezing_courses[freezing_courses["step"] > 0]
    if rows.empty:
        return figure_of_words("No setting has networks with and without frozen layers.")

    def draw(panel: Panel) -> None:
        for kind in [kind for kind in KINDS if kind in set(panel.table["freeze_layers"])]:
            _draw(panel.axes, panel.table[panel.table["freeze_layers"] == kind], panel.row, kind)
        if panel.row == "step":
            for step in _borders(panel.table):
                panel.axes.axvline(step, zorder=1, **FROZEN)
        panel.axes.yaxis.set_major_formatter(Percentages())

    def heading(panel: Panel) -> str:
        networks = len(panel.table.drop_duplicates(NETWORK))
        name = name_of_networks(rows, *panel.column)
        return f"{name}\n{networks} networks" * panel.top

    lines = labelled({name: STYLES[kind] for kind, name in KINDS.items()})
    return SmallMultiples(
        rows=Facet.each(ROWS),
        columns=Facet.of(rows, *GROUP, most=MOST_GROUPS, noun="kinds of networks"),
        fewest=1.4,
        grid={"sharey": "col"},
        heading=heading,
        x=lambda panel: panel.row_name,
        y="Test accuracy",
        headline="Test accuracy while layers are frozen from the bottom up",
        legend={
            "Layers": lines,
            "Steps": labelled({"a layer is frozen": FROZEN | {"marker": ""}}),
        },
    ).draw(rows, draw)


def _draw(axes: Axes, networks: pd.DataFrame, x: str, kind: str) -> None:
    """Draw the mean course of one kind of networks, but for its steep beginning."""
    at = networks.groupby("step")["flops"].mean() if x == "flops" else None
    courses = networks.pivot(index="step", columns=NETWORK, values="test_accuracy").ffill()
    means = courses.agg(["mean", "sem"], axis=1)
    means = means[means.index >= SHOWN * means.index.max()]
    mean_line(axes, means if at is None else means.set_index(at[means.index]), **STYLES[kind])


def _borders(networks: pd.DataFrame) -> list[float]:
    """First steps, among those that were evaluated, at which one layer more is frozen."""
    frozen = networks[networks["frozen"] > 0]
    return sorted(frozen.groupby("frozen")["step"].min())

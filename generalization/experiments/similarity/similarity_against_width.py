"""How alike two seeds are against the width of their networks."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from generalization.experiments.similarity.layer_maps import (
    facet_of_similarities,
    layer_legend,
    name_of_networks,
)
from generalization.figures.facets import Facet
from generalization.figures.looks import colors
from generalization.figures.marks import bars
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import figure_of_words, styled

GROUP = ["dataset", "architecture", "depth"]
MOST_GROUPS = 3


@styled
def similarity_against_width(similarity_of_ensembles: pd.DataFrame) -> Figure:
    """Mean similarity of the same layer of two seeds against the width, networks on true labels.

    After Morcos et al. 2018, *Insights on representational similarity*. One line per layer through
    the means over ensembles of that width, with the intervals of those of one ensemble; dotted,
    what is expected by chance, which also grows with the width.

    Returns:
        One row of panels per similarity, PWCCA first, at most two, one column per dataset,
        architecture and depth, at most three; words, if no networks of two widths were compared.
    """
    rows = similarity_of_ensembles[similarity_of_ensembles["task"] == "generalizing"]
    widths = rows.groupby(GROUP)["width"].transform("nunique")
    rows = rows[widths > 1]
    if rows.empty:
        return figure_of_words("No two seeds of networks of two widths were compared.")
    groups = Facet.of(rows, *GROUP, most=MOST_GROUPS, noun="kinds of networks")
    hues = colors(range(max(depth for _, _, depth in groups.values)))

    def heading(panel: Panel) -> str:
        networks = groups.select(rows, panel.column).drop_duplicates("ensemble")["networks"].sum()
        return f"{name_of_networks(rows, *panel.column)}\n{networks} networks" * panel.top

    return SmallMultiples(
        rows=facet_of_similarities(rows, "pwcca"),
        columns=groups,
        margin=(2.6, 1),
        fewest=1.4,
        grid={"sharex": True, "sharey": "row"},
        limits={"ylim": (0, 1.03)},
        heading=heading,
        x="Width",
        y="{row} of two seeds",
        headline="Similarity of two seeds against the width",
        legend=layer_legend(hues),
    ).draw(rows, lambda panel: _draw(panel, hues))


def _draw(panel: Panel, hues: dict) -> None:
    """Draw the lines of one panel. Logits keep their color where networks differ in depth."""
    axes, rows, (_, _, depth) = panel.axes, panel.table, panel.column
    for layer, of_layer in rows.groupby("layer"):
        means = of_layer.groupby("width")[["estimate", "low", "high", "null"]].mean()
        # An interval is that of an ensemble: of several of one width there is none.
        single = of_layer.groupby("width").size() == 1
        color = hues[layer if layer < depth - 1 else len(hues) - 1]
        axes.errorbar(
            means.index,
            means["estimate"],
            yerr=bars(means["estimate"], means["low"].where(single), means["high"].where(single)),
            color=color,
            marker="o",
            markersize=5,
            linewidth=1.4,
            elinewidth=1.2,
            capsize=3,
        )
        axes.plot(means.index, means["null"], color=color, linestyle=":", linewidth=1.2)
    axes.set_xscale("log")
    axes.set_xticks(sorted(rows["width"].unique()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda width, _: f"{width:,g}"))

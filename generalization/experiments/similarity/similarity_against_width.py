"""How alike two seeds are against the width of their networks."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from generalization.experiments.similarity.layer_maps import layer_names, of_architecture
from generalization.experiments.similarity.similarity_heat_maps import NAMES, PREFERRED
from generalization.figures.style import QUIET, colors, entries, figure_of_words, legend, styled

GROUP = ["dataset", "architecture", "depth"]
MOST_GROUPS, MOST_SIMILARITIES = 3, 2


@styled
def similarity_against_width(similarity_of_ensembles: pd.DataFrame) -> Figure:
    """Mean similarity of the same layer of two seeds against the width, networks on true labels.

    After Morcos et al. 2018, *Insights on representational similarity*. One line per layer through
    the means over ensembles of that width, with the intervals of those of one ensemble; dotted,
    what is expected by chance, which also grows with the width.

    Args:
        similarity_of_ensembles: Table of a study.

    Returns:
        One row of panels per similarity, PWCCA first, at most two, one column per dataset,
        architecture and depth, at most three; words, if no networks of two widths were compared.
    """
    rows = similarity_of_ensembles[similarity_of_ensembles["task"] == "generalizing"]
    widths = rows.groupby(GROUP)["width"].transform("nunique")
    rows = rows[widths > 1]
    if rows.empty:
        return figure_of_words("No two seeds of networks of two widths were compared.")
    order = ("pwcca", *PREFERRED)
    names = list(dict.fromkeys(name for name in order if name in set(rows["similarity"])))
    names = names[:MOST_SIMILARITIES]
    groups = list(rows.groupby(GROUP, sort=True))[:MOST_GROUPS]
    deepest = max(depth for (*_, depth), _ in groups)
    hues = colors(range(deepest))

    figure = Figure(figsize=(2.6 + 3.9 * max(len(groups), 1.4), 1 + 3.3 * len(names)))
    grid = figure.subplots(len(names), len(groups), sharex=True, sharey="row", squeeze=False)
    for panels, ((dataset, architecture, depth), group) in zip(grid.T, groups, strict=True):
        for axes, name in zip(panels, names, strict=True):
            _draw(axes, group[group["similarity"] == name], hues, depth)
        networks = group.drop_duplicates("ensemble")["networks"].sum()
        kind = of_architecture(rows, architecture)
        panels[0].set_title(f"{dataset}{kind}\n{networks} networks", fontsize=11.5)
        panels[-1].set_xlabel("Width")
    for axes, name in zip(grid[:, 0], names, strict=True):
        axes.set_ylabel(f"{NAMES[name]} of two seeds")
        axes.set_ylim(0, 1.03)
    heading = "Similarity of two seeds against the width"
    figure.suptitle(heading, x=0.01, ha="left", weight="bold")
    labels = dict(zip(layer_names(deepest), hues.values(), strict=True))
    legend(
        grid[0, -1],
        {
            "Layer": entries(labels, "color", linestyle="-"),
            "By chance": entries({"any layer": QUIET}, "color", linestyle=":", marker=""),
        },
    )
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, hues: dict, depth: int) -> None:
    """The lines of one panel. Logits keep their color where networks differ in depth."""
    for layer, of_layer in rows.groupby("layer"):
        means = of_layer.groupby("width")[["estimate", "low", "high", "null"]].mean()
        # An interval is that of an ensemble: of several of one width there is none.
        single = of_layer.groupby("width").size() == 1
        bars = [means["estimate"] - means["low"], means["high"] - means["estimate"]]
        axes.errorbar(
            means.index,
            means["estimate"],
            yerr=np.nan_to_num(np.clip([bar.where(single) for bar in bars], 0, None)),
            color=(color := hues[layer if layer < depth - 1 else len(hues) - 1]),
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

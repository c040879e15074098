"""Distances of networks that learn and of networks that memorize, layer by layer."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from generalization.experiments.similarity.layer_maps import layer_names, of_architecture
from generalization.experiments.similarity.similarity_heat_maps import NAMES, PREFERRED
from generalization.figures.style import CATEGORIES, MARKERS, figure_of_words, legend, styled

# Group → name, and place among colors and markers.
GROUPS = {
    "within_generalizing": "true labels",
    "within_memorizing": "random labels",
    "between": "one of each",
}
MOST_GROUPS, MOST_SIMILARITIES = 3, 2
APART = 0.09  # Of lines at one layer, so that intervals do not hide each other.


@styled
def similarity_of_groups(similarity_contrasts: pd.DataFrame) -> Figure:
    """Mean distance, 1 − similarity, of the same layer of two networks, with its interval.

    After Morcos et al. 2018, *Insights on representational similarity*: two networks on true
    labels, two on random labels, and one of each.

    Args:
        similarity_contrasts: Table of a study.

    Returns:
        One row of panels per similarity, PWCCA first, at most two, one column per dataset,
        architecture and depth, at most three; words, if no two networks were compared.
    """
    rows = similarity_contrasts[similarity_contrasts["statistic"].isin(GROUPS)]
    if rows.empty:
        return figure_of_words("No two networks on true labels, or on random ones, were compared.")
    order = ("pwcca", *PREFERRED)
    names = list(dict.fromkeys(name for name in order if name in set(rows["similarity"])))
    names = names[:MOST_SIMILARITIES]
    groups = list(rows.groupby(["dataset", "architecture", "depth"], sort=True))[:MOST_GROUPS]

    figure = Figure(figsize=(2.6 + 3.9 * max(len(groups), 1.4), 1 + 3.3 * len(names)))
    grid = figure.subplots(len(names), len(groups), sharey="row", squeeze=False)
    for panels, ((dataset, architecture, depth), group) in zip(grid.T, groups, strict=True):
        for axes, name in zip(panels, names, strict=True):
            _draw(axes, group[group["similarity"] == name])
            axes.set_xticks(range(depth), layer_names(depth))
        kind = of_architecture(rows, architecture)
        panels[0].set_title(f"{dataset}{kind}\n{_counted(group)}", fontsize=11.5)
        panels[-1].set_xlabel("Layer")
    for axes, name in zip(grid[:, 0], names, strict=True):
        axes.set_ylabel(f"Distance, 1 − {NAMES[name]}")
        axes.set_ylim(bottom=0)
    level = rows["level"].iloc[0] * 100
    heading = f"Distances of two networks, with {level:g} % intervals over networks"
    figure.suptitle(heading, x=0.01, ha="left", weight="bold")
    styles = zip(GROUPS.values(), CATEGORIES, MARKERS, strict=False)
    lines = [
        Line2D([], [], label=name, color=color, marker=marker) for name, color, marker in styles
    ]
    legend(grid[0, -1], {"Both trained on": lines[:2], "Or": lines[2:]})
    return figure


def _draw(axes: Axes, rows: pd.DataFrame) -> None:
    """The lines of one panel."""
    for place, group in enumerate(GROUPS):
        of_group = rows[rows["statistic"] == group].sort_values("layer")
        below, above = (
            of_group["estimate"] - of_group["low"],
            of_group["high"] - of_group["estimate"],
        )
        axes.errorbar(
            of_group["layer"] + APART * (place - 1),
            of_group["estimate"],
            yerr=np.nan_to_num(np.clip([below, above], 0, None)),
            color=CATEGORIES[place],
            marker=MARKERS[place],
            markersize=6,
            linewidth=1.4,
            elinewidth=1.2,
            capsize=3,
        )


def _counted(rows: pd.DataFrame) -> str:
    """How many networks and pairs there are of each group."""
    first = rows.drop_duplicates("statistic").set_index("statistic")
    within = [first.loc[group, "networks"] for group in list(GROUPS)[:2] if group in first.index]
    pairs = ", ".join(f"{first.loc[group, 'pairs']}" for group in GROUPS if group in first.index)
    return f"{' and '.join(map(str, within))} networks; {pairs} pairs"

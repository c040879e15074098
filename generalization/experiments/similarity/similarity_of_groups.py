"""Distances of networks that learn and of networks that memorize, layer by layer."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from generalization.experiments.similarity.layer_maps import (
    facet_of_similarities,
    layer_names,
    name_of_networks,
)
from generalization.figures.facets import Facet
from generalization.figures.legends import labelled
from generalization.figures.marks import bars
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import CATEGORIES, MARKERS, figure_of_words, styled

# Group → name.
GROUPS = {
    "within_generalizing": "true labels",
    "within_memorizing": "random labels",
    "between": "one of each",
}
LOOKS = {
    group: {"color": color, "marker": marker}
    for group, color, marker in zip(GROUPS, CATEGORIES, MARKERS, strict=False)
}
GROUP = ["dataset", "architecture", "depth"]
MOST_GROUPS = 3
APART = 0.09  # Of lines at one layer, so that intervals do not hide each other.


@styled
def similarity_of_groups(similarity_contrasts: pd.DataFrame) -> Figure:
    """Mean distance, 1 − similarity, of the same layer of two networks, with its interval.

    After Morcos et al. 2018, *Insights on representational similarity*: two networks on true
    labels, two on random labels, and one of each.

    Returns:
        One row of panels per similarity, PWCCA first, at most two, one column per dataset,
        architecture and depth, at most three; words, if no two networks were compared.
    """
    rows = similarity_contrasts[similarity_contrasts["statistic"].isin(GROUPS)]
    if rows.empty:
        return figure_of_words("No two networks on true labels, or on random ones, were compared.")
    groups = Facet.of(rows, *GROUP, most=MOST_GROUPS, noun="kinds of networks")

    def heading(panel: Panel) -> str:
        about = _counted(groups.select(rows, panel.column))
        return f"{name_of_networks(rows, *panel.column)}\n{about}" * panel.top

    level = rows["level"].iloc[0] * 100
    there = [group for group in GROUPS if group in set(rows["statistic"])]
    both, mixed = (
        labelled({GROUPS[group]: LOOKS[group] for group in there if (group == "between") == differ})
        for differ in (False, True)
    )
    legend = {"Both trained on": both} | ({"Or": mixed} if mixed else {})
    return SmallMultiples(
        rows=facet_of_similarities(rows, "pwcca"),
        columns=groups,
        margin=(2.6, 1),
        fewest=1.4,
        grid={"sharey": "row"},
        limits={"ylim": (0, None)},
        heading=heading,
        x="Layer",
        y="Distance, 1 − {row}",
        headline=f"Distances of two networks, with {level:g} % intervals over settings",
        legend=legend,
    ).draw(rows, _draw)


def _draw(panel: Panel) -> None:
    """Draw the lines of one panel."""
    for place, (group, look) in enumerate(LOOKS.items()):
        rows = panel.table[panel.table["statistic"] == group].sort_values("layer", kind="stable")
        panel.axes.errorbar(
            rows["layer"] + APART * (place - 1),
            rows["estimate"],
            yerr=bars(rows["estimate"], rows["low"], rows["high"]),
            markersize=6,
            linewidth=1.4,
            elinewidth=1.2,
            capsize=3,
            **look,
        )
    depth = panel.column[2]
    panel.axes.set_xticks(range(depth), layer_names(depth))


def _counted(rows: pd.DataFrame) -> str:
    """Numbers of networks and pairs of each group, in words."""
    first = rows.drop_duplicates("statistic").set_index("statistic")
    within = [first.loc[group, "networks"] for group in list(GROUPS)[:2] if group in first.index]
    pairs = ", ".join(
        f"{first.loc[group, 'network_pairs']}" for group in GROUPS if group in first.index
    )
    return f"{' and '.join(map(str, within))} networks; {pairs} pairs"

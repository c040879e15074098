"""Every layer against every layer: of a network and itself, and of two seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from generalization.figures.style import figure_of_words, styled
from generalization.statistics.network_pairs import task
from generalization.tables import KEPT_NETWORK, NETWORK

# The one of these that a study has, the first first, is shown.
PREFERRED = ("svcca", "pwcca", "mean_cca", "linear_cka")
PAIRS = {"over_training": "A network and itself", "between_seeds": "Two seeds"}
TASKS = {"generalizing": "true labels", "memorizing": "random labels", "": "some random labels"}
NAMES = {"svcca": "SVCCA", "pwcca": "PWCCA", "mean_cca": "Mean CCA", "linear_cka": "Linear CKA"}
MOST_GROUPS = 4
GROUP = ["dataset", "depth", "task"]


@styled
def similarity_heat_maps(similarities: pd.DataFrame, training: pd.DataFrame) -> Figure:
    """Means over pairs of networks at their last step, with what is expected by chance.

    One row of panels per dataset, depth and kind of labels, at most four: on the left the layers
    of each network beside its own other layers, on the right the layers of two seeds of one
    ensemble. Of a similarity that has two directions, the row is the layer whose directions are
    weighted.

    Args:
        similarities: Table of a study.
        training: Table of ``collect_training``.

    Returns:
        The figure of SVCCA, or else of the first of PWCCA, mean CCA and linear CKA that the study
        has; words, if it has no pairs of networks at their last step.
    """
    rows = _final(similarities, training)
    if rows.empty:
        return figure_of_words("No two layers of networks at their last step were compared.")
    name = chosen_similarity(rows)
    rows = rows[rows["similarity"] == name]
    groups = list(rows.groupby(GROUP, sort=True))[:MOST_GROUPS]

    figure = Figure(figsize=(9.4, 0.9 + 4.3 * len(groups)))
    grid = figure.subplots(len(groups), 2, squeeze=False)
    for line, (about, group) in zip(grid, groups, strict=True):
        for axes, (pairs, words) in zip(line, PAIRS.items(), strict=True):
            image = _draw(axes, group[group["pairs"] == pairs], about[1])
            axes.set_title(f"{words}\n{about[0]}, {TASKS[about[2]]}", fontsize=11.5)
        line[0].set_ylabel("Layer")
    for axes in grid[-1]:
        axes.set_xlabel("Layer of the other")
    figure.colorbar(image, ax=grid, label=NAMES[name], shrink=0.6, aspect=30)
    heading = f"{NAMES[name]} of every two layers; in parentheses, by chance"
    figure.suptitle(heading, x=0.01, ha="left", weight="bold")
    return figure


def chosen_similarity(rows: pd.DataFrame) -> str:
    """The similarity that a figure of one shows."""
    there = set(rows["similarity"])
    return next(name for name in PREFERRED if name in there)


def layer_names(depth: int) -> list[str]:
    """Hidden layers from 1, and the logits."""
    return [*map(str, range(1, depth)), "logits"]


def _final(similarities: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Pairs of layers of networks at their last steps, with dataset, depth and labels."""
    last = training[training["final"]]
    last = last[[*KEPT_NETWORK, "dataset", "depth"]].assign(task=task(last))
    rows = similarities[similarities["pairs"].isin(PAIRS)].dropna(subset="value")
    rows = rows.merge(last.add_suffix("_a"), on=[f"{key}_a" for key in KEPT_NETWORK])
    rows = rows.rename(columns={f"{key}_a": key for key in GROUP})
    ends = last[KEPT_NETWORK].add_suffix("_b")
    return rows.merge(ends, on=list(ends))


def _draw(axes: Axes, pairs: pd.DataFrame, depth: int) -> AxesImage:
    """One heat map with its numbers. Of two seeds neither is the first: both orders are drawn."""
    values, nulls = (_matrix(pairs, column, depth) for column in ("value", "null"))
    image = axes.imshow(values, vmin=0, vmax=1, cmap="viridis")
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            words = f"{value:.2f}\n({nulls[i, j]:.2f})"
            ink = "black" if value > 0.6 else "white"
            size = 10.5 if depth < 5 else 8.5
            axes.text(j, i, words, ha="center", va="center", color=ink, fontsize=size)
    axes.set_xticks(range(depth), layer_names(depth))
    axes.set_yticks(range(depth), layer_names(depth))
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    networks = pd.concat([
        pairs[[f"{key}_{side}" for key in NETWORK]].set_axis(NETWORK, axis=1) for side in "ab"
    ]).drop_duplicates()
    axes.set_title(f"{len(networks)} networks", loc="right", fontsize=10.5, weight="normal")
    return image


def _matrix(pairs: pd.DataFrame, column: str, depth: int) -> np.ndarray:
    """Means over pairs, layers × layers; NaN where there is none."""
    sides = {"layer_a": "layer_b", "layer_b": "layer_a"}
    both = (
        pairs
        if pairs["similarity"].eq("pwcca").any()
        else pd.concat([pairs, pairs.rename(columns=sides)])
    )
    table = both.pivot_table(index="layer_a", columns="layer_b", values=column)
    return table.reindex(index=range(depth), columns=range(depth)).to_numpy(float)

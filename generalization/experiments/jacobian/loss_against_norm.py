"""The Jacobian norm at test points against the loss there."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from generalization.experiments.jacobian.single_points import fitted_points
from generalization.figures.facets import Facet
from generalization.figures.legends import entries
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import (
    CATEGORIES,
    QUIET,
    empty,
    figure_of_words,
    logarithmic,
    styled,
)
from generalization.names import number
from generalization.tables import NETWORK

LOOKS = {
    "right": {"marker": "o", "s": 3, "alpha": 0.45, "linewidths": 0},
    "wrong": {"marker": "x", "s": 16, "alpha": 0.8, "linewidths": 1},
}
# Loss that networks were trained with → column, its name, and what it is called on an axis.
LOSSES = {
    "cross_entropy": ("cross_entropy", "cross-entropy", "Cross-entropy (nats)"),
    "squared": ("squared_loss", "squared loss", "Squared loss ‖σ − e$_y$‖²"),
}


@styled
def loss_against_norm(
    points: pd.DataFrame,
    training: pd.DataFrame,
    *,
    networks: int = 5,
    fitted_accuracy: float = 0.999,
) -> Figure:
    """One panel per dataset and training loss, one color per network, one mark per test point.

    As Novak et al. 2018, Fig. 6 and Fig. App. 8, but that points at which a network is wrong are
    crosses. Above each panel stands Spearman's correlation over the points of a network: its mean
    over the networks that are drawn, with the least and the largest.

    Args:
        networks: Number of networks to draw in a panel.

    Returns:
        The figure; words, if no network has fitted.
    """
    rows = fitted_points(points, training, fitted_accuracy=fitted_accuracy)
    if rows.empty:
        return figure_of_words("Loss against norm: no network has fitted true labels.")

    def draw(panel: Panel) -> None:
        if len(panel.table):
            drawn = first_networks(panel.table, networks)
            colors = [CATEGORIES[place % len(CATEGORIES)] for place in range(len(drawn))]
            pairs = zip(drawn, colors, strict=True)
            points = pd.concat([network.assign(color=color) for network, color in pairs])
            draw_points(panel.axes, points, LOSSES[panel.row][0], "jacobian_norm")
        else:
            empty(panel.axes, "no fitted network")

    def below(panel: Panel) -> list[str]:
        return [_relation(first_networks(panel.table, networks), LOSSES[panel.row][0])]

    marks = {name: look["marker"] for name, look in LOOKS.items()}
    return SmallMultiples(
        rows=Facet.of(rows, "loss", order=LOSSES, name=lambda loss: LOSSES[loss][1]),
        columns=Facet.of(rows, "dataset"),
        size=(4.1, 3.9),
        margin=(2.2, 0.6),
        heading=lambda panel: panel.column_name,
        heading_size=13,
        below=lambda panel: below(panel) if len(panel.table) else [],
        x=lambda panel: LOSSES[panel.row][2],
        y="Jacobian norm ‖J‖$_F$\ntrained with {row}",
        legend={"The network is": entries(marks, "marker", color=QUIET)},
    ).draw(rows, draw)


def first_networks(rows: pd.DataFrame, networks: int) -> list[pd.DataFrame]:
    """Some networks, of as many different ensembles as there are.

    Args:
        rows: Rows of one dataset and training loss.
        networks: Number of networks that are wanted.

    Returns:
        The rows of each network.
    """
    # ASSUME: the first seeds, by the names of ensembles, which are hashes: as good as the random
    # draw of the paper, and the same in every drawing.
    chosen = rows[NETWORK].drop_duplicates().sort_values(["seed", "ensemble"]).head(networks)
    return [rows.merge(one.to_frame().T.astype(chosen.dtypes)) for _, one in chosen.iterrows()]


def draw_points(axes: Axes, points: pd.DataFrame, x: str, y: str) -> None:
    """Points where both values are above 0, on logarithmic axes; the wrong ones are on top.

    Args:
        points: Rows of networks, with the ``color`` of each.
    """
    # By points, so that no network covers the others.
    shown = points[(points[x] > 0) & (points[y] > 0)].sort_values("point", kind="stable")
    for zorder, (name, look) in enumerate(LOOKS.items(), start=2):
        some = shown[shown["correct"] == (name == "right")]
        axes.scatter(
            some[x],
            some[y],
            color=some["color"],
            label=name,
            zorder=zorder,
            # Thousands of marks: as an image they take a hundredth of the space.
            rasterized=True,
            **look,
        )
    if len(shown):
        logarithmic(axes.xaxis, shown[x])
        logarithmic(axes.yaxis, shown[y])


def _relation(networks: list[pd.DataFrame], column: str) -> str:
    """Spearman's correlation over points, of the networks that have one."""
    rho = [
        spearmanr(network[column], network["jacobian_norm"]).statistic
        for network in networks
        if (network[[column, "jacobian_norm"]].nunique() > 1).all()
    ]
    if not rho:
        return "Spearman ρ: none, as a value is constant"
    mean, low, high = (number(f(rho), 2) for f in (np.mean, np.min, np.max))
    of = f"{len(networks)} networks"
    return f"ρ = {mean} ({low} to {high}), {of}" if len(rho) > 1 else f"ρ = {mean}, 1 network"

"""Sensitivity along ellipses through training images and away from them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from generalization.experiments.linear_regions.ellipse_contrasts import (
    ANCHORS,
    QUANTITIES,
    fitted_networks,
)
from generalization.figures.facets import Facet
from generalization.figures.legends import labelled
from generalization.figures.marks import mean_line
from generalization.figures.network_counts import counted
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import CATEGORIES, QUIET, figure_of_words, logarithmic, styled
from generalization.tables import NETWORK

KINDS = {"random": "random", "different": "different classes", "same": "same class"}
HUES = dict(zip(KINDS, (QUIET, CATEGORIES[1], CATEGORIES[0]), strict=True))
LABELS = {
    "jacobian_norm": "Jacobian norm (probability per unit of input)",
    "transition_density": "Transition density (per radian)",
}
LINES = {
    "trained": {"linewidth": 2, "zorder": 3},
    "untrained": {"linewidth": 1, "linestyle": "--"},
}
ANCHOR = {"color": "black", "linewidth": 0.9, "linestyle": ":"}
# Degrees to both sides over which transitions are averaged, of which a bin has few.
SMOOTHED = {"transition_density": 5}


@styled
def ellipse_trajectories(
    ellipses: pd.DataFrame, training: pd.DataFrame, *, fitted_accuracy: float = 0.999
) -> Figure:
    """Jacobian norm and density of transitions against the angle, means over fitted networks.

    As Novak et al. 2018, Fig. 2, with bands of ± one standard error over networks, and the same
    networks before training, dashed. One row of panels per dataset.

    Returns:
        The figure; words, if no network has fitted.
    """
    fitted = fitted_networks(ellipses, training, fitted_accuracy=fitted_accuracy)
    if not fitted["trained"].any():
        return figure_of_words("No network that was watched along ellipses has fitted.")
    trained = fitted[fitted["trained"]]
    lines = {} if fitted["trained"].all() else LINES
    return SmallMultiples(
        rows=Facet.of(
            fitted,
            "dataset",
            name=lambda dataset: counted(trained[trained["dataset"] == dataset], dataset, "fitted"),
        ),
        columns=Facet.each(dict.fromkeys(QUANTITIES, "")),
        size=(5.5, 3.9),
        margin=(0, 0.7),
        limits={"xlim": (0, 2 * np.pi)},
        x=lambda _: "Angle on the ellipse (radians)",
        y=lambda panel: LABELS[panel.column],
        headline="Sensitivity on and off the data",
        legend={
            "Ellipse": labelled({KINDS[kind]: {"color": HUES[kind]} for kind in KINDS}, lw=2),
            "Networks": labelled(lines, color=QUIET),
            "Angle": labelled({"of an image": ANCHOR}),
        },
    ).draw(fitted, _draw)


def mean_over_networks(networks: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Mean and standard error over networks at every angle, around the whole ellipse.

    Each network is first averaged over ellipses.

    Args:
        networks: Rows of one kind of ellipse, before or after training.
        quantity: Name of the column. Densities of transitions are averaged over bins within 5°.

    Returns:
        ``mean`` and ``sem`` by angle from 0 to 2π, where the first comes again. One network has no
        standard error.
    """
    curves = networks.pivot_table(quantity, index="angle", columns=NETWORK)
    bins = int(SMOOTHED.get(quantity, 0) / 360 * len(curves))
    shifted = [np.roll(curves, shift, axis=0) for shift in range(-bins, bins + 1)]
    curves = pd.DataFrame(np.mean(shifted, axis=0), index=curves.index)
    means = pd.DataFrame({"mean": curves.mean(axis=1), "sem": curves.sem(axis=1)})
    return pd.concat([means, means.iloc[:1].set_axis([2 * np.pi])])


def _draw(panel: Panel) -> None:
    """Draw all kinds of ellipses, and where the images lie."""
    axes, drawn = panel.axes, []
    for (trained, kind), rows in panel.table.groupby(["trained", "kind"]):
        means = mean_over_networks(rows, panel.column)
        line = LINES["trained" if trained else "untrained"]
        mean_line(axes, means, band=trained, color=HUES[kind], **line)
        drawn.append(means["mean"])
    drawn = pd.concat(drawn)
    if (drawn > 0).all():
        logarithmic(axes.yaxis, drawn)
    for anchor in ANCHORS:
        axes.axvline(anchor, zorder=1, **ANCHOR)
    axes.set_xticks(np.arange(7) * np.pi / 3, ["0", "π/3", "2π/3", "π", "4π/3", "5π/3", "2π"])
    axes.grid(False, axis="x")

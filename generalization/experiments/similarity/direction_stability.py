"""Correlation of layers with stable and unstable directions of their end, over training."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generalization.experiments.similarity.layer_maps import scale_steps
from generalization.experiments.similarity.layer_panels import panels_of_layers
from generalization.experiments.similarity.network_pairs import GENERALIZING, task
from generalization.experiments.similarity.stability_statistics import one_row_each
from generalization.experiments.similarity.stable_directions import (
    END,
    STABLE,
    UNSTABLE,
    reference_step,
)
from generalization.figures.legends import entries, labelled
from generalization.figures.marks import mean_line
from generalization.figures.style import CATEGORIES, QUIET, figure_of_words, styled
from generalization.tables import NETWORK, with_networks

KINDS = {
    STABLE: ("stable directions", {"color": CATEGORIES[0], "marker": "o"}),
    END: ("all directions", {"color": CATEGORIES[6], "marker": "s"}),
    UNSTABLE: ("unstable directions", {"color": CATEGORIES[1], "marker": "^"}),
}
LOOK = {"markersize": 3.5, "linewidth": 1.5}


@styled
def direction_stability(canonical_spectra: pd.DataFrame, training: pd.DataFrame) -> Figure:
    """Mean correlation with stable and unstable directions, after Morcos, Raghu & Bengio 2018.

    Lines are means over networks on true labels, with a band of ± one standard error over networks,
    against the step; dotted, what is expected by chance. Directions were told apart at the gray
    lines, which the networks may have at different steps.

    Returns:
        The panels of ``panels_of_layers``; words, if there is no such network.
    """
    rows = with_networks(one_row_each(canonical_spectra, *KINDS), training)
    rows = rows[task(rows) == GENERALIZING]
    # Layers of few directions, and networks of few kept steps, have no stable ones.
    rows = rows[rows.groupby(NETWORK)["compared"].transform(lambda one: (one == STABLE).any())]
    if rows.empty:
        return figure_of_words("No network on true labels was kept in the first half of training.")
    last = training[training["final"]].set_index(NETWORK)["step"]
    return panels_of_layers(
        rows,
        lambda axes, layer: _draw(axes, layer, last),
        margin=(2.6, 0.9),
        x="Training step",
        y="Mean correlation",
        headline="Directions of the end in the course of training",
        legend={
            "Of the end": labelled(dict(KINDS.values()), **LOOK),
            "By chance": entries({"any": QUIET}, "color", linestyle=":", marker=""),
            "Told apart at": entries({"half": QUIET}, "color", linestyle="-", marker=""),
        },
    )


def _draw(axes: Axes, rows: pd.DataFrame, last: pd.Series) -> None:
    """Draw the lines of one panel."""
    references = {
        reference_step(steps, last[network]) for network, steps in rows.groupby(NETWORK)["step"]
    }
    for step in references - {None}:
        axes.axvline(step, color=QUIET, linewidth=1, zorder=1)
    for kind, (_, look) in KINDS.items():
        of_kind = rows[rows["compared"] == kind]
        if of_kind.empty:
            continue
        courses = of_kind.pivot(index="step", columns=NETWORK, values="mean")
        mean_line(axes, courses.agg(["mean", "sem"], axis=1), **look, **LOOK)
        null = of_kind.groupby("step")["null"].mean()
        axes.plot(null.index, null, color=look["color"], linestyle=":", linewidth=1.2)
    scale_steps(axes, np.max(rows["step"]))

"""Sensitivity along ellipses through training images and away from them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from generalization.experiments.linear_regions.ellipse_contrasts import (
    ANCHORS,
    QUANTITIES,
    fitted_networks,
)
from generalization.figures.style import (
    CATEGORIES,
    QUIET,
    figure_of_words,
    legend,
    logarithmic,
    styled,
)
from generalization.tables import NETWORK

KINDS = {"random": "random", "different": "different classes", "same": "same class"}
HUES = dict(zip(KINDS, (QUIET, CATEGORIES[1], CATEGORIES[0]), strict=True))
LABELS = {
    "jacobian_norm": "Jacobian norm (probability per unit of input)",
    "transition_density": "Transition density (per radian)",
}

# Degrees to both sides over which transitions are averaged, of which a bin has few.
SMOOTHED = {"transition_density": 5}


@styled
def ellipse_trajectories(
    ellipses: pd.DataFrame, training: pd.DataFrame, *, fitted_accuracy: float = 0.999
) -> Figure:
    """Jacobian norm and density of transitions against the angle, means over fitted networks.

    As Novak et al. 2018, Fig. 2, with bands of ± one standard error over networks, and the same
    networks before training, dashed. One row of panels per dataset.

    Args:
        ellipses: Table of the profile ``ellipses`` of a study.
        training: Table of ``collect_training``.
        fitted_accuracy: Train accuracy from which on a network counts as fitted.

    Returns:
        The figure; words, if no network has fitted.
    """
    fitted = fitted_networks(ellipses, training, fitted_accuracy=fitted_accuracy)
    if not fitted["trained"].any():
        return figure_of_words("No network that was watched along ellipses has fitted.")
    datasets = list(fitted.groupby("dataset"))
    figure = Figure(figsize=(11, 0.7 + 3.9 * len(datasets)))
    panels = figure.subplots(len(datasets), 2, squeeze=False)
    for row, (dataset, networks) in zip(panels, datasets, strict=True):
        for axes, quantity in zip(row, QUANTITIES, strict=True):
            _draw(axes, networks, quantity)
        row[0].set_title(_headline(dataset, networks[networks["trained"]]), fontsize=11.5)
    figure.suptitle("Sensitivity on and off the data", x=0.01, ha="left", weight="bold")
    _legend(panels[0, 1], trained_only=fitted["trained"].all())
    return figure


def mean_over_networks(networks: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Mean and standard error at every angle, around the whole ellipse.

    Args:
        networks: Rows of one kind of ellipse, before or after training.
        quantity: Which column. The density of transitions is first averaged over bins within 5°.

    Returns:
        ``mean`` and ``sem`` by angle from 0 to 2π, where the first comes again. One network has a
        standard error of 0.
    """
    curves = networks.pivot(index="angle", columns=NETWORK, values=quantity)
    bins = int(SMOOTHED.get(quantity, 0) / 360 * len(curves))
    shifted = [np.roll(curves, shift, axis=0) for shift in range(-bins, bins + 1)]
    curves = pd.DataFrame(np.mean(shifted, axis=0), index=curves.index)
    means = pd.DataFrame({"mean": curves.mean(axis=1), "sem": curves.sem(axis=1).fillna(0)})
    return pd.concat([means, means.iloc[:1].set_axis([2 * np.pi])])


def _draw(axes: Axes, networks: pd.DataFrame, quantity: str) -> None:
    """All kinds of ellipses, and where the images lie."""
    drawn = []
    for (trained, kind), rows in networks.groupby(["trained", "kind"]):
        means = mean_over_networks(rows, quantity)
        line = {"linewidth": 2, "zorder": 3} if trained else {"linewidth": 1, "linestyle": "--"}
        axes.plot(means.index, means["mean"], color=HUES[kind], **line)
        if trained:
            low, high = means["mean"] - means["sem"], means["mean"] + means["sem"]
            axes.fill_between(means.index, low, high, color=HUES[kind], alpha=0.25, linewidth=0)
        drawn.append(means["mean"])
    drawn = pd.concat(drawn)
    if (drawn > 0).all():
        logarithmic(axes.yaxis, drawn)
    for anchor in ANCHORS:
        axes.axvline(anchor, color="black", linewidth=0.9, linestyle=":", zorder=1)
    axes.set_xticks(np.arange(7) * np.pi / 3, ["0", "π/3", "2π/3", "π", "4π/3", "5π/3", "2π"])
    axes.grid(False, axis="x")
    axes.set(xlim=(0, 2 * np.pi), xlabel="Angle on the ellipse (radians)", ylabel=LABELS[quantity])


def _headline(dataset: str, trained: pd.DataFrame) -> str:
    networks, ensembles = len(trained[NETWORK].drop_duplicates()), trained["ensemble"].nunique()
    return (
        f"{dataset}: {networks} fitted network{'s' * (networks != 1)} "
        f"of {ensembles} ensemble{'s' * (ensembles != 1)}"
    )


def _legend(axes: Axes, *, trained_only: bool) -> None:
    def line(label: str, **look) -> Line2D:
        return Line2D([], [], label=label, **look)

    legend(
        axes,
        {
            "Ellipse": [line(name, color=HUES[kind], linewidth=2) for kind, name in KINDS.items()],
            "Networks": []
            if trained_only
            else [
                line("trained", color=QUIET, linewidth=2),
                line("untrained", color=QUIET, linewidth=1, linestyle="--"),
            ],
            "Angle": [line("of an image", color="black", linewidth=0.9, linestyle=":")],
        },
    )

"""Loss and accuracy in the course of training."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from generalization.figures.style import (
    QUIET,
    colors,
    entries,
    figure_of_words,
    legend,
    style_of,
    styled,
)
from generalization.names import readable, values_of
from generalization.tables import NETWORK, PERFORMANCE, swept_hyperparameters


@styled
def training_curves(training: pd.DataFrame, *, color: str = "label_corruption") -> Figure:
    """Train and test loss and accuracy against the step, one line per ensemble, its seeds averaged.

    So that the mean over seeds is of the same networks at every step, a network is interpolated,
    on the logarithmic axis, between steps at which it was kept, and goes on as it was when its
    training ended. Where a network has no value because it diverged, the mean is of the others.

    Args:
        training: Table of ``collect_training``.
        color: Hyper-parameter that colors tell apart. One that the study does not sweep over gives
            way to the first that it does.

    Returns:
        The figure; words, if no network was trained.
    """
    if training.empty or not training["step"].any():
        return figure_of_words("No network was kept after step 0: there is no course to show.")
    swept = swept_hyperparameters(training)
    color = color if color in swept else next(iter(swept), None)
    hues = colors(values_of(training[color])) if color else {}

    figure = Figure(figsize=(10, 6.5))
    panels = figure.subplots(2, 2, sharex=True, sharey="row").T.flat
    for axes, quantity in zip(panels, PERFORMANCE, strict=True):
        for _, ensemble in training.groupby("ensemble", sort=False):
            hue = style_of(hues, ensemble[color].iloc[0], QUIET) if color else QUIET
            mean = mean_over_seeds(ensemble, quantity)
            axes.plot(
                mean.index, mean, color=hue, marker=".", markersize=4, linewidth=1.2, alpha=0.75
            )
        axes.set_title(readable(quantity), fontsize=11.5)
    networks = len(training.drop_duplicates(NETWORK))
    ensembles = training["ensemble"].nunique()
    figure.suptitle(
        f"Training of {networks} networks: means of {ensembles} ensembles over their seeds",
        x=0.01,
        ha="left",
        weight="bold",
    )
    _axes(figure, training)
    legend(
        figure.axes[1], {readable(color or ""): entries(hues, "color", marker="", linestyle="-")}
    )
    return figure


def mean_over_seeds(ensemble: pd.DataFrame, quantity: str) -> pd.Series:
    """Mean over the seeds of an ensemble at every step at which one of them was kept.

    Args:
        ensemble: Rows of one ensemble.
        quantity: Which column.

    Returns:
        Step → mean over the networks that have a value.
    """
    steps = np.unique(ensemble["step"])
    seeds = [
        np.interp(np.log1p(steps), np.log1p(seed["step"]), seed[quantity])
        for _, seed in ensemble.sort_values("step").groupby("seed")
    ]
    return pd.DataFrame(seeds, columns=steps).mean()


def _axes(figure: Figure, training: pd.DataFrame) -> None:
    losses, accuracies = figure.axes[:2], figure.axes[2:]
    first = training.loc[training["step"] > 0, "step"].min()
    for axes in figure.axes:
        # Step 0, the untrained network, has its place left of the first step.
        axes.set_xscale("symlog", linthresh=first, linscale=0.5)
    for axes in accuracies:
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.set_xlabel("Training step")
    losses[0].set_yscale("log")
    losses[0].set_ylabel("Cross-entropy (nats)")
    accuracies[0].set_ylabel("Accuracy")

"""Noise in hidden layers in the course of training: shares of the components of noisy copies."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from generalization.experiments.noise_clouds.cloud_blocks import (
    CLOSED_FORM,
    NOTHING,
    blocks,
    draw_layers,
    draw_legend,
    draw_losses,
    drawn_courses,
)
from generalization.figures.style import figure_of_words, styled


@styled
def cloud_components(noise_clouds: pd.DataFrame, training: pd.DataFrame) -> Figure:
    """Shares of the components of noisy copies against the step, as the blog's figures.

    One block per ensemble; in it one column per σ, one row per quantity, and below the loss on the
    train and the test set, and the accuracy at images with the same noise. Lines are means over
    seeds and over the images of all classes.

    Returns:
        The figure; words, if no network was kept after step 0.
    """
    rows = drawn_courses(noise_clouds, training)
    if rows.empty:
        return figure_of_words(NOTHING)
    panels = {
        "First\nEV₁": lambda *panel: draw_layers(*panel, "ev_1"),
        "All but the first\n1 − EV₁": _draw_noise,
        "Second\nEV₂": lambda *panel: _draw_share(*panel, "ev_2"),
        "Rest\n1 − EV₁ − EV₂": lambda *panel: _draw_share(*panel, "ev_rest"),
        "Loss (nats)": draw_losses,
        "Accuracy\nwith noise": _draw_accuracies,
    }
    figure = blocks(rows, training, panels, words="Noise in layers")
    draw_legend(figure, rows, closed_form=True)
    return figure


def _draw_accuracies(axes: Axes, rows: pd.DataFrame, hues: Mapping[int, object]) -> None:
    """Accuracy at images with noise, which all layers share."""
    draw_layers(axes, rows[rows["layer"] == 0], {0: "black"}, "accuracy")


def _draw_noise(axes: Axes, rows: pd.DataFrame, hues: Mapping[int, object]) -> None:
    """1 − EV_1, and its closed form of held-out images."""
    _draw_share(axes, rows, hues, "noise")
    held_out = rows[(rows["part"] == "test") & (rows["layer"] > 0)]
    draw_layers(axes, held_out, hues, "predicted_noise", **CLOSED_FORM)


def _draw_share(axes: Axes, rows: pd.DataFrame, hues: Mapping[int, object], quantity: str) -> None:
    draw_layers(axes, rows, hues, quantity)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.yaxis.set_minor_formatter(NullFormatter())

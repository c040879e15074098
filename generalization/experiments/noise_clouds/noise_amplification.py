"""Noise in hidden layers in the course of training: beside its closed form, and singular values."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generalization.experiments.noise_clouds.cloud_blocks import (
    NOTHING,
    blocks,
    draw_layers,
    draw_legend,
    drawn_courses,
)
from generalization.figures.style import QUIET, figure_of_words, styled
from generalization.tables import KEPT_NETWORK


@styled
def noise_amplification(noise_clouds: pd.DataFrame, training: pd.DataFrame) -> Figure:
    """Noise relative to its closed form and to the input, and singular values of noisy copies.

    Panels as those of ``noise_clouds``: 1 − EV_1 over its closed form, 1 − EV_1 of a layer over
    that of the input, and the two largest singular values, divided by √N.

    Returns:
        The figure; words, if no network was kept after step 0.
    """
    rows = drawn_courses(noise_clouds, training)
    if rows.empty:
        return figure_of_words(NOTHING)
    keys = [*KEPT_NETWORK, "part", "sigma"]
    at_input = rows.loc[rows["layer"] == 0, [*keys, "noise"]]
    rows = rows[rows["layer"] > 0].merge(at_input, on=keys, suffixes=("", "_at_input"))
    rows["over_closed_form"] = rows["noise"] / rows["predicted_noise"]
    rows["over_input"] = rows["noise"] / rows["noise_at_input"]
    panels = {
        "Noise: measured\nover closed form": lambda *panel: _draw_ratio(*panel, "over_closed_form"),
        "Noise: layer\nover input": lambda *panel: _draw_ratio(*panel, "over_input"),
        "s₁ / √N": lambda *panel: draw_layers(*panel, "s_1"),
        "s₂ / √N": lambda *panel: draw_layers(*panel, "s_2"),
    }
    figure = blocks(rows, training, panels, words="Amplification of noise by layers")
    draw_legend(figure, rows, closed_form=False)
    return figure


def _draw_ratio(axes: Axes, rows: pd.DataFrame, hues: Mapping[int, object], quantity: str) -> None:
    axes.axhline(1, color=QUIET, linewidth=1)
    draw_layers(axes, rows, hues, quantity)

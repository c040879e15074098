"""One point per ensemble on two logarithmic axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from generalization.figures.gap_against_measure import told_apart
from generalization.figures.style import (
    QUIET,
    colors,
    entries,
    legend,
    logarithmic,
    markers,
    style_of,
)
from generalization.names import readable, values_of


@dataclass(frozen=True)
class Looks:
    """What tells ensembles apart.

    Attributes:
        color: Hyper-parameter that colors tell apart, if the study sweeps over any.
        marker: Hyper-parameter that markers tell apart, if the study sweeps over it.
        hues: Value of the one → color.
        shapes: Value of the other → marker.
    """

    color: str | None
    marker: str | None
    hues: dict
    shapes: dict

    @classmethod
    def of(cls, networks: pd.DataFrame, color: str, marker: str) -> Looks:
        """As far as the study sweeps over these hyper-parameters, see ``told_apart``."""
        color, marker = told_apart(networks, color, marker)
        return cls(
            color,
            marker,
            colors(values_of(networks[color])) if color else {},
            markers(values_of(networks[marker])) if marker else {},
        )


def draw_ensembles(axes: Axes, networks: pd.DataFrame, x: str, y: str, looks: Looks) -> None:
    """One point per ensemble, the geometric mean over seeds, with bars over their whole range.

    Args:
        axes: On which to draw.
        networks: One row each, with positive values.
        x: Which column.
        y: Which column.
        looks: What tells ensembles apart; hollow are those of which ``fitted`` is not true of all.
    """
    for _, seeds in networks.groupby("ensemble", sort=False):
        about = seeds.iloc[0]
        means = [np.exp(np.log(seeds[key]).mean()) for key in (x, y)]
        across, up = (
            [[mean - seeds[key].min()], [seeds[key].max() - mean]]
            for mean, key in zip(means, (x, y), strict=True)
        )
        hue = style_of(looks.hues, about.get(looks.color), QUIET)
        axes.errorbar(
            *means,
            # Rounding may leave a mean of equal numbers outside of them.
            xerr=np.maximum(across, 0),
            yerr=np.maximum(up, 0),
            color=hue,
            marker=style_of(looks.shapes, about.get(looks.marker), "o"),
            markersize=6,
            markeredgewidth=1.3,
            markerfacecolor=hue if seeds["fitted"].all() else "white",
            elinewidth=0.9,
        )
    if len(networks):
        logarithmic(axes.xaxis, networks[x])
        logarithmic(axes.yaxis, networks[y])


def explain(axes: Axes, networks: pd.DataFrame, looks: Looks, **more: list) -> None:
    """A legend right of the axes.

    Args:
        axes: Beside which it goes.
        networks: That were drawn.
        looks: With which they were drawn.
        more: Heading → labelled lines, after the others.
    """
    all_fitted = networks["fitted"].all()
    hollow = {} if all_fitted else {"all": QUIET, "not all": "white"}
    legend(
        axes,
        {
            readable(looks.color or ""): entries(looks.hues, "color"),
            readable(looks.marker or ""): entries(looks.shapes, "marker", color=QUIET),
            "Seeds fitted": entries(hollow, "markerfacecolor", color=QUIET),
        }
        | {readable(heading): lines for heading, lines in more.items()},
    )

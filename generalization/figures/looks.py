"""Colors and markers that distinguish the values of hyper-parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Number

import matplotlib
import pandas as pd
from matplotlib.lines import Line2D

from generalization.figures.legends import entries
from generalization.figures.style import CATEGORIES, MARKERS, QUIET
from generalization.names import readable, values_of
from generalization.tables import swept_hyperparameters


def colors(values: Sequence) -> dict:
    """Value → color: a scale from light to dark for numbers, colors apart for names.

    Args:
        values: The different values of a hyper-parameter, ascending.
    """
    if all(isinstance(value, Number) and not isinstance(value, bool) for value in values):
        scale = matplotlib.colormaps["viridis"]
        steps = max(len(values) - 1, 1)
        # Up to 0.85: the yellow end cannot be seen on white.
        shades = [scale(0.85 * position / steps) for position in range(len(values))]
        return dict(zip(values, shades, strict=True))
    return {value: CATEGORIES[place % len(CATEGORIES)] for place, value in enumerate(values)}


def markers(values: Sequence) -> dict:
    """Value → marker."""
    return {value: MARKERS[place % len(MARKERS)] for place, value in enumerate(values)}


def looks_apart(count: int) -> list[dict[str, str]]:
    """Return a color and a marker for every series; up to 49 look different.

    Each round of colors has its markers one place further on.
    """
    size = len(CATEGORIES)
    return [
        {
            "color": CATEGORIES[place % size],
            "marker": MARKERS[(place + place // size) % len(MARKERS)],
        }
        for place in range(count)
    ]


@dataclass(frozen=True)
class Looks:
    """Colors or markers of the values of a hyper-parameter.

    Attributes:
        key: The hyper-parameter; none, if all look the same.
        name: Property of a line that differs: ``color`` or ``marker``.
        styles: Value → color or marker.
        otherwise: Color or marker without a hyper-parameter, and of other values.
    """

    key: str | None
    name: str
    styles: Mapping[object, object]
    otherwise: object

    def of(self, row: Mapping) -> object:
        """Return what a row of a table looks like; a value that is null is NaN there."""
        value = row[self.key] if self.key else None
        return self.styles.get(None if pd.isna(value) else value, self.otherwise)

    def legend(self, **look: object) -> dict[str, list[Line2D]]:
        """Return the heading and the lines of a legend, which have the rest of their look."""
        return {readable(self.key or ""): entries(self.styles, self.name, **look)}


def told_apart(
    table: pd.DataFrame, color: str, marker: str = "", *, panels: Sequence[str] = ("dataset",)
) -> tuple[Looks, Looks]:
    """Choose hyper-parameters for colors and for markers, as far as a study sweeps over them.

    Args:
        table: Table of a study, with hyper-parameters.
        color: Hyper-parameter for colors. One that the study does not sweep over gives way to the
            first that it does.
        marker: Hyper-parameter for markers, if the study sweeps over it.
        panels: Hyper-parameters that have panels of their own.
    """
    swept = [key for key in swept_hyperparameters(table) if key not in panels]
    shape = marker if marker in swept and marker != color else None
    hue = color if color in swept else next((key for key in swept if key != shape), None)
    return (
        Looks(hue, "color", colors(values_of(table[hue])) if hue else {}, QUIET),
        Looks(shape, "marker", markers(values_of(table[shape])) if shape else {}, "o"),
    )


def ensemble_legend(looks: tuple[Looks, Looks], fitted: pd.Series) -> dict[str, list[Line2D]]:
    """Return legends of colors, of markers, and of hollow points if there are any.

    Args:
        looks: Colors and markers, of ``told_apart``.
        fitted: Whether each network, or ensemble, has fitted; hollow are those that have not.
    """
    hues, shapes = looks
    hollow = {} if fitted.all() else {"all": QUIET, "not all": "white"}
    hollow = entries(hollow, "markerfacecolor", color=QUIET)
    return hues.legend() | shapes.legend(color=QUIET) | {"Seeds fitted": hollow}

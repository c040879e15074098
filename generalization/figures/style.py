"""How all figures look, and how they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from numbers import Number
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from generalization.files import written_whole
from generalization.names import readable, value_name, values_of
from generalization.tables import swept_hyperparameters

FITTED, ALL, QUIET = "#0072B2", "#D55E00", "#6B6B6B"
# Okabe & Ito's colors, which people with any color vision tell apart; yellow is too pale for lines.
CATEGORIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

styled = matplotlib.rc_context({
    "font.size": 11,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.title_fontsize": 10.5,
    "legend.fontsize": 10.5,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "figure.constrained_layout.use": True,
})


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


@dataclass(frozen=True)
class Looks:
    """What tells the values of a hyper-parameter apart.

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


def entries(styles: Mapping[object, object], name: str, **others) -> list[Line2D]:
    """Lines for a legend, one per value of a hyper-parameter.

    Args:
        styles: Value → what tells it apart.
        name: Property of a line that tells values apart: ``color``, ``marker`` …
        others: Properties that all have.
    """
    same = {"linestyle": "", "marker": "o", "markersize": 7, "markeredgewidth": 1.4} | others
    return [
        Line2D([], [], **(same | {name: style, "label": value_name(value)}))
        for value, style in styles.items()
    ]


def legend(axes: Axes, groups: Mapping[str, Sequence[Line2D]]) -> None:
    """One legend right of the axes.

    Args:
        axes: Beside which it goes.
        groups: Heading → labelled lines. Empty groups are left out.
    """
    shown = {heading: lines for heading, lines in groups.items() if lines}
    if not shown:
        return
    rows = [
        line
        for heading, lines in shown.items()
        for line in (Line2D([], [], linestyle="", label=heading), *lines)
    ]
    drawn = axes.legend(
        handles=rows,
        loc="upper left",
        bbox_to_anchor=(1.02, 1),
        borderaxespad=0,
        handlelength=1.4,
        alignment="left",
    )
    for text in drawn.get_texts():
        text.set_fontweight("bold" if text.get_text() in shown else "normal")


def labelled(looks: Mapping[str, Mapping[str, object]], **others: object) -> list[Line2D]:
    """Lines for a legend.

    Args:
        looks: Label → properties of its line.
        others: Properties that all have, unless their own differ.
    """
    return [Line2D([], [], label=label, **(others | look)) for label, look in looks.items()]


def headline(figure: Figure | SubFigure, words: str, **font: object) -> None:
    """Write a bold line above a figure."""
    figure.suptitle(words, x=0.01, ha="left", **({"weight": "bold"} | font))


def title(axes: Axes, words: str, lines: Sequence[str] = (), **font: object) -> None:
    """Write a heading over a panel, and under it lines that are not bold."""
    if lines:
        text = "\n".join(lines)
        axes.annotate(text, (0, 1), (0, 6), "axes fraction", "offset points", fontsize=10.5)
        font = {"pad": 10 + 14 * len(lines)} | font
    axes.set_title(words, **font)


def logarithmic(axis: Axis, values: pd.Series) -> None:
    """Ticks of a logarithmic axis as plain numbers: more of them where values lie close."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    ratio = values.max() / values.min()
    if ratio < 6:  # Powers of ten and their multiples are too few here.
        axis.set_major_locator(MaxNLocator(5))
    else:
        subs = (1, 2, 3, 5) if ratio < 30 else (1, 3) if ratio < 300 else (1,)
        axis.set_major_locator(LogLocator(subs=subs))
    axis.set_minor_locator(LogLocator(subs=range(2, 10)))
    axis.set_minor_formatter(NullFormatter())
    # Over more decades than five there is no room for long numbers.
    if values.max() < 1e6 and values.min() > 1e-4 and ratio < 1e5:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def figure_of_words(words: str) -> Figure:
    """A figure that has nothing to show and says why."""
    figure = Figure(figsize=(8, 1.5))
    figure.text(0.5, 0.5, words, ha="center", va="center", wrap=True, color=QUIET, fontsize=12)
    return figure


def save_figure(path: Path | str, figure: Figure) -> None:
    """Write a figure as SVG, whole or not at all; the same figure gives the same bytes.

    Args:
        path: Where the file is to be. Its name also salts the names of the parts of the drawing, so
            that two drawings on one page do not share them.
        figure: What to draw.
    """
    drawing = BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": Path(path).name}):
        figure.savefig(drawing, format="svg", metadata={"Date": None})
    with written_whole(path) as beside:
        beside.write_bytes(drawing.getvalue())

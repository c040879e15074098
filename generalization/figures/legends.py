"""Legends beside panels, and the lines that stand in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from generalization.names import short_name


def entries(styles: Mapping[object, object], name: str, **others) -> list[Line2D]:
    """Lines for a legend, one per value of a hyper-parameter.

    Args:
        styles: Value → what tells it apart.
        name: Property of a line that tells values apart: ``color``, ``marker`` …
        others: Properties that all have.
    """
    same = {"linestyle": "", "marker": "o", "markersize": 7, "markeredgewidth": 1.4} | others
    return [
        Line2D([], [], **(same | {name: style, "label": short_name(value)}))
        for value, style in styles.items()
    ]


def labelled(looks: Mapping[str, Mapping[str, object]], **others: object) -> list[Line2D]:
    """Lines for a legend.

    Args:
        looks: Label → properties of its line.
        others: Properties that all have, unless their own differ.
    """
    return [Line2D([], [], label=label, **(others | look)) for label, look in looks.items()]


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

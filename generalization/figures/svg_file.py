"""Figures as SVG files."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from generalization.files import written_whole

# ASSUME: a browser draws so many points and ends of lines at once; they take about 1 MB.
MOST_POINTS = 10_000
FEW = 0.05  # Panels with at most this share of them stay drawings.
PIXELS_PER_INCH = 150


def save_figure(path: Path | str, figure: Figure) -> None:
    """Write a figure as SVG, whole or not at all; the same figure gives the same bytes.

    What shows thousands of networks, one line or point each, is written as an image inside the
    drawing, whose axes and words stay as they are.

    Args:
        path: Where the file is to be. Its name also salts the names of the parts of the drawing, so
            that two drawings on one page do not share them.
        figure: Figure to save.
    """
    drawing, crowds = BytesIO(), crowded(figure)
    for artist in crowds:
        artist.set_rasterized(True)
    fine = {"dpi": PIXELS_PER_INCH} if crowds else {}
    with matplotlib.rc_context({"svg.hashsalt": Path(path).name}):
        figure.savefig(drawing, format="svg", metadata={"Date": None}, **fine)
    with written_whole(path) as beside:
        beside.write_bytes(drawing.getvalue())


def crowded(figure: Figure) -> list[Artist]:
    """Return the lines and points of a figure that are too many for a drawing."""
    panels = [(axes, _points_of(axes)) for axes in figure.axes]
    if sum(points for _, points in panels) <= MOST_POINTS:
        return []
    return [
        artist
        for axes, points in panels
        if points > FEW * MOST_POINTS
        for artist in (*axes.lines, *axes.collections)
    ]


def _points_of(axes: Axes) -> int:
    """Count the points and the ends of lines that a panel would draw one by one."""
    return sum(_points(one) for one in (*axes.lines, *axes.collections) if not one.get_rasterized())


def _points(artist: Line2D | Collection) -> int:
    """Count the points of a line, the marks of a scatter plot, or the ends of many lines."""
    if isinstance(artist, Line2D):
        return len(artist.get_xdata(orig=False))
    ends = [len(path.vertices) for path in artist.get_paths()]
    return sum(ends) if len(ends) > 1 else len(artist.get_offsets())

"""Figures as SVG files."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from generalization.files import written_whole


def save_figure(path: Path | str, figure: Figure) -> None:
    """Write a figure as SVG, whole or not at all; the same figure gives the same bytes.

    Args:
        path: Where the file is to be. Its name also salts the names of the parts of the drawing, so
            that two drawings on one page do not share them.
        figure: Figure to save.
    """
    drawing = BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": Path(path).name}):
        figure.savefig(drawing, format="svg", metadata={"Date": None})
    with written_whole(path) as beside:
        beside.write_bytes(drawing.getvalue())

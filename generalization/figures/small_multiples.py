"""Small multiples: one table, split into panels by rows and columns, and what the panels share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from generalization.figures.facets import WHOLE, Facet
from generalization.figures.legends import legend
from generalization.figures.network_counts import count_networks
from generalization.figures.style import QUIET, Percentages, headline, styled, title


@dataclass(frozen=True)
class Panel:
    """One panel, and what it shows.

    Attributes:
        axes: Where to draw.
        table: The rows of the table that belong here.
        row: Value of the row of panels.
        column: Value of the column of panels.
        row_name: Heading of the row.
        column_name: Heading of the column.
        left: Whether it is the first panel of its row.
        top: Whether it is the first panel of its column.
        bottom: Whether it is the last panel of its column.
    """

    axes: Axes
    table: pd.DataFrame
    row: Any
    column: Any
    row_name: str
    column_name: str
    left: bool
    top: bool
    bottom: bool

    @property
    def heading(self) -> str:
        """The heading of the column, and above it, in the first panel, that of the row."""
        return "\n".join(filter(None, [self.row_name * self.left, self.column_name]))


def at_top(panel: Panel) -> str:
    """Return the heading of the column for its first panel alone."""
    return panel.column_name * panel.top


@dataclass(frozen=True, kw_only=True)
class SmallMultiples:
    """Layout, headings and legend that the panels of a figure share.

    A label that is a string stands at the outer panels, left or at the bottom, with the headings of
    the panel for ``{row}`` and ``{column}``; one that is a function is asked for by every panel.

    Attributes:
        rows: Facet of the rows of panels.
        columns: Facet of the columns of panels.
        wrap: Maximum number of panels side by side, if columns go on in the next row.
        size: Width and height of a panel in inches.
        margin: Width and height of all else.
        fewest: Width that panels take at least, as a number of columns.
        grid: Further arguments of ``Figure.subplots``, such as axes that panels share.
        percent: Whether shares on the y axis are percentages.
        limits: Limits of axes, for ``Axes.set``, set when all panels are drawn: those that share an
            axis share its limits.
        heading: Heading of a panel.
        below: Lines under the heading, which are not bold.
        heading_size: Font size of headings.
        x: Label of the x axis.
        y: Label of the y axis.
        headline: Headline of the figure, with the number of networks that are drawn for
            ``{networks}``.
        legend: Heading → labelled lines, right of the first row of panels.
    """

    rows: Facet = WHOLE
    columns: Facet = WHOLE
    wrap: int = 0
    size: tuple[float, float] = (3.9, 3.3)
    margin: tuple[float, float] = (2.2, 0.9)
    fewest: float = 1
    grid: Mapping[str, Any] = field(default_factory=dict)
    percent: bool = False
    limits: Mapping[str, Any] = field(default_factory=dict)
    heading: Callable[[Panel], str] = lambda panel: panel.heading
    below: Callable[[Panel], Sequence[str]] = lambda _: ()
    heading_size: float = 11.5
    x: str | Callable[[Panel], str] = ""
    y: str | Callable[[Panel], str] = ""
    headline: str = ""
    legend: Mapping[str, Sequence[Line2D]] = field(default_factory=dict)

    @styled
    def draw(
        self,
        table: pd.DataFrame,
        mark: Callable[[Panel], None],
        *,
        on: Figure | SubFigure | None = None,
    ) -> Figure | SubFigure:
        """Draw a table.

        Args:
            table: Rows, with the columns that split it.
            mark: Function that draws in a panel, or removes its axes.
            on: Figure in which to make the panels; a new one, if not given.

        Returns:
            The figure; its axes are the panels, row after row.
        """
        figure = on or Figure(figsize=np.add(self.size_of_panels, self.margin))
        grid = figure.subplots(*self._shape(), squeeze=False, **self.grid)
        panels = self._panels(grid, table)
        for panel in panels:
            mark(panel)
        for panel in panels:
            self._label(panel)
        if self.headline:
            networks = count_networks([panel.table for panel in panels])
            headline(figure, self.headline.format(networks=networks))
        if left_out := " ".join(filter(None, [self.rows.left_out, self.columns.left_out])):
            figure.supxlabel(left_out, x=0.01, ha="left", fontsize=10, color=QUIET)
        legend(grid[0, -1], self.legend)
        return figure

    def _shape(self) -> tuple[int, int]:
        """Count rows and columns of panels."""
        columns = len(self.columns.values)
        wrap = self.wrap or columns
        return len(self.rows.values) * -(-columns // wrap), min(columns, wrap)

    @property
    def size_of_panels(self) -> tuple[float, float]:
        """Width and height of all panels together, in inches."""
        rows, columns = self._shape()
        return self.size[0] * max(columns, self.fewest), self.size[1] * rows

    def _panels(self, grid: np.ndarray, table: pd.DataFrame) -> list[Panel]:
        """Give every panel its rows, and remove the places that are left over."""
        pairs = [
            (row, column)
            for row in zip(self.rows.values, self.rows.names, strict=True)
            for column in zip(self.columns.values, self.columns.names, strict=True)
        ]
        for axes in grid.flat[len(pairs) :]:
            axes.remove()
        panels = []
        for place, ((row, row_name), (column, column_name)) in enumerate(pairs):
            line, position = divmod(place, grid.shape[1])
            rows = self.columns.select(self.rows.select(table, row), column)
            outer = position == 0, line == 0, place + grid.shape[1] >= len(pairs)
            panels.append(
                Panel(grid[line, position], rows, row, column, row_name, column_name, *outer)
            )
        return panels

    def _label(self, panel: Panel) -> None:
        if panel.axes.figure is None:
            return
        if self.percent:
            panel.axes.yaxis.set_major_formatter(Percentages())
        panel.axes.set(**self.limits)
        title(panel.axes, self.heading(panel), self.below(panel), fontsize=self.heading_size)
        names = {"row": panel.row_name, "column": panel.column_name}
        if x := self.x(panel) if callable(self.x) else self.x.format(**names) * panel.bottom:
            panel.axes.set_xlabel(x)
        if y := self.y(panel) if callable(self.y) else self.y.format(**names) * panel.left:
            panel.axes.set_ylabel(y)

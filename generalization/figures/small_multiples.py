"""Small multiples: one table, split into panels by rows and columns, and what all panels share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from generalization.figures.style import QUIET, headline, legend, styled, title
from generalization.names import setting_name
from generalization.tables import NETWORK


@dataclass(frozen=True)
class Facet:
    """One side of a grid of panels: rows or columns of panels, one per value.

    Attributes:
        keys: Columns of the table that hold the values. Without any, every panel sees all rows.
        values: One per panel, in their order; tuples, if there are several keys.
        names: Heading of each value.
        left_out: Sentence about values without panels, if there are any.
    """

    keys: tuple[str, ...] = ()
    values: tuple[Any, ...] = ("",)
    names: tuple[str, ...] = ("",)
    left_out: str = ""

    @classmethod
    def of(
        cls,
        table: pd.DataFrame,
        *keys: str,
        order: Sequence[Any] | None = None,
        most: int | None = None,
        name: Callable[..., str] | None = None,
        noun: str = "",
    ) -> Facet:
        """Split a table by the values of some columns.

        Args:
            table: What is drawn. Its panels are those of values that it has.
            keys: Columns; none, if nothing is split.
            order: Values to show, in their order; all in ascending order, if not given.
            most: Maximum number of panels.
            name: Function from the value of every key to a heading; joined ``setting_name``, if not
                given.
            noun: Plural noun for values, in the sentence about those without panels.
        """
        if not keys:
            return cls()
        rows = table[[*keys]].drop_duplicates().sort_values([*keys]).itertuples(index=False)
        there = [_one_missing(row) for row in rows]
        chosen = there
        if order is not None:
            wanted = (value if isinstance(value, tuple) else (value,) for value in order)
            chosen = [value for value in map(_one_missing, wanted) if value in there]
        chosen = chosen[:most]
        name = name or (lambda *values: ", ".join(map(setting_name, keys, values)))
        cut = noun and len(chosen) < len(there)
        return cls(
            keys,
            tuple(value if len(keys) > 1 else value[0] for value in chosen),
            tuple(name(*value) for value in chosen),
            f"{len(chosen)} of {len(there)} {noun} are shown." if cut else "",
        )

    @classmethod
    def each(cls, names: Mapping[Any, str]) -> Facet:
        """Give every value a panel that sees all rows.

        Args:
            names: Value, for example a column of the table, → heading.
        """
        return cls((), tuple(names), tuple(names.values()))

    def select(self, table: pd.DataFrame, value: Any) -> pd.DataFrame:
        """Return the rows of a value; a missing value equals itself."""
        for key, one in zip(self.keys, value if len(self.keys) > 1 else (value,), strict=False):
            table = table[table[key].isna() if pd.isna(one) else table[key] == one]
        return table

    def split(self, table: pd.DataFrame) -> Iterator[tuple[Any, pd.DataFrame]]:
        """Yield every value with its rows."""
        for value in self.values:
            yield value, self.select(table, value)


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
    """What panels of a figure share.

    A label that is a string stands at the outer panels, left or at the bottom, with the headings of
    the panel for ``{row}`` and ``{column}``; one that is a function is asked for by every panel.

    Attributes:
        rows: What rows of panels show.
        columns: What columns of panels show.
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

    rows: Facet = Facet()
    columns: Facet = Facet()
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
            headline(figure, self.headline.format(networks=_count_networks(panels)))
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
            panel.axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        panel.axes.set(**self.limits)
        title(panel.axes, self.heading(panel), self.below(panel), fontsize=self.heading_size)
        names = {"row": panel.row_name, "column": panel.column_name}
        if x := self.x(panel) if callable(self.x) else self.x.format(**names) * panel.bottom:
            panel.axes.set_xlabel(x)
        if y := self.y(panel) if callable(self.y) else self.y.format(**names) * panel.left:
            panel.axes.set_ylabel(y)


def mean_line(axes: Axes, means: pd.DataFrame, *, band: bool = True, **look: Any) -> None:
    """Draw means with a band of ± one standard error, which one network does not have.

    Args:
        means: ``mean`` and ``sem`` by their place on the x axis.
        band: Whether to draw the band, too.
        look: Properties of the line, with its ``color``.
    """
    axes.plot(means.index, means["mean"], **look)
    if band and means["sem"].notna().any():
        error = means["sem"].fillna(0)
        low, high = means["mean"] - error, means["mean"] + error
        axes.fill_between(means.index, low, high, color=look["color"], alpha=0.2, linewidth=0)


def bars(estimate: Any, low: Any, high: Any) -> np.ndarray:
    """Lengths of error bars to both sides; 0 where there is no interval.

    The percentile interval of a statistic near its limit need not hold the estimate, and rounding
    may leave a mean of equal numbers outside of them.

    Args:
        estimate: Numbers or columns of n numbers.
        low: Ends of intervals.
        high: Ends of intervals.

    Returns:
        2 × n, as ``Axes.errorbar`` takes them.
    """
    low, estimate, high = (np.atleast_1d(np.asarray(one, float)) for one in (low, estimate, high))
    return np.nan_to_num(np.clip([estimate - low, high - estimate], 0, None))


def mean_over_seeds(ensemble: pd.DataFrame, quantity: str) -> pd.Series:
    """Mean over the seeds of an ensemble at every step at which one of them was kept.

    Args:
        ensemble: Rows of one ensemble.
        quantity: Column of the values.

    Returns:
        Step → mean over the networks that have a value.
    """
    steps = np.unique(ensemble["step"])
    seeds = [
        np.interp(np.log1p(steps), np.log1p(seed["step"]), seed[quantity])
        for _, seed in ensemble.sort_values("step").groupby("seed")
    ]
    return pd.DataFrame(seeds, columns=steps).mean()


def counted(rows: pd.DataFrame, name: str, kind: str = "") -> str:
    """``mnist: 12 fitted networks of 1 ensemble``, a heading for rows of networks.

    Args:
        rows: Rows with ``NETWORK``.
        name: Name before the colon.
        kind: Adjective of networks.
    """
    networks, ensembles = len(rows[NETWORK].drop_duplicates()), rows["ensemble"].nunique()
    of = f"{_several(networks, f'{kind} network'.strip())} of {_several(ensembles, 'ensemble')}"
    return f"{name}: {of}"


def _one_missing(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return values with None for what is missing, which equals itself, as NaN does not."""
    return tuple(None if pd.isna(value) else value for value in values)


def _several(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _count_networks(panels: Sequence[Panel]) -> str:
    """Count networks that are drawn; nothing, if the table is not about networks."""
    if not set(NETWORK) <= set(panels[0].table):
        return ""
    networks = pd.concat([panel.table[NETWORK] for panel in panels]).drop_duplicates()
    return _several(len(networks), "network")

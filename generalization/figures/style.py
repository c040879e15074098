"""Style that all figures share: colors, fonts, headings and ticks."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
)

FITTED, ALL, QUIET = "#0072B2", "#D55E00", "#6B6B6B"
# Okabe & Ito's colors, which people with any color vision tell apart; yellow is too pale for lines.
CATEGORIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MOST_DECIMALS = 4  # of a percentage

styled = matplotlib.rc_context({
    "font.size": 11,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    # A tick is the number itself, not its difference from one in the corner.
    "axes.formatter.useoffset": False,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.title_fontsize": 10.5,
    "legend.fontsize": 10.5,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "figure.constrained_layout.use": True,
})


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


class Percentages(PercentFormatter):
    """Shares as percentages, at all ticks with the decimals that one of them needs."""

    def __init__(self) -> None:
        super().__init__(xmax=1)

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """Return the labels of ticks."""
        of_hundred = [100 * value for value in values]
        exact = (
            decimals
            for decimals in range(MOST_DECIMALS)
            if all(abs(round(one, decimals) - one) < 1e-6 for one in of_hundred)
        )
        self.decimals = next(exact, MOST_DECIMALS)
        return super().format_ticks(values)


class LogarithmicTicks(LogLocator):
    """Round numbers on a logarithmic axis: the more, the fewer decades it shows.

    An axis shows more than values, such as the intervals around them.
    """

    def tick_values(self, low: float, high: float) -> Sequence[float]:
        """Return the numbers at which there are ticks, of an axis between two numbers."""
        ratio = high / low
        if ratio < 8:  # Powers of ten and their multiples are too few here.
            return MaxNLocator(5).tick_values(low, high)
        self.set_params(subs=(1, 2, 3, 5) if ratio < 40 else (1, 3) if ratio < 500 else (1,))
        if ratio > 1e6 and self.axis.axis_name == "x":
            # Powers of ten with two digits are wider than numbers, for which there is room.
            self.set_params(numticks=max(2, self.axis.get_tick_space() * 2 // 3))
        return super().tick_values(low, high)


def logarithmic(axis: Axis, values: pd.Series) -> None:
    """Make an axis logarithmic, with plain numbers at its ticks unless values need long ones."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_major_locator(LogarithmicTicks())
    axis.set_minor_locator(LogLocator(subs=range(2, 10)))
    axis.set_minor_formatter(NullFormatter())
    # Over more decades than five there is no room for long numbers.
    if values.max() < 1e6 and values.min() > 1e-4 and values.max() < 1e5 * values.min():
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def logarithmic_from_zero(axis: Axis, values: pd.Series) -> None:
    """Make an axis logarithmic, but for a stretch from 0 to the smallest value above it."""
    least = values[values > 0].min()
    getattr(axis.axes, f"set_{axis.axis_name}scale")("symlog", linthresh=least, linscale=0.4)
    axis.axes.set(**{f"{axis.axis_name}lim": (-0.3 * least, None)})
    # At most seven powers of ten, of which the first is not next to 0.
    first, last = ceil(log10(3 * least)), floor(log10(values.max()))
    axis.set_ticks([
        0.0,
        *(10.0**power for power in range(first, last + 1, 1 + (last - first) // 7)),
    ])


def spans_decades(values: pd.Series) -> bool:
    """Tell whether values of at least 0, some of them 0, span more than three decades."""
    above = values[values > 0]
    return (values >= 0).all() and len(above) > 0 and above.max() > 1000 * above.min()


def empty(axes: Axes, words: str) -> None:
    """Say in a panel why nothing is drawn there; what stands beside its axes stays."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.annotate(words, (0.5, 0.5), xycoords="axes fraction", ha="center")


def figure_of_words(words: str) -> Figure:
    """A figure that has nothing to show and says why."""
    figure = Figure(figsize=(8, 1.5))
    figure.text(0.5, 0.5, words, ha="center", va="center", wrap=True, color=QUIET, fontsize=12)
    return figure


def figure_of_reasons(what: str, *notes: pd.Series) -> Figure:
    """A figure that says why nothing could be estimated, by the notes of rows."""
    reasons = sorted({note for column in notes for note in column.dropna()})
    why = "; ".join(reasons) or "there is no candidate measure"
    return figure_of_words(f"No {what} could be estimated: {why}.")

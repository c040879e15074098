"""Panels of the league of measures: one row per measure, from the top.

Args:
    axes: Panel to draw in.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from generalization.figures.marks import bars
from generalization.figures.style import ALL, FITTED, QUIET

ABOVE = 0.17  # Distance of the pooled correlation above the primary one, in rows.
SHORTEST = 0.02  # A shorter arrow would be a blot.
POOLED = "#9A9A9A"
CEILING = {"color": "#009E73", "linewidth": 1.3, "linestyle": (0, (4, 2))}
PLAIN = {"fontsize": 10.5, "fontweight": "normal"}
CORRELATION = {"xlim": (-1.07, 1.07), "xticks": (-1, -0.5, 0, 0.5, 1)}
SIGN_ERROR = {"xlim": (0, 1.03), "xticks": (0, 0.5, 1), "xticklabels": ("0", "½", "1")}


def draw_reversal(axes: Axes, pooled: pd.DataFrame, judged: pd.DataFrame) -> None:
    """Draw the pooled correlation above the primary one, and an arrow from the one to the other."""
    marked = pooled["shown"] | judged["shown"]
    ends = zip(pooled["estimate"], judged["estimate"], marked, strict=True)
    for place, (before, after, mark) in enumerate(ends):
        if abs(after - before) > SHORTEST:
            turned = mark and before * after < 0
            axes.annotate(
                "",
                (after, place),
                (before, place - ABOVE),
                arrowprops={"arrowstyle": "-|>", "shrinkA": 3, "shrinkB": 4}
                | {"color": ALL if turned else POOLED, "linewidth": 1.6 if turned else 1.1},
            )
    look = {"marker": "o", "markersize": 4.5, "markerfacecolor": "white", "elinewidth": 1}
    _draw_intervals(axes, pooled, dict.fromkeys(pooled.index, POOLED), shift=-ABOVE, **look)


def draw_primary(axes: Axes, judged: pd.DataFrame, words: str) -> None:
    """Draw the correlation by which measures are judged, under a heading."""
    _draw_intervals(axes, judged, _colors(judged), marker="o", markersize=6.5, elinewidth=2)
    axes.axvline(0, color="black", linewidth=1)
    axes.set_title(words, **PLAIN)
    axes.set(xlabel=f"Rank correlation with the gap, {_level(judged)} interval", **CORRELATION)


def draw_ceiling(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the largest correlation that noise of the gap leaves, on both sides."""
    for ceiling in rows["estimate"].dropna():
        for side in (-ceiling, ceiling):
            axes.axvline(side, **CEILING)


def draw_partial(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the correlation given all hyper-parameters."""
    _draw_intervals(axes, rows, _colors(rows), marker="D", markersize=5, elinewidth=1.6)
    axes.axvline(0, color="black", linewidth=1)
    axes.set_title("given all hyper-parameters", **PLAIN)
    axes.set(xlabel="Partial rank correlation", **CORRELATION | {"xticks": (-1, 0, 1)})


def draw_sign_errors(axes: Axes, mean: pd.Series, worst: pd.Series) -> None:
    """Draw a line from the mean to the worst sign error; guessing has one half."""
    places = range(len(worst))
    axes.hlines(places, mean, worst, color=POOLED, linewidth=1.6)
    axes.plot(mean, places, linestyle="", marker="|", markersize=8, color=POOLED)
    axes.plot(worst, places, linestyle="", marker="s", markersize=5.5, color="black")
    axes.axvline(0.5, color="black", linewidth=1)
    axes.set_title("mean | to worst ■", **PLAIN)
    axes.set(xlabel="Sign error", **SIGN_ERROR)


def _draw_intervals(
    axes: Axes, rows: pd.DataFrame, colors: Mapping[str, str], *, shift: float = 0, **look: object
) -> None:
    """Draw estimates with intervals; filled where a relation is shown, otherwise hollow."""
    for place, (measure, row) in enumerate(rows.iterrows()):
        if pd.isna(row["estimate"]):
            continue
        length = bars(row["estimate"], row["low"], row["high"])
        filled = {"markerfacecolor": colors[measure] if row["shown"] else "white"}
        same = {"linestyle": "", "color": colors[measure], "markeredgewidth": 1.4, "zorder": 3}
        drawn = same | filled | look
        axes.errorbar(row["estimate"], place + shift, xerr=length, **drawn)


def _colors(rows: pd.DataFrame) -> dict[str, str]:
    kinds = rows["kind"].items()
    return {measure: FITTED if kind == "candidate" else QUIET for measure, kind in kinds}


def _level(rows: pd.DataFrame) -> str:
    return f"{rows['level'].iloc[0] * 100:g} %"

"""League of measures: correlation with the gap, pooled, and where the design is held fixed."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generalization.figures.legends import labelled
from generalization.figures.marks import bars
from generalization.figures.style import ALL, FITTED, QUIET, figure_of_words, headline, styled
from generalization.names import interval, number, readable, within
from generalization.statistics.league_rows import league_rows, primary_statistic, stratum

ROW = 0.36
BESIDE = "spearman_given_design"
ABOVE = 0.17  # Of the pooled correlation over the primary one, in rows.
SHORTEST = 0.02  # A shorter arrow would be a blot.
POOLED = "#9A9A9A"
CEILING = {"color": "#009E73", "linewidth": 1.3, "linestyle": (0, (4, 2))}
PLAIN = {"fontsize": 10.5, "fontweight": "normal"}
CORRELATION = {"xlim": (-1.07, 1.07), "xticks": (-1, -0.5, 0, 0.5, 1)}
SIGN_ERROR = {"xlim": (0, 1.03), "xticks": (0, 0.5, 1), "xticklabels": ("0", "½", "1")}


@styled
def measure_league(statistics: pd.DataFrame, *, primary: str = "spearman_within") -> Figure:
    """Draw the correlation of every measure with the gap of fitted networks, over all datasets.

    The first panel has the pooled Spearman correlation and the primary statistic, joined by an
    arrow that is orange where the sign changes and at least one of the two is shown. The second has
    the correlation given the design, the third the mean and the worst sign error. Measures are
    sorted by the absolute value of the primary statistic, those without one by the pooled
    correlation. All but candidates are grey.

    Returns:
        The figure; words, if no correlation could be estimated.
    """
    statistic = primary_statistic(statistics, primary)
    judged, pooled = league_rows(statistics, statistic), league_rows(statistics, "spearman")
    if judged["estimate"].isna().all() and pooled["estimate"].isna().all():
        notes = {*judged["note"].dropna(), *pooled["note"].dropna()}
        reasons = "; ".join(sorted(notes)) or "there is no measure"
        return figure_of_words(f"No correlation could be estimated: {reasons}.")
    order = _order(judged, pooled)
    judged, pooled, partial, mean_error, worst_error = (
        league_rows(statistics, name).reindex(order)
        for name in (statistic, "spearman", BESIDE, "sign_error_mean", "sign_error_worst")
    )
    held, reversal = stratum(statistic), statistic != "spearman"
    words = f"within {within(held)}" if held else within(statistic) if reversal else "pooled"

    figure = Figure(figsize=(14, 2.4 + ROW * len(order)))
    panels = figure.subplots(1, 3, sharey=True, width_ratios=(4, 2, 1.3))
    if reversal:
        _draw_reversal(panels[0], pooled, judged)
    _draw_primary(panels[0], judged, f"pooled → {words}" if reversal else words)
    _draw_ceiling(panels[0], league_rows(statistics, "noise_ceiling"))
    _draw_partial(panels[1], partial)
    _draw_sign_errors(panels[2], mean_error["estimate"], worst_error["estimate"])
    _name_rows(panels[0], judged["kind"])
    for place, row in enumerate(judged.to_dict("records")):
        _write_beside(panels[2], place, row)
    _explain(figure, words, reversal=reversal)
    headline(figure, _title(judged, held), fontsize=13)
    return figure


def _order(judged: pd.DataFrame, pooled: pd.DataFrame) -> pd.Index:
    """Sort measures by the primary statistic, those without one last, by the pooled correlation."""
    strengths = pd.DataFrame({
        "judged": judged["estimate"].abs(),
        "pooled": pooled["estimate"].abs(),
    })
    return strengths.sort_values(["judged", "pooled"], ascending=False, kind="stable").index


def _draw_reversal(axes: Axes, pooled: pd.DataFrame, judged: pd.DataFrame) -> None:
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


def _draw_primary(axes: Axes, judged: pd.DataFrame, words: str) -> None:
    _draw_intervals(axes, judged, _colors(judged), marker="o", markersize=6.5, elinewidth=2)
    axes.axvline(0, color="black", linewidth=1)
    axes.set_title(words, **PLAIN)
    axes.set(xlabel=f"Rank correlation with the gap, {_level(judged)} interval", **CORRELATION)


def _draw_ceiling(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the largest correlation that noise of the gap leaves, on both sides."""
    for ceiling in rows["estimate"].dropna():
        for side in (-ceiling, ceiling):
            axes.axvline(side, **CEILING)


def _draw_partial(axes: Axes, rows: pd.DataFrame) -> None:
    _draw_intervals(axes, rows, _colors(rows), marker="D", markersize=5, elinewidth=1.6)
    axes.axvline(0, color="black", linewidth=1)
    axes.set_title("given all hyper-parameters", **PLAIN)
    axes.set(xlabel="Partial rank correlation", **CORRELATION | {"xticks": (-1, 0, 1)})


def _draw_sign_errors(axes: Axes, mean: pd.Series, worst: pd.Series) -> None:
    """Draw a line from the mean to the worst sign error; a coin makes one half."""
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


def _explain(figure: Figure, words: str, *, reversal: bool) -> None:
    """Write the legend of the first panel, and what hollow points are, below all panels."""
    big = {"color": FITTED, "markersize": 6.5}
    looks = {f"{words}: shown": big, "not shown": big | {"markerfacecolor": "white"}}
    if reversal:
        looks |= {
            "pooled": {"color": POOLED, "markerfacecolor": "white", "markersize": 4.5},
            "sign changes": {"color": ALL, "marker": "", "linestyle": "-", "linewidth": 1.6},
        }
    looks["noise ceiling"] = {"marker": "", **CEILING}
    handles = labelled(looks, marker="o", linestyle="")
    figure.legend(handles=handles, loc="outside lower left", ncols=len(looks), handlelength=1.5)


def _name_rows(axes: Axes, kinds: pd.Series) -> None:
    """Write the names at the left, in grey with their kind if they are no candidates."""
    others = {"baseline": "baseline", "factor": "hyper-parameter", "control": "control"}
    names = [
        readable(measure) + (f" ({others[kind]})" if kind in others else "")
        for measure, kind in kinds.items()
    ]
    axes.set_yticks(range(len(kinds)), names)
    axes.set_ylim(len(kinds) - 0.4, -0.75)
    for label, kind in zip(axes.get_yticklabels(), kinds, strict=True):
        label.set_color("black" if kind == "candidate" else QUIET)
    for one in axes.figure.axes:
        one.tick_params(axis="y", length=0)
        one.grid(False, axis="y")
        for place in range(0, len(kinds), 2):
            one.axhspan(place - 0.5, place + 0.5, color="#F5F6F8", linewidth=0, zorder=0)


def _write_beside(axes: Axes, place: Real, row: Mapping[str, object]) -> None:
    """Write the primary statistic right of all panels, or why there is none."""
    missing = pd.isna(row["estimate"])
    words = row["note"] if missing else interval(row["estimate"], row["low"], row["high"])
    style = {"color": QUIET if missing or row["kind"] != "candidate" else FITTED, "fontsize": 10}
    where = (1, place), (10, 0), ("axes fraction", "data"), "offset points"
    lines = fill("" if pd.isna(words) else str(words), 34)
    axes.annotate(lines, *where, va="center", **style)


def _title(judged: pd.DataFrame, held: str) -> str:
    """Head line with what is held fixed and on how many networks the league rests."""
    under = f", at equal {within(held)}" if held else ""
    size = f"{number(int(judged['networks'].max()))} fitted networks"
    ensembles = f"{number(int(judged['ensembles'].max()))} ensembles"
    return f"How measures rank the generalization gap{under}: up to {size} of {ensembles}"


def _level(rows: pd.DataFrame) -> str:
    return f"{rows['level'].iloc[0] * 100:g} %"

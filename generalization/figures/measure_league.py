"""All measures beside each other, by how well they rank the generalization gap."""

from __future__ import annotations

from collections.abc import Collection
from numbers import Real

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generalization.figures.small_multiples import bars
from generalization.figures.style import ALL, FITTED, QUIET, figure_of_words, styled
from generalization.names import interval, readable

ROW = 0.42
LOOKS = {
    "fitted": {"color": FITTED, "marker": "o", "shift": -0.14},
    "all": {"color": ALL, "marker": "s", "shift": 0.14},
}


@styled
def measure_league(statistics: pd.DataFrame, *, baselines: Collection[str] = ()) -> Figure:
    """Spearman's correlation of every measure with the gap, with its interval, over all datasets.

    Measures are in the order of the absolute correlation over fitted networks, those without one
    last. Numbers at the right are of fitted networks.

    Args:
        statistics: Table of ``fit_statistics``.
        baselines: Measures that any other has to beat; their names are grey.

    Returns:
        The figure; words, if there is no measure.
    """
    ranks = statistics.query("statistic == 'spearman' and dataset == 'all'")
    if ranks["estimate"].isna().all():
        reasons = "; ".join(sorted(set(ranks["note"]))) or "there is no measure"
        return figure_of_words(f"No correlation could be estimated: {reasons}.")
    fitted = ranks[ranks["selection"] == "fitted"].set_index("measure")
    order = fitted["estimate"].abs().sort_values(ascending=False, kind="stable").index

    figure = Figure(figsize=(9, 1.8 + ROW * len(order)))
    axes = figure.add_subplot()
    for selection, look in LOOKS.items():
        rows = ranks[ranks["selection"] == selection].set_index("measure").loc[order]
        _draw(axes, rows, selection, **look)
    _name_rows(axes, fitted.loc[order], baselines)
    axes.axvline(0, color="black", linewidth=1)
    axes.set(xlim=(-1.03, 1.03), ylim=(len(order) - 0.4, -1), xticks=(-1, -0.5, 0, 0.5, 1))
    axes.set_xlabel(f"Spearman correlation with the gap, {_level(ranks)} interval")
    axes.set_title("How well measures rank the generalization gap", pad=34)
    axes.grid(False, axis="y")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, borderpad=0.2)
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, selection: str, *, color, marker, shift) -> None:
    axes.errorbar(
        rows["estimate"],
        [place + shift for place in range(len(rows))],
        xerr=bars(rows["estimate"], rows["low"], rows["high"]),
        linestyle="",
        color=color,
        marker=marker,
        markersize=6,
        elinewidth=1.8,
        label=f"{selection} networks ({_most(rows['networks'])})",
    )


def _name_rows(axes: Axes, fitted: pd.DataFrame, baselines: Collection[str]) -> None:
    """Names at the left, baselines grey; numbers, or the reason for none, at the right."""
    axes.set_yticks(
        range(len(fitted)),
        [
            f"{readable(measure)}{' (baseline)' if measure in baselines else ''}"
            for measure in fitted.index
        ],
    )
    axes.tick_params(axis="y", length=0)
    for label, measure in zip(axes.get_yticklabels(), fitted.index, strict=True):
        label.set_color(QUIET if measure in baselines else "black")
    _note(axes, -0.7, "fitted networks", FITTED)
    _note(axes, -0.7, "n", FITTED, column=1)
    for place, row in enumerate(fitted.to_dict("records")):
        if pd.isna(row["estimate"]):
            _note(axes, place, row["note"], QUIET)
        else:
            _note(axes, place, interval(row["estimate"], row["low"], row["high"]), FITTED)
            _note(axes, place, row["networks"], FITTED, column=1)


def _note(axes: Axes, place: Real, text: object, color: str, column: int = 0) -> None:
    """Text right of the axes, in one of two columns."""
    axes.annotate(
        str(text),
        (1, place),
        (14 + 170 * column, 0),
        ("axes fraction", "data"),
        "offset points",
        color=color,
        fontsize=10.5,
        va="center",
        ha="right" if column else "left",
        annotation_clip=False,
    )


def _most(networks: pd.Series) -> str:
    return f"up to {networks.max()}" if networks.nunique() > 1 else f"{networks.max()}"


def _level(ranks: pd.DataFrame) -> str:
    return f"{ranks['level'].iloc[0] * 100:g} %"

"""Output sensitivity and test loss of ensembles that differ in nothing but one factor."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generalization.experiments.output_sensitivity.sensitivities import (
    alike_but_for,
    sensitivities,
    values_of_factor,
)
from generalization.figures.facets import Facet
from generalization.figures.legends import labelled
from generalization.figures.looks import colors
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import QUIET, figure_of_words, logarithmic, styled
from generalization.hyperparameters import FIXED_SIZE
from generalization.names import number, readable, value_name, values_of

# What is shown → its name.
QUANTITIES = {
    "output_sensitivity": "Output sensitivity",
    "centered_output_sensitivity": "Centered output sensitivity",
    "test_loss": "Test loss (nats)",
}
THICK = {"linewidth": 3, "marker": "o", "markersize": 7, "zorder": 4}


@styled
def sensitivity_by_factor(measures: pd.DataFrame, factor: str) -> Figure:
    """One thin line per group of ensembles that are equal in all else, one color per dataset.

    As Forouzesh, Salehi & Thiran 2020, “Sensitivity as a Proxy for Loss”. Values are geometric
    means over seeds at the last step, whether networks have fitted or not. The thick line begins at
    the geometric mean of all groups and goes on, from each value of the factor to the next, by the
    geometric mean of the ratios within the groups that have both: what groups differ in does not
    move it.

    Args:
        factor: A hyper-parameter, or ``depth_at_fixed_size``, for which width differs too.

    Returns:
        The figure; words, if no two ensembles differ in the factor alone.
    """
    points = groups_of(measures, factor)
    if points.empty:
        return figure_of_words(f"{readable(factor)}: no two ensembles differ in it alone.")
    values = values_of(points["value"])
    hues = colors(sorted(points["dataset"].unique()))
    names = [value_name(value).replace("_", "\n") for value in values]

    def groups_by_dataset(panel: Panel) -> dict[str, np.ndarray]:
        rows = panel.table
        return {dataset: _table(rows[rows["dataset"] == dataset], values) for dataset in hues}

    def draw(panel: Panel) -> None:
        for dataset, groups in groups_by_dataset(panel).items():
            _draw(panel.axes, groups, hues[dataset])
        logarithmic(panel.axes.yaxis, panel.table["mean"])
        panel.axes.set_xticks(range(len(values)), names)
        panel.axes.set_xlim(-0.4, len(values) - 0.6)

    def below(panel: Panel) -> list[str]:
        return [
            f"{dataset} " * (len(hues) > 1) + _change(groups)
            for dataset, groups in groups_by_dataset(panel).items()
        ]

    thick = {"linestyle": "-", **THICK}
    lines = {"mean": thick, "all else equal": {"linewidth": 1}}
    return SmallMultiples(
        columns=Facet.of(points, "quantity", order=QUANTITIES, name=QUANTITIES.get),
        size=(3.3, 4.4),
        margin=(1.8, 0),
        below=below,
        x=readable("depth" if factor == FIXED_SIZE else factor),
        legend={
            "Dataset": labelled({name: {"color": hue} for name, hue in hues.items()}, **thick),
            "Lines": labelled(lines, color=QUIET),
        },
    ).draw(points, draw)


def groups_of(measures: pd.DataFrame, factor: str) -> pd.DataFrame:
    """Ensembles of groups that are equal in all but a factor, and have several values of it.

    Args:
        factor: As for ``sensitivity_by_factor``.

    Returns:
        One row per ensemble and quantity: ``dataset``, ``group``, ``value`` of the factor,
        ``quantity`` and its geometric ``mean`` over seeds.
    """
    trained = sensitivities(measures).query("trained")
    losses = trained.drop_duplicates(["ensemble", "seed"])
    losses = losses.assign(measure="test_loss", sensitivity=losses["test_loss"])
    rows = pd.concat([trained, losses], ignore_index=True)
    rows = rows[rows["measure"].isin(QUANTITIES)].assign(
        quantity=lambda table: table["measure"],
        value=lambda table: values_of_factor(table, factor),
        group=lambda table: table["ensemble"].map(alike_but_for(measures, factor)),
        log=lambda table: np.log(table["sensitivity"]),
    )
    keys = ["dataset", "group", "ensemble", "value", "quantity"]
    points = rows.dropna(subset="group").groupby(keys, dropna=False)["log"].mean().reset_index()
    several = points.groupby("group")["value"].transform(lambda column: column.nunique(False)) > 1
    return points.assign(mean=np.exp(points.pop("log")))[several]


def _table(points: pd.DataFrame, values: list) -> np.ndarray:
    """Logarithms, one row per group, one column per value; NaN where there is no ensemble."""
    place = {value: column for column, value in enumerate(values)}
    columns = [place[None if pd.isna(value) else value] for value in points["value"]]
    table = points.assign(place=columns, log=np.log(points["mean"])).pivot_table(
        index="group", columns="place", values="log"
    )
    return table.reindex(columns=range(len(values))).to_numpy(float)


def _draw(axes: Axes, groups: np.ndarray, hue: object) -> None:
    """Every group, and their mean, over the values that they have."""
    for group in groups:
        there = np.flatnonzero(np.isfinite(group))
        axes.plot(there, np.exp(group[there]), color=hue, linewidth=1, alpha=0.45)
    mean = mean_line(groups)
    axes.plot(np.arange(len(mean)), np.exp(mean), color=hue, **THICK)


def mean_line(groups: np.ndarray) -> np.ndarray:
    """The mean of the first column that has any, then plus the mean steps of rows that have both.

    Args:
        groups: One row per group, one column per value of the factor, NaN where there is none.

    Returns:
        One number per column; NaN from where no row leads on.
    """
    line = np.full(groups.shape[1], np.nan)
    there = np.isfinite(groups).any(axis=0)
    if not there.any():
        return line
    begin = int(there.argmax())
    line[begin] = np.nanmean(groups[:, begin])
    for column in range(begin + 1, len(line)):
        steps = groups[:, column] - groups[:, column - 1]
        if np.isfinite(steps).any():
            line[column] = line[column - 1] + np.nanmean(steps)
    return line


def _change(groups: np.ndarray) -> str:
    """From the first to the last value that a group has: the mean ratio, and how often it falls."""
    changes = [
        there[-1] - there[0] for group in groups if len(there := group[np.isfinite(group)]) > 1
    ]
    if not changes:
        return "no group"
    falls = sum(change < 0 for change in changes)
    return f"× {number(np.exp(np.mean(changes)), 2)}, falls in {falls} of {len(changes)}"

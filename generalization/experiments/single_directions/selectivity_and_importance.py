"""How important single units are, how selective, and how much they tell about the class."""

from __future__ import annotations

from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from generalization.experiments.single_directions.single_unit_statistics import GROUP
from generalization.figures.facets import Facet
from generalization.figures.legends import entries
from generalization.figures.looks import colors
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import (
    CATEGORIES,
    QUIET,
    Percentages,
    figure_of_words,
    headline,
    styled,
)
from generalization.names import interval, setting_name, value_name, values_of, within
from generalization.tables import KEPT_NETWORK, with_networks

# What is shown of distributions, by column.
TOLD = {
    "class_selectivity": "Class selectivity",
    "mutual_information": "Information about the class (bits)",
}
MOST, COLUMNS = 7, 4  # Panels, and how many of them side by side.


@styled
def selectivity_and_importance(
    single_units: pd.DataFrame, single_unit_statistics: pd.DataFrame, training: pd.DataFrame
) -> Figure:
    """Importance against selectivity, and distributions of what units tell, as Morcos et al. 2018.

    Units are of networks at their last step that were trained on true labels, whether they have
    fitted or not; of all networks, if there are none. Above one panel per dataset, architecture,
    normalization and dropout, a point per unit, layers apart by color; below the share of units
    that have at most a selectivity, and at most an information, one line per panel above. Of more
    than seven kinds of networks, datasets and architectures take turns.

    Args:
        single_unit_statistics: Table of the same name, for correlations.

    Returns:
        The figure; words, if no unit has a selectivity.
    """
    rows, labels = _shown(single_units, training)
    if rows["class_selectivity"].isna().all():
        return figure_of_words("No unit has a class selectivity to show.")
    groups = _chosen(dict(list(rows.groupby(GROUP, sort=False, dropna=False))))
    told = [key for key in GROUP if len({group[GROUP.index(key)] for group in groups}) > 1]
    layers = colors(values_of(rows["layer"]))

    names = {group: _name(group, told) for group in groups}
    shades = dict(zip(groups, CATEGORIES, strict=False))
    lines = -(-len(groups) // COLUMNS)
    figure = Figure(figsize=(2.3 + 2.6 * max(min(len(groups), COLUMNS), 2), 3.7 + 3.9 * lines))
    above, below = figure.subfigures(2, 1, height_ratios=(1.05 * lines, 1))

    def scatter(panel: Panel) -> None:
        _scatter(panel.axes, panel.table, layers)
        panel.axes.yaxis.set_major_formatter(Percentages())

    def distributions(panel: Panel) -> None:
        for group, units in groups.items():
            _distribution(panel.axes, units[panel.column].dropna(), shades[group])
        panel.axes.yaxis.set_major_formatter(Percentages())

    SmallMultiples(
        columns=Facet(tuple(GROUP), tuple(groups), tuple(fill(n, 26) for n in names.values())),
        wrap=COLUMNS,
        grid={"sharex": True, "sharey": True},
        heading_size=11,
        below=lambda panel: _correlation(single_unit_statistics, panel.column, labels),
        x=lambda _: "Class selectivity",
        y="Importance (accuracy lost)",
        legend={"Hidden layer": entries(layers, "color")},
    ).draw(rows, scatter, on=above)
    hues = {names[group]: hue for group, hue in shades.items()} if told else {}
    SmallMultiples(
        columns=Facet.each(TOLD),
        grid={"sharey": True},
        heading=lambda _: "",
        x=lambda panel: panel.column_name,
        y="Share of units",
        legend={"Networks": entries(hues, "color", marker="", linestyle="-")},
    ).draw(rows, distributions, on=below)
    networks = sum(len(units.drop_duplicates(KEPT_NETWORK)) for units in groups.values())
    left_out = len(rows.drop_duplicates(KEPT_NETWORK)) - networks
    of = f" of {networks + left_out}" * bool(left_out)
    trained = " trained on true labels" * (labels == "true")
    headline(figure, f"Single units of {networks}{of} networks{trained}")
    return figure


def _shown(single_units: pd.DataFrame, training: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Units of networks at their last step, with true labels if there are any; and which."""
    rows = with_networks(single_units, training)
    rows = rows[rows["final"]]
    true = rows[(rows["label_corruption"] == 0) & (rows["randomization"] == "none")]
    return (true, "true") if len(true) else (rows, "all")


def _chosen(groups: dict[tuple, pd.DataFrame]) -> dict[tuple, pd.DataFrame]:
    """As many as there are colors for; datasets and architectures take turns."""
    kinds = pd.DataFrame(list(groups), columns=GROUP)
    turn = kinds.groupby(["dataset", "architecture"]).cumcount().sort_values(kind="stable")
    chosen = sorted(turn.index[:MOST])
    return {group: groups[group] for group in (list(groups)[place] for place in chosen)}


def _scatter(axes: Axes, units: pd.DataFrame, layers: dict) -> None:
    for layer, hue in layers.items():
        of_layer = units[units["layer"] == layer]
        axes.scatter(
            of_layer["class_selectivity"],
            of_layer["importance"],
            s=7,
            color=hue,
            alpha=0.35,
            linewidths=0,
            rasterized=True,  # Thousands of points would make a large file.
        )
    axes.axhline(0, color=QUIET, linewidth=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(4))


def _distribution(axes: Axes, values: pd.Series, hue: str) -> None:
    """The share of units that have at most a value."""
    ordered = np.sort(values)
    axes.plot(ordered, np.arange(1, len(ordered) + 1) / max(len(ordered), 1), color=hue)


def _correlation(statistics: pd.DataFrame, group: tuple, labels: str) -> list[str]:
    """Spearman's correlation in few words, and of how many networks."""
    wanted = (*group, labels, "spearman_importance_selectivity")
    rows = Facet((*GROUP, "labels", "statistic")).select(statistics, wanted)
    (row,) = rows.to_dict("records")
    words = interval(row["estimate"], row["low"], row["high"])
    return [f"ρ {words}", f"{row['networks']} networks"]


def _name(group: tuple, told: list[str]) -> str:
    """Hyper-parameters that distinguish a panel from the others."""
    values = dict(zip(GROUP, group, strict=True))
    return ", ".join(
        setting_name(key, values[key])
        if key in {"dataset", "architecture"}
        else f"{_short(key)} {value_name(values[key])}"
        for key in told
    )


def _short(key: str) -> str:
    return within(key).replace("normalization", "norm.")

"""Accuracies with and without explicit regularizers."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from generalization.experiments.random_labels.fitting_curves import (
    architecture,
    architecture_columns,
)
from generalization.experiments.random_labels.regularization_effects import ALL, NONE, REGULARIZERS
from generalization.figures.facets import Facet
from generalization.figures.legends import labelled
from generalization.figures.looks import looks_apart
from generalization.figures.marks import bars
from generalization.figures.small_multiples import Panel, SmallMultiples, at_top
from generalization.figures.style import QUIET, Percentages, figure_of_words, styled

# Data and statistic → label of the axis, in the order of the rows of panels.
ROWS = {
    ("none", "test_accuracy"): "Test accuracy,\ntrue labels",
    ("none", "early_stopping_gain"): "Early-stopping gain",
    ("random_labels", "train_accuracy"): "Train accuracy,\nrandom labels",
}
CHANCE = {"color": QUIET, "linestyle": "--", "linewidth": 1.2}
MEAN = {"color": "black", "marker": "_", "markersize": 22, "markeredgewidth": 2.5}
SPREAD = 0.5  # Between the settings of one category, of the distance of two.


@styled
def regularizers(regularization_effects: pd.DataFrame, classes: Mapping[str, int]) -> Figure:
    """Accuracies of every setting, a column of marks per combination of regularizers.

    A column of panels per dataset; as Zhang et al. 2017, Tables 1 and 4, and Fig. 2. Bars are means
    over settings, with their intervals.

    Returns:
        The figure; words, if no regularizer was turned on and off.
    """
    kind = regularization_effects[["randomization", "statistic"]].apply(tuple, axis=1)
    rows = regularization_effects.assign(kind=kind)[kind.isin(list(ROWS))]
    if rows.empty:
        return figure_of_words("No regularizer was turned on and off.")
    keys = architecture_columns(regularization_effects)[1:]
    places = {
        name: place for place, name in enumerate(sorted(set(rows["regularizers"]), key=_place))
    }
    networks = Facet.of(
        rows[rows["ensembles"] == 1],
        *keys,
        name=lambda *values: _setting(dict(zip(keys, values, strict=True))),
    )
    looks = looks_apart(len(networks.values))

    def draw(panel: Panel) -> None:
        here = panel.table[panel.table["kind"] == panel.row]
        own = here[here["ensembles"] == 1]
        for place, (_, alike) in enumerate(networks.split(own)):
            shift = SPREAD * (place / max(1, len(looks) - 1) - 0.5)
            x = alike["regularizers"].map(places) + shift
            panel.axes.plot(x, alike["estimate"], linestyle="", markersize=6, **looks[place])
        for mean in here[here["ensembles"] > 1].to_dict("records"):
            ends = mean["estimate"], mean["low"], mean["high"]
            place = places[mean["regularizers"]]
            panel.axes.errorbar(place, ends[0], yerr=bars(*ends), zorder=0, capsize=4, **MEAN)
        if panel.row[1] != "early_stopping_gain":
            panel.axes.axhline(1 / classes[panel.column], **CHANCE)
            panel.axes.set_ylim(0, 1.02)
        panel.axes.yaxis.set_major_formatter(Percentages())
        words = [name.replace(" + ", "\n+ ").replace(" ", "\n", 1) for name in places]
        panel.axes.set_xticks(range(len(places)), words if panel.bottom else [""] * len(places))
        panel.axes.set_xlim(-0.6, len(places) - 0.4)

    marks = {name or "networks": look for name, look in zip(networks.names, looks, strict=True)}
    levels = {"mean": MEAN | {"markersize": 12}, "chance": CHANCE}
    here = [row for row in ROWS if row in set(rows["kind"])]
    return SmallMultiples(
        rows=Facet.each(dict.fromkeys(here, "")),
        columns=Facet.of(rows, "dataset", name=str),
        size=(1.1 * max(4, len(places)), 2.6),
        margin=(4.6, 0.6),
        heading=at_top,
        x=lambda panel: "Explicit regularizers that are on" * panel.bottom,
        y=lambda panel: ROWS[panel.row] * panel.left,
        headline="Generalization with and without explicit regularization",
        legend={
            "Networks": labelled(marks, linestyle="", markersize=7),
            "Level": labelled(levels, linestyle=""),
        },
    ).draw(rows, draw)


def _place(name: str) -> tuple[int, list[int]]:
    """Sort key of regularizers: none first, then one, then several, all last."""
    if name in (NONE, ALL):
        return (0 if name == NONE else len(REGULARIZERS) + 1), []
    order = [words for words, _ in REGULARIZERS.values()]
    parts = [order.index(part) for part in name.split(" + ")]
    return len(parts), parts


def _setting(about: dict[str, object]) -> str:
    """What the networks of one setting share, in words."""
    return architecture({"dataset": ""} | about).removeprefix(", ")

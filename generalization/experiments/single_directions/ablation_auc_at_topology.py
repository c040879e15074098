"""The gap against the area under curves of ablation, over networks of one topology."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure

from generalization.experiments.single_directions.curve_areas import TOPOLOGY, curve_areas
from generalization.figures.facets import Facet
from generalization.figures.looks import Looks, colors
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import QUIET, figure_of_words, styled
from generalization.names import interval, setting_name, values_of

MOST, COLUMNS = 8, 4
FEWEST_SHOWN = 3  # Ensembles of a topology.
ROWS = {"spearman_gap": "All fitted", "spearman_gap_true_labels": "True labels"}


@styled
def ablation_auc_at_topology(
    ablation_curves: pd.DataFrame,
    training: pd.DataFrame,
    ablation_statistics: pd.DataFrame,
    *,
    color: str = "label_corruption",
    fitted_accuracy: float = 0.999,
) -> Figure:
    """One point per network at its last step, one panel per topology, as Morcos et al. 2018.

    Areas are of units of all hidden layers, set to zero. Networks that have not fitted their
    training set are hollow, and not in the correlations.

    Args:
        ablation_statistics: Table of the same name, for Spearman's correlations.
        color: Hyper-parameter that colors tell apart.

    Returns:
        At most eight panels, of the topologies with most ensembles; words, if no topology has three
        ensembles.
    """
    rows = curve_areas(ablation_curves, training)
    rows = rows[rows["final"] & (rows["layer"] == "all") & (rows["mode"] == "zero")]
    ensembles = rows.groupby(TOPOLOGY, sort=False, dropna=False)["ensemble"].nunique()
    ensembles = ensembles[ensembles >= FEWEST_SHOWN].sort_values(ascending=False, kind="stable")
    shown = Facet.of(rows, *TOPOLOGY, order=list(ensembles.index[:MOST]), noun="topologies")
    topologies = shown.values
    if not topologies:
        return figure_of_words(f"No topology has the {FEWEST_SHOWN} ensembles that it needs.")
    several = rows[color].nunique() > 1
    hues = Looks(color if several else None, "color", colors(values_of(rows[color])), QUIET)
    told = [key for key in TOPOLOGY if len({row[TOPOLOGY.index(key)] for row in topologies}) > 1]

    def name(*topology: object) -> str:
        about = dict(zip(TOPOLOGY, topology, strict=True))
        words = [setting_name(key, about[key]) for key in told]
        return "\n".join(", ".join(words[place : place + 2]) for place in range(0, len(words), 2))

    def draw(panel: Panel) -> None:
        for _, of_value in panel.table.groupby(color, dropna=False):
            _draw(panel, of_value, hues.of(of_value.iloc[0]), fitted_accuracy)

    return SmallMultiples(
        columns=replace(shown, names=tuple(name(*topology) for topology in topologies)),
        wrap=COLUMNS,
        size=(2.9, 4),
        margin=(2.3, 0.5),
        fewest=2,
        grid={"sharex": True, "sharey": True},
        heading_size=10.5,
        below=lambda panel: _correlations(ablation_statistics, panel.column),
        percent=True,
        x=lambda _: "Area under the curve",
        y="Gap (train − test accuracy)",
        headline="Gap against the area under curves of ablation, {networks}",
        legend=hues.legend() if several else {},
    ).draw(rows, draw)


def _draw(panel: Panel, networks: pd.DataFrame, hue: object, fitted_accuracy: float) -> None:
    """Draw the points of one color."""
    fitted = networks["train_accuracy"] >= fitted_accuracy
    for some, face in ((networks[fitted], hue), (networks[~fitted], "none")):
        gap = some["train_accuracy"] - some["test_accuracy"]
        look = {"facecolors": face, "edgecolors": hue, "linewidths": 1.1}
        panel.axes.scatter(some["area"], gap, s=26, **look)


def _correlations(statistics: pd.DataFrame, topology: tuple) -> list[str]:
    """Spearman's correlations in few words."""
    of_topology = Facet(tuple(TOPOLOGY)).select(statistics, topology)
    of_topology = of_topology[of_topology["mode"] == "zero"].set_index("statistic")
    return [
        f"{name}: ρ {interval(*of_topology.loc[key, ['estimate', 'low', 'high']])}"
        for key, name in ROWS.items()
        if key in of_topology.index
    ]

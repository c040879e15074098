"""The gap against the area under curves of ablation, over networks of one topology."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from generalization.experiments.single_directions.curve_areas import TOPOLOGY, curve_areas
from generalization.figures.gap_against_measure import title
from generalization.figures.style import (
    QUIET,
    colors,
    entries,
    figure_of_words,
    legend,
    panels_of,
    style_of,
    styled,
)
from generalization.names import interval, readable, setting_name, values_of
from generalization.statistics.estimates import FEWEST_ENSEMBLES
from generalization.tables import NETWORK

MOST, COLUMNS = 8, 4
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
        ablation_curves: Table of the profile of a study.
        training: Table of ``collect_training``.
        ablation_statistics: Table of the same name, for Spearman's correlations.
        color: Hyper-parameter that colors tell apart.
        fitted_accuracy: Train accuracy from which on a network counts as fitted.

    Returns:
        At most eight panels, of the topologies with most ensembles; words, if no topology has three
        ensembles.
    """
    rows = curve_areas(ablation_curves, training)
    rows = rows[rows["final"] & (rows["layer"] == "all") & (rows["mode"] == "zero")]
    ensembles = rows.groupby(TOPOLOGY, sort=False)["ensemble"].nunique()
    ensembles = ensembles[ensembles >= FEWEST_ENSEMBLES].sort_values(ascending=False, kind="stable")
    topologies = list(ensembles.index[:MOST])
    if not topologies:
        return figure_of_words(f"No topology has the {FEWEST_ENSEMBLES} ensembles that it needs.")
    hues = colors(values_of(rows[color])) if rows[color].nunique() > 1 else {}
    told = [key for key in TOPOLOGY if len({row[TOPOLOGY.index(key)] for row in topologies}) > 1]

    columns, lines = min(len(topologies), COLUMNS), -(-len(topologies) // COLUMNS)
    figure = Figure(figsize=(2.3 + 2.9 * max(columns, 2), 0.5 + 4 * lines))
    grid, panels = panels_of(figure, len(topologies), COLUMNS, sharex=True, sharey=True)
    count = 0
    for axes, topology in zip(panels, topologies, strict=True):
        networks = rows[(rows[TOPOLOGY] == list(topology)).all(axis=1)]
        count += len(networks.drop_duplicates(NETWORK))
        _draw(axes, networks, color, hues, fitted_accuracy)
        about = dict(zip(TOPOLOGY, topology, strict=True))
        words = [setting_name(key, about[key]) for key in told]
        heading = "\n".join(filter(None, [", ".join(words[:2]), ", ".join(words[2:])]))
        title(axes, heading, _correlations(ablation_statistics, topology), fontsize=10.5)
    for axes in grid[:, 0]:
        axes.set_ylabel("Gap (train − test accuracy)")
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    heading = f"Gap against the area under curves of ablation, {count} networks"
    figure.suptitle(heading, x=0.01, ha="left", weight="bold")
    legend(panels[columns - 1], {readable(color): entries(hues, "color")} if hues else {})
    return figure


def _draw(
    axes: Axes, networks: pd.DataFrame, color: str, hues: dict, fitted_accuracy: float
) -> None:
    """The points of one panel."""
    for value, of_value in networks.groupby(color, dropna=False):
        hue = style_of(hues, value, QUIET)
        fitted = of_value["train_accuracy"] >= fitted_accuracy
        for some, face in ((of_value[fitted], hue), (of_value[~fitted], "none")):
            gap = some["train_accuracy"] - some["test_accuracy"]
            axes.scatter(some["area"], gap, s=26, facecolors=face, edgecolors=hue, linewidths=1.1)
    axes.set_xlabel("Area under the curve")


def _correlations(statistics: pd.DataFrame, topology: tuple) -> list[str]:
    """Spearman's correlations in few words."""
    of_topology = statistics[
        (statistics[TOPOLOGY] == list(topology)).all(axis=1) & (statistics["mode"] == "zero")
    ].set_index("statistic")
    return [
        f"{name}: ρ {interval(*of_topology.loc[key, ['estimate', 'low', 'high']])}"
        for key, name in ROWS.items()
        if key in of_topology.index
    ]

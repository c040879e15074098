"""One point per ensemble on two logarithmic axes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from generalization.figures.looks import Looks
from generalization.figures.marks import bars
from generalization.figures.style import logarithmic
from generalization.names import interval

# Correlation → what it is called above a panel.
SHOWN = {"pearson_log": "r of logs", "spearman": "ρ"}


def draw_ensembles(
    axes: Axes, networks: pd.DataFrame, x: str, y: str, looks: tuple[Looks, Looks]
) -> None:
    """Draw one point per ensemble, the geometric mean over seeds, with bars over their whole range.

    Args:
        networks: One row each, with positive values.
        looks: Colors and markers, see ``told_apart``; hollow are those of which ``fitted`` is not
            true of all.
    """
    hues, shapes = looks
    for _, seeds in networks.groupby("ensemble", sort=False):
        about = seeds.iloc[0]
        means = [np.exp(np.log(seeds[key]).mean()) for key in (x, y)]
        across, up = (
            bars(mean, seeds[key].min(), seeds[key].max())
            for mean, key in zip(means, (x, y), strict=True)
        )
        axes.errorbar(
            *means,
            xerr=across,
            yerr=up,
            color=(hue := hues.of(about)),
            marker=shapes.of(about),
            markersize=6,
            markeredgewidth=1.3,
            markerfacecolor=hue if seeds["fitted"].all() else "white",
            elinewidth=0.9,
        )
    if len(networks):
        logarithmic(axes.xaxis, networks[x])
        logarithmic(axes.yaxis, networks[y])


def correlations(
    statistics: pd.DataFrame, measure: str, dataset: str, *, trained: bool
) -> list[str]:
    """Correlations with the test loss in few words, of fitted networks, else of all.

    Args:
        statistics: Table of ``sensitivity_statistics``.
        measure: Name of the sensitivity.
        dataset: Dataset of the networks; the only one of a study stands under ``all``.
        trained: Whether it is the sensitivity after training.
    """
    blocks = statistics["dataset"].unique()
    wanted = {"measure": measure, "trained": trained}
    wanted["dataset"] = dataset if dataset in blocks else "all"
    rows = statistics[(statistics[[*wanted]] == [*wanted.values()]).all(axis=1)]
    for selection in ("fitted", "all"):
        chosen = rows[(rows["selection"] == selection) & rows["estimate"].notna()]
        chosen = chosen.set_index("statistic")
        if set(SHOWN) <= set(chosen.index):
            of = f"{chosen['networks'].iloc[0]} {'fitted ' * (selection == 'fitted')}networks"
            r, rho = (f"{SHOWN[name]} {_estimate(chosen.loc[name])}" for name in SHOWN)
            return [r, f"{rho}, {of}"]
    return ["no correlation: too few ensembles, or all alike"]


def _estimate(row: pd.Series) -> str:
    return interval(row["estimate"], row["low"], row["high"])

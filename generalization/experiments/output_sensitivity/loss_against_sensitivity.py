"""The test loss of ensembles against their output sensitivity, and the line that predicts it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from generalization.experiments.output_sensitivity.ensemble_points import (
    Looks,
    draw_ensembles,
    explain,
)
from generalization.experiments.output_sensitivity.predicted_loss import predicted_loss
from generalization.experiments.output_sensitivity.sensitivities import (
    OF_LOGITS,
    SENSITIVITIES,
    sensitivities,
)
from generalization.figures.gap_against_measure import title
from generalization.figures.style import figure_of_words, styled
from generalization.names import interval, readable
from generalization.statistics.selection import has_fitted

LINE = {"color": "black", "linewidth": 1.4}
# Correlation → what it is called above a panel.
SHOWN = {"pearson_log": "r of logs", "spearman": "ρ"}


@styled
def loss_against_sensitivity(
    measures: pd.DataFrame,
    output_sensitivities: pd.DataFrame,
    sensitivity_statistics: pd.DataFrame,
    *,
    color: str = "label_corruption",
    marker: str = "depth",
    fitted_accuracy: float = 0.999,
) -> Figure:
    """One point per ensemble, one row per kind of sensitivity, one column per dataset.

    As Forouzesh, Salehi & Thiran 2020, “Loss vs. Sensitivity”. The line is theirs,
    √(½ · (K−1)/K · S C), with the S of the row, and C and K of the dataset. Networks are at their
    last step.

    Args:
        measures: Table of ``collect_measures``.
        output_sensitivities: Table of the profile, for C and K.
        sensitivity_statistics: Table of that name, for what stands above.
        color: Hyper-parameter that colors tell apart, see ``told_apart``.
        marker: Hyper-parameter that markers tell apart.
        fitted_accuracy: Train accuracy from which on a network counts as fitted.

    Returns:
        The figure; words, if no network has a sensitivity and a test loss.
    """
    networks = sensitivities(measures)
    networks = networks[networks["trained"]].assign(
        fitted=lambda rows: has_fitted(rows, fitted_accuracy=fitted_accuracy)
    )
    if networks.empty:
        return figure_of_words("Loss against sensitivity: no trained network has both.")
    looks = Looks.of(networks, color, marker)
    kinds = [kind for kind in SENSITIVITIES if (networks["measure"] == kind).any()]
    datasets = sorted(networks["dataset"].unique())
    constants = _constants(networks, output_sensitivities)
    figure = Figure(figsize=(2.2 + 4.1 * len(datasets), 0.4 + 3.6 * len(kinds)))
    panels = figure.subplots(len(kinds), len(datasets), squeeze=False)
    for kind, of_kind in zip(kinds, panels, strict=True):
        for dataset, axes in zip(datasets, of_kind, strict=True):
            rows = networks[(networks["measure"] == kind) & (networks["dataset"] == dataset)]
            draw_ensembles(axes, rows, "sensitivity", "test_loss", looks)
            if kind in OF_LOGITS and len(rows) and dataset in constants:
                _draw_line(axes, rows["sensitivity"], constants[dataset])
            lines = correlations(sensitivity_statistics, kind, dataset, trained=True)
            title(axes, dataset, lines, fontsize=11.5)
            axes.set_xlabel(f"{readable(kind)} S")
        of_kind[0].set_ylabel("Test loss (nats)")
    line = [Line2D([], [], label="√(½ · (K−1)/K · S C)", **LINE)] if constants else []
    explain(panels[0, -1], networks, looks, predicted=line)
    return figure


def correlations(
    statistics: pd.DataFrame, measure: str, dataset: str, *, trained: bool
) -> list[str]:
    """Correlations with the test loss in few words, of fitted networks, else of all.

    Args:
        statistics: Table of ``sensitivity_statistics``.
        measure: Which sensitivity.
        dataset: Of which networks; the only one of a study stands under ``all``.
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


def _constants(
    networks: pd.DataFrame, output_sensitivities: pd.DataFrame
) -> Mapping[str, tuple[float, int]]:
    """Dataset → C and K, of its networks."""
    datasets = networks.drop_duplicates("ensemble").set_index("ensemble")["dataset"]
    rows = output_sensitivities.assign(dataset=output_sensitivities["ensemble"].map(datasets))
    means = rows.groupby("dataset")[["input_ratio", "classes"]].mean()
    return {
        dataset: (row["input_ratio"], round(row["classes"])) for dataset, row in means.iterrows()
    }


def _draw_line(axes: Axes, values: pd.Series, constants: tuple[float, int]) -> None:
    along = np.geomspace(values.min(), values.max(), 50)
    axes.plot(along, predicted_loss(along, *constants), zorder=1, **LINE)


def _estimate(row: pd.Series) -> str:
    return interval(row["estimate"], row["low"], row["high"])

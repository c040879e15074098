"""The test loss of ensembles against their output sensitivity, and the line that predicts it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generalization.experiments.output_sensitivity.ensemble_points import (
    correlations,
    draw_ensembles,
)
from generalization.experiments.output_sensitivity.predicted_loss import predicted_loss
from generalization.experiments.output_sensitivity.sensitivities import (
    OF_LOGITS,
    SENSITIVITIES,
    sensitivities,
)
from generalization.figures.facets import Facet
from generalization.figures.legends import labelled
from generalization.figures.looks import ensemble_legend, told_apart
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import figure_of_words, styled
from generalization.names import readable
from generalization.statistics.selection import has_fitted

LINE = {"color": "black", "linewidth": 1.4}


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

    Returns:
        The figure; words, if no network has a sensitivity and a test loss.
    """
    networks = sensitivities(measures)
    networks = networks[networks["trained"]].assign(
        fitted=lambda rows: has_fitted(rows, fitted_accuracy=fitted_accuracy)
    )
    if networks.empty:
        return figure_of_words("Loss against sensitivity: no trained network has both.")
    looks = told_apart(networks, color, marker)
    constants = _constants(networks, output_sensitivities)
    line = labelled({"√(½ · (K−1)/K · S C)": LINE} if constants else {})

    def draw(panel: Panel) -> None:
        draw_ensembles(panel.axes, panel.table, "sensitivity", "test_loss", looks)
        if panel.row in OF_LOGITS and len(panel.table) and panel.column in constants:
            _draw_line(panel.axes, panel.table["sensitivity"], constants[panel.column])

    return SmallMultiples(
        rows=Facet.of(networks, "measure", order=SENSITIVITIES, name=readable),
        columns=Facet.of(networks, "dataset"),
        size=(4.1, 3.6),
        margin=(2.2, 0.4),
        heading=lambda panel: panel.column_name,
        below=lambda panel: correlations(
            sensitivity_statistics, panel.row, panel.column, trained=True
        ),
        x=lambda panel: f"{panel.row_name} S",
        y="Test loss (nats)",
        legend=ensemble_legend(looks, networks["fitted"]) | {"Predicted": line},
    ).draw(networks, draw)


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

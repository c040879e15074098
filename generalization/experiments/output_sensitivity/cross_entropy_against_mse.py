"""The cross-entropy of ensembles on the test set against the root of half the squared error."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from generalization.experiments.output_sensitivity.ensemble_points import draw_ensembles
from generalization.figures.facets import Facet
from generalization.figures.legends import labelled
from generalization.figures.looks import ensemble_legend, told_apart
from generalization.figures.small_multiples import Panel, SmallMultiples, at_top
from generalization.figures.style import QUIET, figure_of_words, styled
from generalization.statistics.selection import has_fitted
from generalization.tables import with_networks

# Column → what the error is of.
ERRORS = {"squared_error": "softmax", "squared_logit_error": "logits"}
EQUAL = {"color": QUIET, "linewidth": 1.2}


@styled
def cross_entropy_against_mse(
    prediction_errors: pd.DataFrame,
    training: pd.DataFrame,
    *,
    color: str = "label_corruption",
    marker: str = "depth",
    fitted_accuracy: float = 0.999,
) -> Figure:
    """One point per ensemble at its last step, one column per dataset, L ≈ √(L_MSE / 2) as a line.

    Forouzesh, Salehi & Thiran 2020, “Loss vs. Sensitivity”. The upper row has the squared error of
    probabilities, of which the root of the half is at most 1, the lower one that of logits, as the
    authors' code.

    Returns:
        The figure; words, if no network has errors.
    """
    networks = with_networks(prediction_errors, training)
    networks = networks[networks["final"]]
    positive = (networks[["cross_entropy", *ERRORS]] > 0) & np.isfinite(
        networks[["cross_entropy", *ERRORS]].astype(float)
    )
    networks = networks[positive.all(axis=1)]
    if networks.empty:
        return figure_of_words("Cross-entropy against squared error: no network has either.")
    networks = networks.assign(
        fitted=has_fitted(networks, fitted_accuracy=fitted_accuracy),
        **{f"root_{key}": np.sqrt(networks[key] / 2) for key in ERRORS},
    )
    looks = told_apart(training, color, marker)

    def draw(panel: Panel) -> None:
        x = f"root_{panel.row}"
        draw_ensembles(panel.axes, panel.table, x, "cross_entropy", looks)
        ends = panel.table[x].agg(["min", "max"])
        panel.axes.plot(ends, ends, zorder=1, **EQUAL)

    return SmallMultiples(
        rows=Facet.each(ERRORS),
        columns=Facet.of(networks, "dataset"),
        size=(4.1, 3.8),
        margin=(2.2, 0),
        heading=at_top,
        heading_size=13,
        x=lambda panel: f"√(squared error of the {panel.row_name} / 2)",
        y="Cross-entropy (nats)",
        legend=ensemble_legend(looks, networks["fitted"])
        | {"Relation": labelled({"L = √(MSE / 2)": EQUAL})},
    ).draw(networks, draw)

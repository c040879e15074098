"""The cross-entropy of ensembles on the test set against the root of half the squared error."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from generalization.experiments.output_sensitivity.ensemble_points import (
    Looks,
    draw_ensembles,
    explain,
)
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

    Args:
        prediction_errors: Table of the profile.
        training: Table of ``collect_training``.
        color: Hyper-parameter that colors tell apart, see ``told_apart``.
        marker: Hyper-parameter that markers tell apart.
        fitted_accuracy: Train accuracy from which on a network counts as fitted.

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
    looks = Looks.of(training, color, marker)
    datasets = sorted(networks["dataset"].unique())
    figure = Figure(figsize=(2.2 + 4.1 * len(datasets), 7.6))
    panels = figure.subplots(2, len(datasets), squeeze=False)
    for (key, of), of_error in zip(ERRORS.items(), panels, strict=True):
        for dataset, axes in zip(datasets, of_error, strict=True):
            rows = networks[networks["dataset"] == dataset]
            draw_ensembles(axes, rows, f"root_{key}", "cross_entropy", looks)
            if len(rows):
                ends = rows[f"root_{key}"].agg(["min", "max"])
                axes.plot(ends, ends, zorder=1, **EQUAL)
            axes.set_xlabel(f"√(squared error of the {of} / 2)")
        of_error[0].set_ylabel("Cross-entropy (nats)")
    for dataset, axes in zip(datasets, panels[0], strict=True):
        axes.set_title(dataset)
    equal = Line2D([], [], label="L = √(MSE / 2)", **EQUAL)
    explain(panels[0, -1], networks, looks, relation=[equal])
    return figure

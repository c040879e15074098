"""Output sensitivity before training against the same after it, and against the test loss."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from generalization.experiments.output_sensitivity.ensemble_points import (
    Looks,
    draw_ensembles,
    explain,
)
from generalization.experiments.output_sensitivity.loss_against_sensitivity import correlations
from generalization.experiments.output_sensitivity.sensitivities import sensitivities
from generalization.figures.gap_against_measure import title
from generalization.figures.style import QUIET, figure_of_words, logarithmic, styled
from generalization.names import readable, within
from generalization.statistics.selection import has_fitted
from generalization.tables import NETWORK

# The authors' own, and the one that the loss can see.
KINDS = ("output_sensitivity", "centered_output_sensitivity")
EQUAL = {"color": QUIET, "linewidth": 1}


@styled
def sensitivity_before_and_after(
    measures: pd.DataFrame,
    sensitivity_statistics: pd.DataFrame,
    *,
    color: str = "label_corruption",
    marker: str = "depth",
    fitted_accuracy: float = 0.999,
) -> Figure:
    """One point per ensemble, one column per dataset; for each kind of sensitivity two rows.

    As Forouzesh, Salehi & Thiran 2020, “Sensitivity of Untrained Networks”: the sensitivity of
    trained networks, and below it their test loss, against that of the same networks before.

    Args:
        measures: Table of ``collect_measures``, with networks kept at step 0.
        sensitivity_statistics: Table of that name, for what stands above.
        color: Hyper-parameter that colors tell apart, see ``told_apart``.
        marker: Hyper-parameter that markers tell apart.
        fitted_accuracy: Train accuracy from which on a network counts as fitted.

    Returns:
        The figure; words, if no network has a sensitivity before and after training.
    """
    networks = _before_and_after(measures)
    if networks.empty:
        return figure_of_words(
            "Sensitivity before and after: no network was measured at step 0 and at its last step."
        )
    networks["fitted"] = has_fitted(networks, fitted_accuracy=fitted_accuracy)
    looks = Looks.of(networks, color, marker)
    kinds = [kind for kind in KINDS if (networks["measure"] == kind).any()]
    datasets = sorted(networks["dataset"].unique())
    figure = Figure(figsize=(2.2 + 4.1 * len(datasets), 0.4 + 6.8 * len(kinds)))
    panels = figure.subplots(2 * len(kinds), len(datasets), squeeze=False)
    for place, kind in enumerate(kinds):
        for column, dataset in enumerate(datasets):
            rows = networks[(networks["measure"] == kind) & (networks["dataset"] == dataset)]
            upper, lower = panels[2 * place : 2 * place + 2, column]
            draw_ensembles(upper, rows, "before", "after", looks)
            _draw_equal(upper, rows[["before", "after"]].stack())
            upper.set_title(dataset, fontsize=11.5)
            draw_ensembles(lower, rows, "before", "test_loss", looks)
            lines = correlations(sensitivity_statistics, kind, dataset, trained=False)
            title(lower, "", lines)
            for axes in (upper, lower):
                axes.set_xlabel(f"{readable(kind)} before training")
        panels[2 * place, 0].set_ylabel(f"{readable(kind)}\nafter training")
        panels[2 * place + 1, 0].set_ylabel("Test loss (nats)")
    equal = Line2D([], [], label=f"{within('after')} = before", **EQUAL)
    explain(panels[0, -1], networks, looks, no_change=[equal])
    return figure


def _before_and_after(measures: pd.DataFrame) -> pd.DataFrame:
    """One row per network and kind: the sensitivities ``before`` and ``after``."""
    rows = sensitivities(measures)
    keys = [*NETWORK, "measure"]
    before = rows.loc[~rows["trained"], [*keys, "sensitivity"]].rename(
        columns={"sensitivity": "before"}
    )
    after = rows[rows["trained"]].rename(columns={"sensitivity": "after"})
    return after.merge(before, on=keys, validate="one_to_one")


def _draw_equal(axes: Axes, values: pd.Series) -> None:
    """Where the sensitivity is the same after training, over all that either axis shows."""
    if len(values):
        ends = values.min(), values.max()
        axes.plot(ends, ends, zorder=1, **EQUAL)
        for axis in (axes.xaxis, axes.yaxis):
            logarithmic(axis, values)

"""Output sensitivity before training against the same after it, and against the test loss."""

from __future__ import annotations

from itertools import product

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generalization.experiments.output_sensitivity.ensemble_points import (
    correlations,
    draw_ensembles,
)
from generalization.experiments.output_sensitivity.sensitivities import sensitivities
from generalization.figures.facets import Facet
from generalization.figures.legends import labelled
from generalization.figures.looks import ensemble_legend, told_apart
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.figures.style import QUIET, figure_of_words, logarithmic, styled
from generalization.names import readable
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

    Returns:
        The figure; words, if no network has a sensitivity before and after training.
    """
    networks = _before_and_after(measures)
    if networks.empty:
        return figure_of_words(
            "Sensitivity before and after: no network was measured at step 0 and at its last step."
        )
    networks["fitted"] = has_fitted(networks, fitted_accuracy=fitted_accuracy)
    looks = told_apart(networks, color, marker)
    kinds = [kind for kind in KINDS if (networks["measure"] == kind).any()]

    def draw(panel: Panel) -> None:
        kind, y = panel.row
        rows = panel.table[panel.table["measure"] == kind]
        draw_ensembles(panel.axes, rows, "before", y, looks)
        if y == "after":
            _draw_equal(panel.axes, rows[["before", "after"]].stack())

    def below(panel: Panel) -> list[str]:
        kind, y = panel.row
        if y == "after":
            return []
        return correlations(sensitivity_statistics, kind, panel.column, trained=False)

    return SmallMultiples(
        # One row of panels per kind and what is drawn against it before training.
        rows=Facet.each({
            (kind, y): f"{readable(kind)}\nafter training" if y == "after" else "Test loss (nats)"
            for kind, y in product(kinds, ("after", "test_loss"))
        }),
        columns=Facet.of(networks, "dataset"),
        size=(4.1, 3.4),
        margin=(2.2, 0.4),
        heading=lambda panel: panel.column_name * (panel.row[1] == "after"),
        below=below,
        x=lambda panel: f"{readable(panel.row[0])} before training",
        y="{row}",
        legend=ensemble_legend(looks, networks["fitted"])
        | {"No change": labelled({"after = before": EQUAL})},
    ).draw(networks, draw)


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

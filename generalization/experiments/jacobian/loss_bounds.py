"""Jacobian norms at test points between the curves that bound them by the loss."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generalization.experiments.jacobian.loss_against_norm import LOOKS, draw_points, first_networks
from generalization.experiments.jacobian.loss_curves import (
    norm_at_least,
    norm_with_even_rivals,
    norm_with_one_rival,
    true_row_with_even_rivals,
    true_row_with_one_rival,
)
from generalization.experiments.jacobian.single_points import fitted_points
from generalization.figures.facets import Facet
from generalization.figures.legends import labelled, legend
from generalization.figures.small_multiples import Panel, SmallMultiples, at_top
from generalization.figures.style import ALL, FITTED, figure_of_words, styled
from generalization.names import number

EVEN = {"color": "black", "linestyle": "-"}
ONE = {"color": "#CC79A7", "linestyle": "-"}
# Column → its name on the axis, and name → curve from l, M and K, and how it is drawn.
ROWS = {
    "true_row_norm": (
        "Norm of the true class's row ‖J$_y$‖",
        {
            "Eq. 5, upper: one rival": (lambda loss, m, _: true_row_with_one_rival(loss, m), ONE),
            "Eq. 5, lower: even rivals": (true_row_with_even_rivals, EVEN),
        },
    ),
    "jacobian_norm": (
        "Jacobian norm ‖J‖$_F$",
        {
            "2√M p(1−p): one rival": (lambda loss, m, _: norm_with_one_rival(loss, m), ONE),
            "Eq. 7: even rivals": (norm_with_even_rivals, EVEN),
            "Eq. 6, tightened": (norm_at_least, {"color": "#009E73", "linestyle": "--"}),
            "Eq. 6, as printed": (
                true_row_with_even_rivals,
                {"color": "#E69F00", "linestyle": ":"},
            ),
        },
    ),
}


@styled
def loss_bounds(
    points: pd.DataFrame, training: pd.DataFrame, *, fitted_accuracy: float = 0.999
) -> Figure:
    """Test points of one network per dataset, and what Novak et al. 2018, §A.3, expect of them.

    As their Fig. App. 11, on logarithmic axes, with points at which the network is wrong told
    apart, M of centered logits, and the curves of ``loss_curves``.

    Returns:
        The figure; words, if no network that was trained with cross-entropy has fitted.
    """
    rows = fitted_points(points, training, fitted_accuracy=fitted_accuracy)
    rows = rows[rows["loss"] == "cross_entropy"]
    if rows.empty:
        return figure_of_words(
            "Bounds of the norm by the loss: no network that was trained with cross-entropy has "
            "fitted true labels."
        )
    # Of every dataset one network.
    of_datasets = [of_dataset for _, of_dataset in rows.groupby("dataset")]
    shown = pd.concat([first_networks(of_dataset, 1)[0] for of_dataset in of_datasets])

    def below(panel: Panel) -> list[str]:
        network = panel.table
        m, classes = number(network["logit_gram_m"].mean()), network["classes"].iloc[0]
        return [f"M = {m}, K = {classes}, {len(network):,} test points"] * panel.top

    figure = SmallMultiples(
        rows=Facet.each({column: label for column, (label, _) in ROWS.items()}),
        columns=Facet.of(shown, "dataset"),
        size=(4.1, 4.1),
        margin=(3.2, 0),
        grid={"sharex": "col"},
        heading=at_top,
        heading_size=13,
        below=below,
        x="Cross-entropy (nats)",
        y="{row}",
    ).draw(shown, lambda panel: _draw(panel.axes, panel.table, panel.row))
    _explain(figure)
    return figure


def _draw(axes: Axes, network: pd.DataFrame, column: str) -> None:
    """Points and curves; what is 0 has no place on logarithmic axes."""
    colored = network.assign(color=np.where(network["correct"], FITTED, ALL))
    draw_points(axes, colored, "cross_entropy", column)
    losses = network.loc[(network["cross_entropy"] > 0) & (network[column] > 0), "cross_entropy"]
    if losses.empty:
        return
    m, classes = network["logit_gram_m"].mean(), int(network["classes"].iloc[0])
    along = np.geomspace(losses.min(), losses.max(), 400)
    for name, (curve, look) in ROWS[column][1].items():
        axes.plot(along, curve(along, m, classes), label=name, linewidth=1.6, zorder=4, **look)


def _explain(figure: Figure) -> None:
    """Name marks and curves at the right of every row of panels."""
    marks = {name: {"color": color} for name, color in {"right": FITTED, "wrong": ALL}.items()}
    marks = {name: look | {"marker": LOOKS[name]["marker"]} for name, look in marks.items()}
    last = figure.axes[len(figure.axes) // len(ROWS) - 1 :: len(figure.axes) // len(ROWS)]
    for axes, (_, curves) in zip(last, ROWS.values(), strict=True):
        lines = labelled({name: look for name, (_, look) in curves.items()})
        legend(axes, {"The network is": labelled(marks, linestyle=""), "Curves": lines})

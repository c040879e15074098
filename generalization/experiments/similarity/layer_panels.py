"""One row of panels per kind of networks, one panel per layer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generalization.experiments.similarity.layer_maps import layer_names, name_of_networks
from generalization.figures.facets import Facet
from generalization.figures.small_multiples import Panel, SmallMultiples
from generalization.tables import NETWORK

GROUP = ["dataset", "architecture", "depth", "width"]
MOST_GROUPS, MOST_COLUMNS = 3, 3


def panels_of_layers(
    rows: pd.DataFrame, draw: Callable[[Axes, pd.DataFrame], None], **settings: object
) -> Figure:
    """Draw one row of panels per dataset, architecture, depth and width, at most three.

    One panel per layer, at most three: the first, the last, and what is evenly between.

    Args:
        rows: Rows with ``layer`` and the hyper-parameters of their networks.
        draw: Draws the rows of one layer of one kind of networks.
        settings: Further settings of ``SmallMultiples``.
    """
    groups = Facet.of(rows, *GROUP, most=MOST_GROUPS, noun="kinds of networks")
    columns = min(max(depth for _, _, depth, _ in groups.values), MOST_COLUMNS)

    def draw_panel(panel: Panel) -> None:
        shown = _shown_layers(panel.row[2], columns)
        if panel.column >= len(shown):
            panel.axes.remove()
        else:
            draw(panel.axes, panel.table[panel.table["layer"] == shown[panel.column]])

    def heading(panel: Panel) -> str:
        *kind, depth, width = panel.row
        name = layer_names(depth)[_shown_layers(depth, columns)[panel.column]]
        layer = name if name == "logits" else f"layer {name}"
        networks = len(panel.table.drop_duplicates(NETWORK))
        about = f"{name_of_networks(rows, *kind, depth)}, width {width}, {networks} networks"
        return f"{about}\n{layer}" if panel.left else layer

    return SmallMultiples(
        rows=groups,
        columns=Facet.each(dict.fromkeys(range(columns), "")),
        size=(3, 3.1),
        grid={"sharey": "row"},
        limits={"ylim": (0, 1.03)},
        heading=heading,
        **settings,
    ).draw(rows, draw_panel)


def _shown_layers(depth: int, columns: int) -> np.ndarray:
    """Return the layers that have panels."""
    return np.unique(np.linspace(0, depth - 1, columns).round().astype(int))

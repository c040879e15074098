"""Heat maps of layers of one network against those of another, and names of what is similar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from generalization.figures.facets import Facet
from generalization.figures.legends import entries
from generalization.figures.style import QUIET
from generalization.names import setting_name
from generalization.tables import NETWORK

NAMES = {"svcca": "SVCCA", "pwcca": "PWCCA", "mean_cca": "Mean CCA", "linear_cka": "Linear CKA"}
TASKS = {"generalizing": "true labels", "memorizing": "random labels", "": "some random labels"}


@dataclass(frozen=True)
class Panel:
    """Content of a heat map.

    Attributes:
        pairs: Pairs of layers of networks of two depths.
        title: Title of the map.
        rows: Label of the rows.
        columns: Label of the columns.
    """

    pairs: pd.DataFrame
    title: str
    rows: str
    columns: str


def similarities_of(rows: pd.DataFrame, first: str = "svcca") -> list[str]:
    """Similarities that a table has, in the order of ``NAMES`` after the first."""
    there = set(rows["similarity"])
    return [name for name in dict.fromkeys([first, *NAMES]) if name in there]


def facet_of_similarities(rows: pd.DataFrame, first: str = "svcca") -> Facet:
    """Return rows of panels for similarities, at most two."""
    order = similarities_of(rows, first)
    return Facet.of(rows, "similarity", order=order, most=2, name=NAMES.get, noun="similarities")


def name_of_networks(
    rows: pd.DataFrame, dataset: str, architecture: str, depth: int, *, suffix: str = ""
) -> str:
    """Name networks by their dataset, and by what tells them apart of their architecture and depth.

    Args:
        rows: Rows of all networks that are drawn.
        suffix: End of the names of the columns.
    """
    settings = {"architecture": architecture, "depth": depth}
    apart = [key for key in settings if rows[f"{key}{suffix}"].nunique() > 1]
    return ", ".join([dataset, *(setting_name(key, settings[key]) for key in apart)])


def draw_layers(axes: Axes, panel: Panel) -> AxesImage:
    """Means over pairs of networks with their numbers, and in parentheses what chance gives.

    A star says that there were fewer than five samples per unit.
    """
    pairs = panel.pairs.assign(few=panel.pairs["status"] == "few_samples")
    depths = [pairs[f"depth_{side}"].iloc[0] for side in "ab"]
    values, nulls, few = (_means(pairs, column, depths) for column in ("value", "null", "few"))
    image = axes.imshow(values, vmin=0, vmax=1, cmap="viridis", aspect="auto")
    size = min(10.5, 68 / max(depths))
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            words = f"{value:.2f}{'*' * bool(few[i, j])}\n({nulls[i, j]:.2f})"
            ink = "black" if value > 0.6 else "white"
            axes.text(j, i, words, ha="center", va="center", color=ink, fontsize=size)
    axes.set_yticks(range(depths[0]), layer_names(depths[0]))
    axes.set_xticks(range(depths[1]), layer_names(depths[1]))
    axes.set(ylabel=panel.rows, xlabel=panel.columns)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_title(panel.title, fontsize=11.5)
    # Beside the first line of the title, for the others may be long.
    number = f"{_networks(pairs)} networks" + "\n" * panel.title.count("\n")
    axes.set_title(number, loc="right", fontsize=11.5, weight="normal")
    return image


def layer_names(depth: int) -> list[str]:
    """Hidden layers from 1, and the logits."""
    return [*map(str, range(1, depth)), "logits"]


def scale_steps(axes: Axes, last: float) -> None:
    """Scale the axis of training steps, with ticks at powers of ten up to the last step."""
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xticks([0, *(10.0 ** np.arange(np.ceil(np.log10(max(last, 1)) + 0.01)))])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,g}"))
    axes.minorticks_off()


def layer_legend(hues: Mapping[int, object], **look: object) -> dict[str, list[Line2D]]:
    """Return legends of layers and of what is expected by chance.

    Args:
        hues: Color of each layer of the deepest networks, the first one first.
        look: Style of the lines of layers.
    """
    labels = dict(zip(layer_names(len(hues)), hues.values(), strict=True))
    return {
        "Layer": entries(labels, "color", linestyle="-", **look),
        "By chance": entries({"any layer": QUIET}, "color", linestyle=":", marker=""),
    }


def _networks(pairs: pd.DataFrame) -> int:
    sides = [pairs[[f"{key}_{side}" for key in NETWORK]].set_axis(NETWORK, axis=1) for side in "ab"]
    return len(pd.concat(sides).drop_duplicates())


def _means(pairs: pd.DataFrame, column: str, depths: list[int]) -> np.ndarray:
    """Means over pairs, layers × layers; NaN where there is none."""
    table = pairs.pivot_table(index="layer_a", columns="layer_b", values=column)
    return table.reindex(index=range(depths[0]), columns=range(depths[1])).to_numpy(float)

"""The translations of one image, and all transitions on the way around them."""

from __future__ import annotations

from math import pi

import numpy as np
import pandas as pd
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, PathPatch
from matplotlib.path import Path

from generalization.experiments.linear_regions.bitmaps import unpacked
from generalization.figures.legends import entries, legend
from generalization.figures.looks import colors
from generalization.figures.style import figure_of_words, headline, styled
from generalization.statistics.selection import has_fitted
from generalization.tables import KEPT_NETWORK, with_networks

# Radii: rings of hidden layers lie between the first two, the images around the third.
INNER, OUTER, IMAGES = 0.3, 1.0, 1.19
LARGEST_IMAGE = 0.3


@styled
def translation_rings(
    translation_trajectory: pd.DataFrame, training: pd.DataFrame, *, fitted_accuracy: float = 0.999
) -> Figure:
    """Once around all horizontal translations of one image, clockwise from the image at the top.

    As Novak et al. 2018, Fig. App.9, but that every transition of a trained network is drawn where
    it is: one tick each, on one ring per hidden layer, the first layer innermost.

    Returns:
        The figure of the first network that has fitted, or of the first if none has; words, if
        no network has transitions at its last step.
    """
    network = _chosen(translation_trajectory, training, fitted_accuracy)
    if network is None:
        return figure_of_words("No network has transitions at its last step to show.")
    same = (translation_trajectory[KEPT_NETWORK] == network[KEPT_NETWORK]).all(axis=1)
    rows = translation_trajectory[same]
    image = unpacked(rows[rows["kind"] == "image"].sort_values("row", kind="stable")["pixels"])
    found = rows[rows["kind"] == "transition"]

    figure = Figure(figsize=(9.4, 7))
    axes = figure.add_subplot(aspect="equal")
    counts = _rings(axes, found, int(network["depth"]) - 1, image.shape[1])
    _translations(axes, image)
    axes.text(0, 0, f"{len(found):,}\ntransitions", ha="center", va="center", fontsize=12)
    reach = IMAGES + LARGEST_IMAGE / 2
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
    axes.set_axis_off()
    headline(figure, _headline(network, fitted_accuracy))
    lines = entries(counts, "color", marker="", linestyle="-", linewidth=5)
    legend(axes, {"Hidden layer": lines})
    return figure


def _chosen(
    trajectory: pd.DataFrame, training: pd.DataFrame, fitted_accuracy: float
) -> pd.Series | None:
    """The last step of the network that is shown, beside its hyper-parameters."""
    crossed = trajectory[trajectory["kind"] == "transition"]
    steps = with_networks(crossed[KEPT_NETWORK].drop_duplicates(), training)
    steps = steps[steps["final"]]
    if steps.empty:
        return None
    fitted = has_fitted(steps, fitted_accuracy=fitted_accuracy)
    return (steps[fitted] if fitted.any() else steps).iloc[0]


def _rings(axes: Axes, found: pd.DataFrame, layers: int, width: int) -> dict[str, object]:
    """One ring per layer, with a tick per transition.

    Returns:
        What the legend says of each ring, outermost first → its color.
    """
    hues = colors(list(range(1, layers + 1)))
    borders = np.linspace(INNER, OUTER, layers + 1)
    says = {}
    for layer, hue in reversed(hues.items()):
        positions = found.loc[found["layer"] == layer, "position"].to_numpy(float)
        low, high = borders[layer - 1 : layer + 1]
        axes.add_patch(Circle((0, 0), high, fill=False, edgecolor="#C8C8C8", linewidth=0.6))
        ends = np.stack([radius * _direction(positions / width) for radius in (low, high)], axis=1)
        codes = np.tile([Path.MOVETO, Path.LINETO], len(positions))
        ticks = Path(ends.reshape(-1, 2), codes)
        # One path for all ticks keeps the SVG small.
        axes.add_patch(
            PathPatch(ticks, fill=False, edgecolor=hue, linewidth=0.45, label=str(layer))
        )
        place = {layers: " (outermost)", 1: " (innermost)"}.get(layer, "") if layers > 1 else ""
        says[f"{layer}{place}: {len(positions):,}"] = hue
    return says


def _translations(axes: Axes, image: UInt8[np.ndarray, "height width"]) -> None:
    """The translations by whole pixels, each where the trajectory meets it."""
    height, width = image.shape
    # Neighbours in a diagonal line do not touch if they are 1 / √2 as wide as they are apart.
    size = min(LARGEST_IMAGE, 0.97 * 2**0.5 * IMAGES * np.sin(pi / width)) / max(1, height / width)
    for shift in range(width):
        x, y = IMAGES * _direction(shift / width)
        half, tall = size / 2, size * height / width / 2
        axes.imshow(
            np.roll(image, -shift, axis=1),
            extent=(x - half, x + half, y - tall, y + tall),
            cmap="gray",
            vmin=0,
            vmax=255,
        )


def _direction(share: Float[np.ndarray, "_"] | float) -> Float[np.ndarray, "_ 2"]:
    """Unit vectors at shares of a whole turn, clockwise from the top."""
    return np.stack([np.sin(2 * pi * share), np.cos(2 * pi * share)], axis=-1)


def _headline(network: pd.Series, fitted_accuracy: float) -> str:
    """Which network is shown, and whether it has fitted."""
    fitted = network["train_accuracy"] >= fitted_accuracy
    accuracy = f"train accuracy {100 * network['train_accuracy']:.4g} %"
    return (
        f"All translations of one image, {network['dataset']}: depth {network['depth']}, "
        f"width {network['width']}, {network['activation']}, seed {network['seed']}\n"
    ) + (accuracy if fitted else f"No network has fitted; this is the first ({accuracy})")

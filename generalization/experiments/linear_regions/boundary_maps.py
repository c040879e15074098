"""Boundaries of linear regions on the plane through three training images."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from generalization.experiments.linear_regions.boundary_densities import (
    boundary_map,
    contrast,
    images,
    places,
)
from generalization.figures.style import ALL, QUIET, figure_of_words, headline, styled
from generalization.statistics.selection import has_fitted
from generalization.tables import KEPT_NETWORK, NETWORK, with_networks

# Few levels keep the SVG small.
INK = LinearSegmentedColormap.from_list("ink", ["#FFFFFF", "#12263F"], N=16)
SHOWN = 512  # Fields along each side: about as many as pixels on a page.
DARKEST = 0.6  # Share of boundary pixels in a field; a straight line has a half of every 2 × 2.
INSET = 0.22  # Width of an image, where the square is 2 wide.


@styled
def boundary_maps(
    boundaries: pd.DataFrame,
    training: pd.DataFrame,
    *,
    distance: float = 0.1,
    fitted_accuracy: float = 0.999,
) -> Figure:
    """Where codes of the last hidden layer change, before and after the training of one network.

    As Novak et al. 2018, Fig. 3, but that the images stand beside the points where they lie, so
    that these are seen: each is the middle of a circle, within which boundaries are counted.

    Args:
        distance: Radius of the circles, where the square is [−1, 1]².

    Returns:
        The figure of the first plane of the first network that has fitted, or of the first network
        if none has; words, if there is none.
    """
    boundaries = boundaries[boundaries["plane"] == 0]
    network = _chosen(boundaries, training, fitted_accuracy)
    if network is None:
        return figure_of_words("No network has boundaries before and after training to show.")
    steps = boundaries[(boundaries[NETWORK] == network[NETWORK]).all(axis=1)].groupby("step")

    figure = Figure(figsize=(10, 6), dpi=130)  # Of the boundaries, which are no lines in the SVG.
    panels = figure.subplots(1, 2)
    for axes, step, when in zip(panels, (0, network["step"]), ("Before", "After"), strict=True):
        rows = steps.get_group(step)
        boundary, spots = boundary_map(rows), places(rows)
        _draw(axes, boundary, spots, distance)
        for image, place in zip(images(rows), spots, strict=True):
            _inset(axes, image, place, distance)
        axes.set_title(f"{when} training")
        axes.set_xlabel(_density(contrast(boundary, spots, distance=distance)), loc="left")
    headline(figure, _headline(network, fitted_accuracy))
    return figure


def coarse(boundary: Bool[np.ndarray, "grid grid"], fields: int) -> Float[np.ndarray, "_ _"]:
    """The share of boundary pixels in square fields, those at the right and bottom maybe smaller.

    Args:
        boundary: Pixels.
        fields: Along each side, at most.
    """
    size = -(-len(boundary) // fields)
    first = np.arange(0, len(boundary), size)
    sums = np.add.reduceat(np.add.reduceat(boundary.astype(float), first, 0), first, 1)
    sides = np.diff(first, append=len(boundary))
    return sums / np.outer(sides, sides)


def _chosen(
    boundaries: pd.DataFrame, training: pd.DataFrame, fitted_accuracy: float
) -> pd.Series | None:
    """The last step of the network that is shown, beside its hyper-parameters."""
    steps = with_networks(boundaries[KEPT_NETWORK].drop_duplicates(), training)
    begun = pd.MultiIndex.from_frame(steps.loc[steps["step"] == 0, NETWORK])
    trained = steps[steps["final"] & (steps["step"] > 0)]
    trained = trained[pd.MultiIndex.from_frame(trained[NETWORK]).isin(begun)]
    if trained.empty:
        return None
    fitted = has_fitted(trained, fitted_accuracy=fitted_accuracy)
    return (trained[fitted] if fitted.any() else trained).iloc[0]


def _draw(axes: Axes, boundary: np.ndarray, spots: np.ndarray, distance: float) -> None:
    """The boundaries, dark on light, and circles around the images' places."""
    axes.imshow(
        coarse(boundary, SHOWN),
        extent=(-1, 1, -1, 1),
        cmap=INK,
        vmin=0,
        vmax=DARKEST,
        interpolation_stage="data",
    )
    for spot in spots:
        axes.add_patch(Circle(spot, distance, fill=False, color=ALL, linewidth=1.6))
    axes.set(xticks=(), yticks=())
    axes.spines[:].set(visible=True, color=QUIET, linewidth=0.6)


def _inset(axes: Axes, image: np.ndarray, place: np.ndarray, distance: float) -> None:
    """An image, framed, to the right of the circle around its place."""
    height, width = image.shape
    left, bottom = place[0] + 1.25 * distance, place[1] - INSET * height / width / 2
    top = bottom + INSET * height / width
    axes.imshow(image, extent=(left, left + INSET, bottom, top), cmap="gray", zorder=2)
    axes.add_patch(
        Rectangle(
            (left, bottom), INSET, top - bottom, fill=False, edgecolor=ALL, linewidth=1.6, zorder=3
        )
    )
    axes.set(xlim=(-1, 1), ylim=(-1, 1))


def _density(contrast: float) -> str:
    """Density of boundaries near the images, in words."""
    if np.isnan(contrast):
        return "No boundary in the square"
    return f"Near the images {contrast:.2f} × as dense as in the whole square"


def _headline(network: pd.Series, fitted_accuracy: float) -> str:
    """Which network is shown, and whether it has fitted."""
    fitted = network["train_accuracy"] >= fitted_accuracy
    accuracy = f"train accuracy {100 * network['train_accuracy']:.4g} %"
    return (
        f"Boundaries of the last hidden layer, {network['dataset']}: depth {network['depth']}, "
        f"width {network['width']}, {network['activation']}, seed {network['seed']}\n"
    ) + (accuracy if fitted else f"No network has fitted; this is the first ({accuracy})")

"""What the profile ``boundaries`` holds, as arrays, and how it is summed up.

Args:
    rows: Rows of the profile ``boundaries``: one network at one step on one plane.
    boundary: Map of ``boundary_map``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, UInt8

from generalization.experiments.linear_regions.bitmaps import unpacked

CELLS = 8  # Along each side of the square.


def boundary_map(rows: pd.DataFrame) -> Bool[np.ndarray, "grid grid"]:
    """The boundary pixels of one network, from v = 1 down and from u = −1 on."""
    found = rows[rows["kind"] == "boundary"].sort_values("row", kind="stable")
    return np.unpackbits(unpacked(found["pixels"]), axis=1, count=len(found)).astype(bool)


def images(rows: pd.DataFrame) -> list[UInt8[np.ndarray, "height width"]]:
    """The gray levels of the three images."""
    shown = rows[rows["kind"] == "image"].sort_values(["image", "row"])
    return [unpacked(image["pixels"]) for _, image in shown.groupby("image")]


def places(rows: pd.DataFrame) -> Float[np.ndarray, "images 2"]:
    """Where the images lie in the square, each as (u, v)."""
    shown = (
        rows[rows["kind"] == "image"].drop_duplicates("image").sort_values("image", kind="stable")
    )
    return shown[["u", "v"]].to_numpy(float)


def contrast(
    boundary: Bool[np.ndarray, "grid grid"],
    places: Float[np.ndarray, "images 2"],
    *,
    distance: float = 0.1,
) -> float:
    """Density of boundary pixels near the images, divided by that in the whole square.

    Args:
        places: Places of the images in the square, each as (u, v).

    Returns:
        The ratio; NaN if there is no boundary in the square, or no pixel near an image.
    """
    near = distances(len(boundary), places) <= distance
    if not boundary.any() or not near.any():
        return np.nan
    # ASSUME: no boundary pixel near an image counts as half a pixel, so that the geometric mean
    # over networks exists.
    return max(boundary[near].sum(), 0.5) / near.sum() / boundary.mean()


def unevenness(boundary: Bool[np.ndarray, "grid grid"]) -> float:
    """Standard deviation over cells of the logarithm of the density of boundary pixels.

    Returns:
        It over 8 × 8 cells of about one size, 0 where they all have the same number of pixels; NaN
        if there is no boundary in the square.
    """
    # ASSUME: "non-isotropic" is read as uneven over places, not over directions; half a pixel is
    # added to every cell, so that empty ones have a logarithm.
    if not boundary.any():
        return np.nan
    cells = [
        np.log((cell.sum() + 0.5) / cell.size)
        for rows in np.array_split(boundary, CELLS)
        for cell in np.array_split(rows, CELLS, axis=1)
        if cell.size
    ]
    return float(np.std(cells))


def distances(grid: int, places: Float[np.ndarray, "images 2"]) -> Float[np.ndarray, "grid grid"]:
    """Distance of every pixel of the square from the nearest image.

    Args:
        grid: Pixels along each side, the outer ones on the edges of the square.
        places: Places of the images, each as (u, v).
    """
    along = np.linspace(-1, 1, grid)
    pixels = along[None, :] + 1j * along[::-1, None]
    return np.min([abs(pixels - complex(*place)) for place in places], axis=0)

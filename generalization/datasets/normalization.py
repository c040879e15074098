"""Normalization of every image to mean 0 and variance 1, and its inverse."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32, Float64, Real

from generalization.devices import IMAGES_PER_CHUNK
from generalization.errors import InputError

NORMALIZATION = "each image to mean 0 and variance 1"


def normalized_images(
    images: Real[np.ndarray, "images channels height width"],
) -> Float32[np.ndarray, "images channels height width"]:
    """Normalize images to mean 0 and (population) variance 1 over all channels and pixels together.

    Normalized images lie on the sphere of radius √d (Novak et al. 2018, §A.5). Affine changes of
    brightness have no effect: ``normalized(s·x + m) = normalized(x)`` for s > 0.

    With ``n`` pixels, ``n·x − Σx`` is computed instead of ``x − mean``, in float64: for 8-bit
    images these numbers and the sum of their squares are integers below 2⁵³, hence exact, so that
    all machines give the same bits.

    Args:
        images: Images of any real dtype.

    Raises:
        InputError: If an image is constant, so that no scaling gives it variance 1.
    """
    normalized = np.empty(images.shape, np.float32)
    for rows, _, centered, variances in _centered(images):
        if not variances.all():
            row = rows.start + int(variances.argmin())
            raise InputError(f"Images must not be constant to be normalized, but image {row} is.")
        normalized[rows] = centered / np.sqrt(variances)
    return normalized


def pixel_units(
    images: Real[np.ndarray, "images channels height width"], *, white: float = 1.0
) -> tuple[Float64[np.ndarray, "images"], Float64[np.ndarray, "images"]]:
    """Return the mean and deviation that normalization removes: pixel = mean + deviation · input.

    They are computed like normalized images, with the same bits on all machines.

    Args:
        images: Images for ``normalized_images``.
        white: Largest possible value of a pixel.

    Returns:
        Mean and (population) standard deviation of each image over all channels and pixels
        together, for pixels from 0 to 1.
    """
    means, deviations, values = np.empty(len(images)), np.empty(len(images)), images[0].size
    for rows, totals, _, variances in _centered(images):
        means[rows] = totals.ravel() / (values * white)
        deviations[rows] = np.sqrt(variances.ravel()) / (values * white)
    return means, deviations


def _centered(images: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield Σx, n·x − Σx, and the mean square of the latter, in chunks of rows."""
    for begin in range(0, len(images), IMAGES_PER_CHUNK):
        rows = slice(begin, begin + IMAGES_PER_CHUNK)
        block = images[rows].astype(np.float64)
        totals = block.sum((1, 2, 3), keepdims=True)
        centered = block[0].size * block - totals
        yield rows, totals, centered, np.square(centered).mean((1, 2, 3), keepdims=True)

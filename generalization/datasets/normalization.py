"""Every image to mean 0 and variance 1, and back."""

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
    """Images of mean 0 and (population) variance 1 over all channels and pixels together.

    Novak et al. 2018, §A.5: images then lie on the sphere of radius √d. An affine change of
    brightness before it has no effect: ``normalized(s·x + m) = normalized(x)`` for s > 0.

    With ``n`` pixels the numbers ``n·x − Σx`` are computed rather than ``x − mean``, in float64:
    for 8-bit images they and the sum of their squares are whole and below 2⁵³, that is exact, so
    that every machine gives the same bits.

    Args:
        images: Of any real type.

    Raises:
        InputError: If all values of an image are the same: no scaling gives it variance 1.
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
    """Mean and deviation that normalization removes: pixel = mean + deviation · normalized.

    They are computed as normalized images are, with the same bits on every machine.

    Args:
        images: As ``normalized_images`` takes them.
        white: The largest value that a pixel can have.

    Returns:
        The mean and the (population) standard deviation of every image over all channels and
        pixels together, where pixels are from 0 to 1.
    """
    means, deviations, values = np.empty(len(images)), np.empty(len(images)), images[0].size
    for rows, totals, _, variances in _centered(images):
        means[rows] = totals.ravel() / (values * white)
        deviations[rows] = np.sqrt(variances.ravel()) / (values * white)
    return means, deviations


def _centered(images: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
    """Some rows at a time: Σx, n·x − Σx, and the mean square of the latter."""
    for begin in range(0, len(images), IMAGES_PER_CHUNK):
        rows = slice(begin, begin + IMAGES_PER_CHUNK)
        block = images[rows].astype(np.float64)
        totals = block.sum((1, 2, 3), keepdims=True)
        centered = block[0].size * block - totals
        yield rows, totals, centered, np.square(centered).mean((1, 2, 3), keepdims=True)

"""Every image to mean 0 and variance 1."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Real

from generalization.errors import InputError

NORMALIZATION = "each image to mean 0 and variance 1"
IMAGES_AT_A_TIME = 1000


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
    for begin in range(0, len(images), IMAGES_AT_A_TIME):
        block = images[begin : begin + IMAGES_AT_A_TIME].astype(np.float64)
        centered = block[0].size * block - block.sum((1, 2, 3), keepdims=True)
        variances = np.square(centered).mean((1, 2, 3), keepdims=True)
        if not variances.all():
            row = begin + int(variances.argmin())
            raise InputError(f"Images must not be constant to be normalized, but image {row} is.")
        normalized[begin : begin + IMAGES_AT_A_TIME] = centered / np.sqrt(variances)
    return normalized

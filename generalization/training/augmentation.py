"""Augmentation: a random permutation of the pixels of every sample."""

from itertools import product

import torch
from jaxtyping import Int64
from torch import Tensor

from generalization.errors import InputError

AUGMENTATIONS = ("none", "translate_flip", "flips_rotations")
LARGEST_TRANSLATION = 4  # Pixels, Novak et al. 2018, §A.5.3 and §A.5.4.


def pixel_permutations(
    augmentation: str, height: int, width: int
) -> Int64[Tensor, "views pixels"] | None:
    """Return the views among which an augmentation chooses with equal probability.

    A view is a permutation of pixel indices such that ``image[view]`` is the augmented image. All
    views translate cyclically by up to 4 pixels along both axes. ``translate_flip`` also flips
    horizontally (Novak et al. 2018, §A.5.4); ``flips_rotations`` flips along both axes and rotates
    by −90°, 0° or 90° (ibid., §A.5.3).

    Args:
        augmentation: Name of an augmentation in ``AUGMENTATIONS``.
        height: Height of an image, in pixels.
        width: Width of an image, in pixels.

    Returns:
        One permutation per view; none for ``none``.

    Raises:
        InputError: If images to be rotated are not square.
    """
    if augmentation == "none":
        return None
    turning = augmentation == "flips_rotations"
    if turning and height != width:
        raise InputError(
            f"augmentation must not be 'flips_rotations' for images of {height} × {width} pixels, "
            "because only a square can be turned."
        )
    shifts = range(-LARGEST_TRANSLATION, LARGEST_TRANSLATION + 1)
    flipped_axes = [[], [1], [0], [0, 1]] if turning else [[], [1]]
    # ASSUME: flips are independent with probability ½, and the three rotations are equally likely.
    quarter_turns = (-1, 0, 1) if turning else (0,)
    pixels = torch.arange(height * width).view(height, width)
    views = [
        pixels.roll((down, right), (0, 1)).flip(axes).rot90(turns).flatten()
        for down, right, axes, turns in product(shifts, shifts, flipped_axes, quarter_turns)
    ]
    return torch.stack(views)

"""Augmentation: every sample is seen through a random permutation of its pixels."""

from itertools import product

import torch
from jaxtyping import Int64
from torch import Tensor

from generalization.errors import InputError

AUGMENTATIONS = ("none", "translate_flip", "flips_rotations")
FARTHEST = 4  # pixels of translation, Novak et al. 2018, §A.5.3 and §A.5.4


def pixel_permutations(
    augmentation: str, height: int, width: int
) -> Int64[Tensor, "views pixels"] | None:
    """All views of an image that an augmentation chooses from, each with the same probability.

    The views are applied to an image whose pixels are their own numbers, so that ``image[view]``
    is what the eye sees. All translate cyclically by up to 4 pixels along both axes.
    ``translate_flip`` also flips left and right (Novak et al. 2018, §A.5.4); ``flips_rotations``
    flips along both axes and turns by −90°, 0° or 90° (ibid., §A.5.3).

    Args:
        augmentation: One of ``AUGMENTATIONS``.
        height: Of an image, in pixels.
        width: Of an image, in pixels.

    Returns:
        One permutation per view; nothing for ``none``.

    Raises:
        InputError: If images that are not square would have to turn.
    """
    if augmentation == "none":
        return None
    turning = augmentation == "flips_rotations"
    if turning and height != width:
        raise InputError(
            f"augmentation must not be 'flips_rotations' for images of {height} × {width} pixels, "
            "because only a square can be turned."
        )
    shifts = range(-FARTHEST, FARTHEST + 1)
    flipped_axes = [[], [1], [0], [0, 1]] if turning else [[], [1]]
    # ASSUME: flips are independent with probability ½, and the three turns are equally likely.
    quarter_turns = (-1, 0, 1) if turning else (0,)
    pixels = torch.arange(height * width).view(height, width)
    views = [
        pixels.roll((down, right), (0, 1)).flip(axes).rot90(turns).flatten()
        for down, right, axes, turns in product(shifts, shifts, flipped_axes, quarter_turns)
    ]
    return torch.stack(views)

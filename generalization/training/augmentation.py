"""Augmentation: the pixels of every sample, at random in one of a number of arrangements."""

from itertools import product

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from generalization.errors import InputError

AUGMENTATIONS = ("none", "translate_flip", "flips_rotations", "crop_flip", "random_crop")
# Pixels: Novak et al. 2018, §A.5.3 and §A.5.4, and the padding of Daróczy 2020.
LARGEST_TRANSLATION = 4


def pixel_views(augmentation: str, height: int, width: int) -> Int64[Tensor, "views pixels"] | None:
    """Return the views among which an augmentation chooses with equal probability.

    A view is an array of pixel indices such that ``image[view]`` is the augmented image. All views
    translate by up to 4 pixels along both axes. ``translate_flip`` does so cyclically and also
    flips horizontally (Novak et al. 2018, §A.5.4); ``flips_rotations`` flips along both axes and
    rotates by −90°, 0° or 90° (ibid., §A.5.3). ``crop_flip`` crops an image that is padded by 4
    black pixels on each side, and flips horizontally (code of Daróczy 2020): pixels that leave do
    not come back. Those of ``random_crop`` are in ``crop_views``.

    Args:
        augmentation: Name of an augmentation in ``AUGMENTATIONS``.
        height: Height of an image, in pixels.
        width: Width of an image, in pixels.

    Returns:
        Indices, one row per view; none for ``none``. Beyond the pixels of the image, the index
        ``height · width`` stands for black.

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
    cropping, margin = augmentation == "crop_flip", LARGEST_TRANSLATION
    if cropping:
        pixels = nn.functional.pad(pixels, [margin] * 4, value=height * width)
    moved = (pixels.roll((down, right), (0, 1)) for down, right in product(shifts, shifts))
    if cropping:  # What a roll carries over the edge stays in the margin.
        moved = (one[margin:-margin, margin:-margin] for one in moved)
    views = [
        one.flip(axes).rot90(turns).flatten()
        for one, axes, turns in product(moved, flipped_axes, quarter_turns)
    ]
    return torch.stack(views)


def crop_views(height: int, width: int, side: int) -> Int64[Tensor, "views pixels"]:
    """Return the pixel indices of all square crops of an image, from the top left one on.

    In training, ``random_crop`` shows any of them with equal probability (Zhang et al. 2017, with
    28 × 28 of 32 × 32 pixels); evaluations and measures see the center crop.

    Args:
        height: Height of the whole image, in pixels.
        width: Width of the whole image, in pixels.
        side: Side length of a crop, in pixels.

    Returns:
        Indices, one row per crop.
    """
    # ASSUME: crops are equally likely, and none is flipped; the paper names random crops alone.
    pixels = torch.arange(height * width).view(height, width)
    crops = pixels.unfold(0, side, 1).unfold(1, side, 1)
    return crops.flatten(0, 1).flatten(1)

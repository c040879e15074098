"""Layers of feature maps as matrices of datapoints × units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Inexact
from torch import Tensor

from generalization.errors import InputError

LAYOUTS = ("channels", "mean", "interpolate", "dft")


def layer_matrices(
    layer: Tensor, layout: str = "channels", size: Sequence[int] = (1, 1)
) -> list[Inexact[Tensor, "samples positions units"]]:
    """A layer as matrices that can be compared, in one of four ways.

    The last one is that of ``dft_ccas`` of github.com/google/svcca, the code of Raghu et al. 2017.

    Args:
        layer: Samples × units, or samples × channels × height × width; the former counts as maps
            of one pixel, which is never resized.
        layout: ``channels``: a unit is a channel, a datapoint is a pixel of a sample. ``mean``: a
            unit is the mean of a channel over its pixels. ``interpolate``: as ``channels``, after
            maps were brought to ``size``. ``dft``: a unit is a channel at one frequency of the
            two-dimensional discrete Fourier transform, and there is one matrix per frequency. For
            a data set that holds all cyclic shifts of its images, the canonical correlations of
            whole feature maps are those of all frequencies together; of others, nearly.

    Returns:
        One matrix, or as many as frequencies, each samples × positions × units, so that samples
        can be parted before positions become datapoints.

    Raises:
        InputError: If there is no such layout, or the layer has another number of axes.
    """
    if layout not in LAYOUTS:
        raise InputError(f"convolution must be one of {', '.join(LAYOUTS)}, not {layout!r}.")
    maps = _maps(layer)
    if layout == "interpolate" and layer.dim() == 4:
        maps = _resized(maps, size)
    if layout == "mean":
        maps = maps.mean((2, 3), keepdim=True)
    return _frequencies(maps) if layout == "dft" else [maps.flatten(2).mT]


def smallest_size(shapes: Iterable[Sequence[int]]) -> tuple[int, int]:
    """Height and width to which the feature maps among layers of these shapes can be averaged."""
    sizes = [tuple(shape[2:]) for shape in shapes if len(shape) == 4] or [(1, 1)]
    return min(height for height, _ in sizes), min(width for _, width in sizes)


def one_matrix(layer: Tensor) -> Inexact[Tensor, "samples units"]:
    """A layer that is a matrix already.

    Raises:
        InputError: If it is not.
    """
    if layer.dim() != 2:
        raise InputError(
            f"activations must be samples × units, not of shape {tuple(layer.shape)}; "
            "feature maps become so by layer_matrices."
        )
    return layer


def _maps(layer: Tensor) -> Tensor:
    if layer.dim() not in (2, 4):
        raise InputError(
            "activations must be samples × units or samples × channels × height × width, "
            f"not of shape {tuple(layer.shape)}."
        )
    return layer if layer.dim() == 4 else layer[:, :, None, None]


def _resized(maps: Tensor, size: Sequence[int]) -> Tensor:
    # ASSUME: feature maps are brought to one size bilinearly, and averaged where they shrink.
    if list(maps.shape[2:]) == list(size):
        return maps
    return torch.nn.functional.interpolate(maps, size, mode="bilinear", antialias=True)


def _frequencies(maps: Tensor) -> list[Tensor]:
    transformed = torch.fft.fft2(maps, norm="ortho").flatten(2)
    return list(transformed.permute(2, 0, 1).unsqueeze(2))

"""Conversion of feature maps to matrices of datapoints × units."""

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
    """Convert a layer to matrices for comparison, in one of four layouts.

    The layout ``dft`` is that of ``dft_ccas`` in github.com/google/svcca, the code of Raghu et al.
    2017.

    Args:
        layer: Samples × units, or samples × channels × height × width; the former are treated as
            maps of one pixel, which are never resized.
        layout: ``channels``: units are channels, datapoints are pixels of samples. ``mean``: units
            are means of channels over pixels. ``interpolate``: as ``channels``, after resizing maps
            to ``size``. ``dft``: units are channels at one frequency of the two-dimensional
            discrete Fourier transform, with one matrix per frequency. If the inputs include all
            cyclic shifts of each image, the canonical correlations of whole feature maps are those
            of all frequencies together; otherwise approximately.

    Returns:
        One matrix, or one per frequency, each samples × positions × units, so that samples can be
        split before positions become datapoints.

    Raises:
        InputError: If the layout is unknown, or the layer has another number of axes.
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
    """Return the smallest height and width among feature maps of these shapes."""
    sizes = [tuple(shape[2:]) for shape in shapes if len(shape) == 4] or [(1, 1)]
    return min(height for height, _ in sizes), min(width for _, width in sizes)


def one_matrix(layer: Tensor) -> Inexact[Tensor, "samples units"]:
    """Return a layer that is a matrix.

    Raises:
        InputError: If the layer is not a matrix.
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
    # ASSUME: feature maps are resized by bilinear interpolation, with averaging when they shrink.
    if list(maps.shape[2:]) == list(size):
        return maps
    return torch.nn.functional.interpolate(maps, size, mode="bilinear", antialias=True)


def _frequencies(maps: Tensor) -> list[Tensor]:
    transformed = torch.fft.fft2(maps, norm="ortho").flatten(2)
    return list(transformed.permute(2, 0, 1).unsqueeze(2))

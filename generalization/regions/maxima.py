"""Changes of the largest entry of a pooling window along a line."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor, nn
from torch.nn import functional

from generalization.regions.breakpoints import true_indices


def maxima_changes(
    layer: nn.MaxPool2d,
    images: Float[Tensor, "breakpoints channels height width"],
    ends: Int[Tensor, "_"],
    floor: float = -torch.inf,
) -> Float64[Tensor, "found"]:
    """Find where max-pooling switches from one entry of a window to another.

    Between breakpoints every entry is affine, and their maximum is the upper envelope of lines. The
    envelope is convex: a window with the same largest entry at both ends of an edge keeps it along
    the edge. In all other windows the envelope is followed from line to line: of the lines that are
    steeper than the current one, the next on the envelope is the first to intersect it.

    Args:
        layer: Max-pooling layer.
        images: Inputs of the layer at consecutive breakpoints.
        floor: Value up to which maxima need not be distinguished.

    Returns:
        Positions: index of the breakpoint before, plus the fraction of the way to the next one.
    """
    maxima, chosen = functional.max_pool2d(
        images,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.ceil_mode,
        True,
    )
    high = maxima > floor
    changed = (chosen[1:] != chosen[:-1]) & (high[1:] | high[:-1])
    changed[ends] = False
    found = true_indices(changed)
    edge, window = found // chosen[0].numel(), found % chosen[0, 0].numel()
    plane = found // chosen[0, 0].numel()  # Index over all channels at all breakpoints.
    entries = _windows(layer, images.shape[2:], maxima.shape[2:]).to(images.device)[window]
    lines = (_entries(images, plane + shift, entries) for shift in (0, images.shape[1]))
    current = (entries == chosen.take(found).unsqueeze(1)).long().argmax(1)
    return torch.cat([edge[:0].double(), *_envelope(*lines, current, edge)])


def _entries(
    images: Float[Tensor, "breakpoints channels height width"],
    planes: Int[Tensor, "windows"],
    entries: Int[Tensor, "windows entries"],
) -> Float64[Tensor, "windows entries"]:
    """Return the values in windows; −∞ beyond the border of the image."""
    pixels = images.shape[2:].numel()
    values = images.take(planes.unsqueeze(1) * pixels + entries.clamp_min(0))
    return values.double().masked_fill(entries < 0, -torch.inf)


def _windows(
    layer: nn.MaxPool2d, size: torch.Size, pooled: torch.Size
) -> Int[Tensor, "windows entries"]:
    """Return the indices of the pixels in each window; −1 beyond the border of the image."""
    plane = torch.arange(size.numel()).view(size)
    of_axes = zip(
        size,
        pooled,
        *map(_pair, (layer.kernel_size, layer.stride, layer.padding, layer.dilation)),
        strict=True,
    )
    borders = []
    for pixels, windows, kernel, stride, padding, dilation in of_axes:
        seen = (windows - 1) * stride + (kernel - 1) * dilation + 1
        borders = [padding, seen - pixels - padding, *borders]
    plane = functional.pad(plane, borders, value=-1)[None, None].double()
    windows = functional.unfold(plane, layer.kernel_size, layer.dilation, 0, layer.stride)
    return windows[0].T.long()


def _pair(setting: int | tuple[int, int]) -> tuple[int, int]:
    return setting if isinstance(setting, tuple) else (setting, setting)


def _envelope(
    begin: Float64[Tensor, "windows lines"],
    end: Float64[Tensor, "windows lines"],
    current: Int[Tensor, "windows"],
    edge: Int[Tensor, "windows"],
) -> Iterator[Float64[Tensor, "_"]]:
    """Yield the positions at which the upper envelope of lines switches to the next line."""
    slope = end - begin
    for _ in range(slope.shape[1] - 1):
        ahead = slope - slope.gather(1, current.unsqueeze(1))
        behind = begin.gather(1, current.unsqueeze(1)) - begin
        meeting, following = (behind / ahead).where(ahead > 0, torch.inf).min(1)
        yield (edge + meeting)[(meeting > 0) & (meeting < 1)]
        going = meeting < 1
        begin, slope, edge = begin[going], slope[going], edge[going]
        current = following[going]

"""Breakpoints of piecewise affine functions along polylines.

Args:
    preactivations: Preactivations of one layer at consecutive breakpoints.
"""

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor
from torch.nn.functional import pad

from generalization.devices import BUDGETS

# Position of each breakpoint: the index of the old breakpoint before it, plus the fraction of the
# way to the next one. Then the index of one unit, and the exact preactivation of that unit.
Breakpoints = tuple[Float[Tensor, "found"], Int[Tensor, "found"], Float[Tensor, "found"]]


def curve_at(
    coordinates: Float64[Tensor, "coordinates"], vertices: int
) -> Int[Tensor, "coordinates"]:
    """Return the index of the curve on which each coordinate lies."""
    return (coordinates / vertices).long()


def curve_ends(coordinates: Float64[Tensor, "breakpoints"], vertices: int) -> Int[Tensor, "_"]:
    """Return the indices of the breakpoints whose successor is on another curve."""
    curve = curve_at(coordinates, vertices)
    return (curve[1:] != curve[:-1]).nonzero().squeeze(1)


def edge_crossings(
    preactivations: Float[Tensor, "breakpoints units"],
    threshold: float,
    ends: Int[Tensor, "_"],
) -> Int[Tensor, "crossings"]:
    """Find the crossings of a threshold; a crossing is breakpoint before it × units + unit.

    Args:
        threshold: One threshold for all units.
    """
    # Equal to preactivations > threshold, which takes twice as long on a CPU.
    shifted = preactivations - threshold if threshold else preactivations
    above = shifted.relu().bool()
    crossed = above[1:] != above[:-1]
    crossed[ends] = False
    return true_indices(crossed)


def old_breakpoints(preactivations: Float[Tensor, "breakpoints units"]) -> Breakpoints:
    """Return the existing breakpoints, each with its first unit."""
    values = preactivations[:, 0]
    positions = torch.arange(len(values), dtype=torch.float64, device=values.device)
    return positions, torch.zeros_like(values, dtype=torch.int64), values


def new_breakpoints(
    preactivations: Float[Tensor, "breakpoints units"],
    crossings: Int[Tensor, "crossings"],
    threshold: float,
) -> Breakpoints:
    """Locate crossings of a threshold on their edges.

    The preactivation of the crossing unit must equal the threshold to the last bit: if the unit is
    the last one of its ReLU layer to become inactive, the units above it must be exactly constant
    from there on.

    Args:
        crossings: Crossings as returned by ``edge_crossings``.
        threshold: Threshold that is crossed.
    """
    width = preactivations.shape[1]
    begin, end = preactivations.take(crossings), preactivations.take(crossings + width)
    # Infinite preactivations have no fraction; the caller discards the counts of such networks.
    fraction = ((threshold - begin) / (end - begin)).nan_to_num_(nan=0.5).double()
    return crossings // width + fraction, crossings % width, torch.full_like(begin, threshold)


def true_indices(mask: Bool[Tensor, "edges units"]) -> Int[Tensor, "crossings"]:
    """Return ``mask.flatten().nonzero()``; testing eight at a time is fast when few are true."""
    eights = pad(mask.flatten(), (0, -mask.numel() % 8)).view(torch.int64)
    some = eights.nonzero().squeeze(1)
    true = eights[some].view(torch.bool).nonzero().squeeze(1)
    return 8 * some[true // 8] + true % 8


def blocks(order: Int[Tensor, "breakpoints"], units: int) -> list[Int[Tensor, "_"]]:
    """Split breakpoints into equal blocks within the memory budget; neighbors share an end."""
    edges = len(order) - 1
    count = max(1, round(edges * units / BUDGETS["operation"].on(order.device)))
    size = -(-edges // count)
    return [order[first : first + size + 1] for first in range(0, edges, size)]


def interpolated(
    positions: Float64[Tensor, "chosen"], *values: Float[Tensor, "breakpoints *_"]
) -> list[Float[Tensor, "chosen *_"]]:
    """Interpolate values at breakpoints linearly.

    Args:
        positions: Index of the breakpoint before, plus the fraction of the way to the next one.
        values: Tensors with one entry or row per breakpoint.

    Returns:
        Tensors with one entry or row per position.
    """
    begin = positions.long()
    end = (begin + 1).clamp_(max=len(values[0]) - 1)
    fraction = positions - begin
    return [
        part.index_select(0, begin).lerp_(
            part.index_select(0, end),
            fraction.to(part.dtype).view(-1, *[1] * (part.dim() - 1)),
        )
        for part in values
    ]

"""Breakpoints of piecewise affine functions along polylines."""

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor
from torch.nn.functional import pad

from generalization.devices import BUDGETS

# Where each breakpoint lies: the number of the old breakpoint before it, plus the fraction of the
# way to the next one. Then one of the units, and the exact preactivation of that unit.
Breakpoints = tuple[Float[Tensor, "found"], Int[Tensor, "found"], Float[Tensor, "found"]]


def curve_at(places: Float64[Tensor, "places"], vertices: int) -> Int[Tensor, "places"]:
    """The curve on which each place lies.

    Args:
        places: Through the vertices of all curves.
    """
    return (places / vertices).long()


def not_joined(places: Float64[Tensor, "breakpoints"], vertices: int) -> Int[Tensor, "_"]:
    """Breakpoints that no line joins to the next one, which is on another curve.

    Args:
        places: Of the breakpoints, ascending.
    """
    curve = curve_at(places, vertices)
    return (curve[1:] != curve[:-1]).nonzero().squeeze(1)


def edge_crossings(
    preactivations: Float[Tensor, "breakpoints units"],
    threshold: float,
    apart: Int[Tensor, "_"],
) -> Int[Tensor, "crossings"]:
    """Find crossings of a threshold: number of the breakpoint before × units + the unit.

    Args:
        preactivations: Of one layer, at breakpoints in their order.
        threshold: The same for all units.
    """
    # The same as preactivations > threshold, which takes twice as long on a CPU.
    shifted = preactivations - threshold if threshold else preactivations
    above = shifted.relu().bool()
    crossed = above[1:] != above[:-1]
    crossed[apart] = False
    return true_ones(crossed)


def old_breakpoints(preactivations: Float[Tensor, "breakpoints units"]) -> Breakpoints:
    """The breakpoints that there are already, with their first unit."""
    values = preactivations[:, 0]
    positions = torch.arange(len(values), dtype=torch.float64, device=values.device)
    return positions, torch.zeros_like(values, dtype=torch.int64), values


def new_breakpoints(
    preactivations: Float[Tensor, "breakpoints units"],
    crossings: Int[Tensor, "crossings"],
    threshold: float,
) -> Breakpoints:
    """Locate crossings of a threshold on given edges, with the unit of each.

    It has to lie on the threshold to the last bit: if it is the last one of its ReLU layer to die,
    the units above it must be at rest, at exactly zero, from there on.

    Args:
        preactivations: Of one layer.
        crossings: Each the number of the breakpoint before × units + the unit.
        threshold: Which they cross.
    """
    width = preactivations.shape[1]
    begin, end = preactivations.take(crossings), preactivations.take(crossings + width)
    # Infinite preactivations have no fraction; a count that they spoil is the caller's to refuse.
    fraction = ((threshold - begin) / (end - begin)).nan_to_num_(nan=0.5).double()
    return crossings // width + fraction, crossings % width, torch.full_like(begin, threshold)


def true_ones(mask: Bool[Tensor, "edges units"]) -> Int[Tensor, "crossings"]:
    """``mask.flatten().nonzero()``, but eight at a time, as hardly any are true."""
    eights = pad(mask.flatten(), (0, -mask.numel() % 8)).view(torch.int64)
    some = eights.nonzero().squeeze(1)
    true = eights[some].view(torch.bool).nonzero().squeeze(1)
    return 8 * some[true // 8] + true % 8


def pieces(order: Int[Tensor, "breakpoints"], units: int) -> list[Int[Tensor, "_"]]:
    """Equal pieces of the breakpoints, of about a step's size; each begins where the last ended."""
    edges = len(order) - 1
    count = max(1, round(edges * units / BUDGETS["operation"].on(order.device)))
    size = -(-edges // count)
    return [order[first : first + size + 1] for first in range(0, edges, size)]


def interpolated(
    positions: Float64[Tensor, "chosen"], *values: Float[Tensor, "breakpoints *_"]
) -> list[Float[Tensor, "chosen *_"]]:
    """Values of breakpoints, at positions on the edges between them.

    Args:
        positions: Each the number of the breakpoint before, plus a fraction of the way to the next.
        values: Of every breakpoint, a number or a row each.

    Returns:
        The same of every position.
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

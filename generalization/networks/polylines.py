"""Polylines on their way through a piecewise-linear network."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from generalization.networks.fully_connected import FullyConnectedNetworks

# Where each breakpoint lies: the number of the old breakpoint before it, plus the fraction of the
# way to the next one. Then one of the units, and the exact preactivation of that unit.
Breakpoints = tuple[Float[Tensor, "found"], Int[Tensor, "found"], Float[Tensor, "found"]]


def crossings_per_layer(
    network: FullyConnectedNetworks, vertices: Float[Tensor, "curves vertices features"]
) -> Int[Tensor, "curves hidden_layers"]:
    """How often units cross their thresholds along polylines in input space, without sampling.

    Between neighbouring breakpoints all layers below are affine along the line, so a preactivation
    is too, and crosses a threshold once if its ends lie on different sides, else not at all. The
    crossings of a layer are the breakpoints that it adds for the layers above it.

    Args:
        network: A stack of one, with a piecewise-linear activation, in the dtype of the vertices.
        vertices: Of every polyline, two or more; it is closed if the last is the first once more.

    Returns:
        Crossings in every hidden layer. Being a vertex counts as nothing.
    """
    curve = torch.arange(len(vertices), device=vertices.device)
    counts = torch.zeros(
        network.depth - 1, len(vertices), dtype=torch.int32, device=vertices.device
    )
    if network.depth > 1:
        curve = curve.repeat_interleave(vertices.shape[1])
        _count(network, 0, vertices.flatten(0, 1), curve, counts)
    return counts.T


def numbers_at_a_time(device: torch.device) -> int:
    """How many numbers one step should work on: what a CPU's cache holds, what keeps a GPU busy."""
    return 2**18 if device.type == "cpu" else 2**26


@torch.inference_mode()
def _count(
    network: FullyConnectedNetworks,
    layer: int,
    activations: Float[Tensor, "breakpoints units_below"],
    curve: Int[Tensor, "breakpoints"],
    counts: Int[Tensor, "hidden_layers curves"],
) -> None:
    """Add the crossings in a layer, and in those above it, to the counts.

    Args:
        network: A stack of one.
        layer: From 0 to depth − 2.
        activations: Below the layer, at breakpoints in their order, one curve after the other.
        curve: The curve that each breakpoint lies on. Neighbours on one curve are joined.
        counts: Changed in place.
    """
    preactivations = network.affine(layer, activations).squeeze(0)
    width = preactivations.shape[1]
    apart = (curve[1:] != curve[:-1]).nonzero().squeeze(1)
    last = layer == network.depth - 2
    breakpoints = [] if last else [_old_breakpoints(preactivations)]
    for threshold in network.phi.thresholds:
        # The same as preactivations > threshold, which takes twice as long on a CPU.
        shifted = preactivations - threshold if threshold else preactivations
        above = shifted.relu().bool()
        crossed = above[1:] != above[:-1]
        crossed[apart] = False
        crossings = _where(crossed)
        counts[layer] += curve[crossings // width].bincount(minlength=counts.shape[1])
        if not last:
            breakpoints.append(_new_breakpoints(preactivations, crossings, threshold))
    if not last:
        positions, units, values = map(torch.cat, zip(*breakpoints, strict=True))
        for piece in _pieces(positions.argsort(), preactivations.shape[1]):
            there = _interpolated(preactivations, positions[piece])
            there.scatter_(1, units[piece].unsqueeze(1), values[piece].unsqueeze(1))
            on_curve = curve[positions[piece].long()]
            _count(network, layer + 1, network.phi.in_place(there), on_curve, counts)


def _old_breakpoints(preactivations: Float[Tensor, "breakpoints units"]) -> Breakpoints:
    """The breakpoints that there are already, with their first unit."""
    values = preactivations[:, 0]
    positions = torch.arange(len(values), dtype=torch.float64, device=values.device)
    return positions, torch.zeros_like(values, dtype=torch.int64), values


def _new_breakpoints(
    preactivations: Float[Tensor, "breakpoints units"],
    crossings: Int[Tensor, "crossings"],
    threshold: float,
) -> Breakpoints:
    """Where units cross a threshold, given the edges on which they do, with the unit that does.

    It has to lie on the threshold to the last bit: if it is the last one of its ReLU layer to die,
    the units above it must be at rest, at exactly zero, from there on.
    """
    width = preactivations.shape[1]
    begin, end = preactivations.take(crossings), preactivations.take(crossings + width)
    # Infinite preactivations have no fraction; a count that they spoil is the caller's to refuse.
    fraction = ((threshold - begin) / (end - begin)).nan_to_num_(nan=0.5).double()
    return crossings // width + fraction, crossings % width, torch.full_like(begin, threshold)


def _where(mask: Bool[Tensor, "edges units"]) -> Int[Tensor, "crossings"]:
    """``mask.flatten().nonzero()``, but eight at a time, as hardly any are true."""
    eights = pad(mask.flatten(), (0, -mask.numel() % 8)).view(torch.int64)
    some = eights.nonzero().squeeze(1)
    true = eights[some].view(torch.bool).nonzero().squeeze(1)
    return 8 * some[true // 8] + true % 8


def _pieces(order: Int[Tensor, "breakpoints"], units: int) -> list[Int[Tensor, "_"]]:
    """Equal pieces of the breakpoints, of about a step's size; each begins where the last ended."""
    edges = len(order) - 1
    pieces = max(1, round(edges * units / numbers_at_a_time(order.device)))
    size = -(-edges // pieces)
    return [order[first : first + size + 1] for first in range(0, edges, size)]


def _interpolated(
    preactivations: Float[Tensor, "breakpoints units"], positions: Float[Tensor, "chosen"]
) -> Float[Tensor, "chosen units"]:
    """Preactivations at positions on the edges."""
    begin = positions.long()
    end = (begin + 1).clamp_(max=len(preactivations) - 1)
    fraction = (positions - begin).to(preactivations.dtype).unsqueeze(1)
    return preactivations.index_select(0, begin).lerp_(
        preactivations.index_select(0, end), fraction
    )

"""Polylines on their way through a piecewise-linear network."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Float64, Int, Shaped
from torch import Tensor
from torch.nn.functional import pad

from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.trajectories import translation_loops

# Where each breakpoint lies: the number of the old breakpoint before it, plus the fraction of the
# way to the next one. Then one of the units, and the exact preactivation of that unit.
Breakpoints = tuple[Float[Tensor, "found"], Int[Tensor, "found"], Float[Tensor, "found"]]

# Told of the crossings of a threshold in a layer: both numbers, preactivations at all breakpoints,
# the places of these, and which crossed: the number of the breakpoint before × units + the unit.
# Places run through the vertices of all curves: the number of the vertex before, plus the fraction
# of the way to the next one.
Sink = Callable[[int, int, Tensor, Tensor, Tensor], None]


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
    counts = torch.zeros(
        network.depth - 1, len(vertices), dtype=torch.int32, device=vertices.device
    )

    def count(layer, _, preactivations, places, found):
        curve = curve_at(places[found // preactivations.shape[1]], vertices.shape[1])
        counts[layer] += curve.bincount(minlength=len(vertices))

    follow(network, vertices, count)
    return counts.T


def numbers_at_a_time(device: torch.device) -> int:
    """How many numbers one step should work on: what a CPU's cache holds, what keeps a GPU busy."""
    return 2**18 if device.type == "cpu" else 2**26


def around_translations(
    quantity: Callable[[FullyConnectedNetworks, Tensor], Tensor],
    network: FullyConnectedNetworks,
    images: Float[Tensor, "samples channels height width"],
) -> Shaped[Tensor, "samples ..."]:
    """A quantity of polylines, of those through all translations of each image.

    Args:
        quantity: Takes a network and vertices, curves × vertices × features.
        network: A stack of one.
        images: In the dtype of its weights. As many are taken at a time as memory is meant for.

    Returns:
        What the quantity is of every image.
    """
    numbers_per_loop = (images.shape[-1] + 1) * max(network.widths)
    size = max(1, 8 * numbers_at_a_time(images.device) // numbers_per_loop)
    loops = (translation_loops(some).flatten(2) for some in images.split(size))
    return torch.cat([quantity(network, vertices) for vertices in loops])


def follow(
    network: FullyConnectedNetworks,
    vertices: Float[Tensor, "curves vertices features"],
    tell: Sink,
) -> None:
    """Follow polylines through all hidden layers.

    Args:
        network: A stack of one, with a piecewise-linear activation, in the dtype of the vertices.
        vertices: Of every polyline.
        tell: Called with what is found, for a piece of the breakpoints at a time.
    """
    if network.depth > 1:
        points = vertices.flatten(0, 1)
        places = torch.arange(len(points), dtype=torch.float64, device=points.device)
        _find(network, 0, points, places, vertices.shape[1], tell)


@torch.inference_mode()
def _find(
    network: FullyConnectedNetworks,
    layer: int,
    activations: Float[Tensor, "breakpoints units_below"],
    places: Float64[Tensor, "breakpoints"],
    vertices: int,
    tell: Sink,
) -> None:
    """Find the crossings in a layer, and in those above it.

    Args:
        network: A stack of one.
        layer: From 0 to depth − 2.
        activations: Below the layer, at breakpoints in their order, one curve after the other.
        places: Of the breakpoints, ascending. Neighbours on one curve are joined.
        vertices: Of every curve.
        tell: Called once per threshold with what was found.
    """
    preactivations = network.affine(layer, activations).squeeze(0)
    curve = curve_at(places, vertices)
    apart = (curve[1:] != curve[:-1]).nonzero().squeeze(1)
    last = layer == network.depth - 2
    breakpoints = [] if last else [_old_breakpoints(preactivations)]
    for number, threshold in enumerate(network.phi.thresholds):
        # The same as preactivations > threshold, which takes twice as long on a CPU.
        shifted = preactivations - threshold if threshold else preactivations
        above = shifted.relu().bool()
        crossed = above[1:] != above[:-1]
        crossed[apart] = False
        found = _where(crossed)
        tell(layer, number, preactivations, places, found)
        if not last:
            breakpoints.append(new_breakpoints(preactivations, found, threshold))
    if not last:
        positions, units, values = map(torch.cat, zip(*breakpoints, strict=True))
        for piece in _pieces(positions.argsort(), preactivations.shape[1]):
            there, its_places = interpolated(positions[piece], preactivations, places)
            there.scatter_(1, units[piece].unsqueeze(1), values[piece].unsqueeze(1))
            _find(network, layer + 1, network.phi.in_place(there), its_places, vertices, tell)


def curve_at(places: Float64[Tensor, "places"], vertices: int) -> Int[Tensor, "places"]:
    """The curve on which each place lies.

    Args:
        places: Through the vertices of all curves.
        vertices: Of every curve.
    """
    return (places / vertices).long()


def _old_breakpoints(preactivations: Float[Tensor, "breakpoints units"]) -> Breakpoints:
    """The breakpoints that there are already, with their first unit."""
    values = preactivations[:, 0]
    positions = torch.arange(len(values), dtype=torch.float64, device=values.device)
    return positions, torch.zeros_like(values, dtype=torch.int64), values


def new_breakpoints(
    preactivations: Float[Tensor, "breakpoints units"],
    crossings: Int[Tensor, "crossings"],
    threshold: float,
) -> Breakpoints:
    """Where units cross a threshold, given the edges on which they do, with the unit that does.

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

"""Polylines on their way through a piecewise-linear network."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Float64, Int, Shaped
from torch import Tensor

from generalization.devices import items_at_once
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.regions.breakpoints import (
    curve_at,
    edge_crossings,
    interpolated,
    new_breakpoints,
    not_joined,
    old_breakpoints,
    pieces,
)
from generalization.regions.trajectories import translation_loops

# Told of the crossings of a threshold in a layer: both numbers, preactivations at all breakpoints,
# the places of these, and which crossed: the number of the breakpoint before × units + the unit.
# Places run through the vertices of all curves: the number of the vertex before, plus the fraction
# of the way to the next one.
Sink = Callable[[int, int, Tensor, Tensor, Tensor], None]


def crossings_per_layer(
    network: FullyConnectedNetworks, vertices: Float[Tensor, "curves vertices *features"]
) -> Int[Tensor, "curves hidden_layers"]:
    """Count threshold crossings along polylines in input space, without sampling.

    Between neighbouring breakpoints all layers below are affine along the line, so a preactivation
    is too, and crosses a threshold once if its ends lie on different sides, else not at all. The
    crossings of a layer are the breakpoints that it adds for the layers above it.

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


def around_translations(
    quantity: Callable[[Tensor], Tensor],
    images: Float[Tensor, "samples channels height width"],
    numbers_per_point: int,
) -> Shaped[Tensor, "samples ..."]:
    """A quantity of polylines, of those through all translations of each image.

    Args:
        quantity: Takes vertices, curves × vertices × channels × height × width.
        images: As many are taken at a time as memory is meant for.
        numbers_per_point: Of the widest layer.

    Returns:
        What the quantity is of every image.
    """
    numbers_per_loop = (images.shape[-1] + 1) * numbers_per_point
    size = items_at_once("polygons", numbers_per_loop, images.device)
    return torch.cat([quantity(translation_loops(some)) for some in images.split(size)])


def follow(
    network: FullyConnectedNetworks,
    vertices: Float[Tensor, "curves vertices *features"],
    tell: Sink,
) -> None:
    """Follow polylines through all hidden layers."""
    if network.depth > 1:
        points = vertices.flatten(2).flatten(0, 1)
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
        network: A stack of one network.
        activations: Below the layer, at breakpoints in their order, one curve after the other.
        tell: Called once per threshold with what was found.
    """
    preactivations = network.affine(layer, activations).squeeze(0)
    apart = not_joined(places, vertices)
    last = layer == network.depth - 2
    breakpoints = [] if last else [old_breakpoints(preactivations)]
    for number, threshold in enumerate(network.phi.thresholds):
        found = edge_crossings(preactivations, threshold, apart)
        tell(layer, number, preactivations, places, found)
        if not last:
            breakpoints.append(new_breakpoints(preactivations, found, threshold))
    if not last:
        positions, units, values = map(torch.cat, zip(*breakpoints, strict=True))
        for piece in pieces(positions.argsort(), preactivations.shape[1]):
            there, its_places = interpolated(positions[piece], preactivations, places)
            there.scatter_(1, units[piece].unsqueeze(1), values[piece].unsqueeze(1))
            _find(network, layer + 1, network.phi.in_place(there), its_places, vertices, tell)

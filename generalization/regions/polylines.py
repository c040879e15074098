"""Threshold crossings of a piecewise-linear network along polylines, without sampling."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Float64, Int, Shaped
from torch import Tensor

from generalization.devices import items_at_once
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.regions.breakpoints import (
    blocks,
    curve_at,
    curve_ends,
    edge_crossings,
    interpolated,
    new_breakpoints,
    old_breakpoints,
)
from generalization.regions.trajectories import translation_loops

# Receives the crossings of one threshold in one layer: index of the layer, index of the threshold,
# preactivations at all breakpoints, coordinates of the breakpoints, and the crossings as
# ``edge_crossings`` returns them.
Sink = Callable[[int, int, Tensor, Tensor, Tensor], None]


def crossings_per_layer(
    network: FullyConnectedNetworks, vertices: Float[Tensor, "curves vertices *features"]
) -> Int[Tensor, "curves hidden_layers"]:
    """Count threshold crossings along polylines in input space.

    Between neighboring breakpoints all layers below are affine along the edge, and so is a
    preactivation: it crosses a threshold once if its values at the two ends are on different sides,
    else not at all. The crossings of a layer are new breakpoints for the layers above it.

    Returns:
        Number of crossings in each hidden layer; vertices count as none.
    """
    counts = torch.zeros(
        network.depth - 1, len(vertices), dtype=torch.int32, device=vertices.device
    )

    def count(layer, _, preactivations, coordinates, found):
        curve = curve_at(coordinates[found // preactivations.shape[1]], vertices.shape[1])
        counts[layer] += curve.bincount(minlength=len(vertices))

    follow(network, vertices, count)
    return counts.T


def around_translations(
    quantity: Callable[[Tensor], Tensor],
    images: Float[Tensor, "samples channels height width"],
    numbers_per_point: int,
) -> Shaped[Tensor, "samples ..."]:
    """Evaluate a quantity of the polylines through all translations of each image.

    Args:
        quantity: Function of vertices, curves × vertices × channels × height × width.
        images: Images, processed in chunks within the memory budget.
        numbers_per_point: Size of the widest layer.

    Returns:
        The quantity for each image.
    """
    numbers_per_loop = (images.shape[-1] + 1) * numbers_per_point
    size = items_at_once("polygons", numbers_per_loop, images.device)
    return torch.cat([quantity(translation_loops(some)) for some in images.split(size)])


def follow(
    network: FullyConnectedNetworks,
    vertices: Float[Tensor, "curves vertices *features"],
    record: Sink,
) -> None:
    """Propagate polylines through all hidden layers."""
    if network.depth > 1:
        points = vertices.flatten(2).flatten(0, 1)
        coordinates = torch.arange(len(points), dtype=torch.float64, device=points.device)
        _find(network, 0, points, coordinates, vertices.shape[1], record)


@torch.inference_mode()
def _find(
    network: FullyConnectedNetworks,
    layer: int,
    activations: Float[Tensor, "breakpoints units_below"],
    coordinates: Float64[Tensor, "breakpoints"],
    vertices: int,
    record: Sink,
) -> None:
    """Find the crossings in a layer and in the layers above it.

    Args:
        activations: Activations below the layer at consecutive breakpoints.
    """
    preactivations = network.affine(layer, activations).squeeze(0)
    ends = curve_ends(coordinates, vertices)
    last = layer == network.depth - 2
    breakpoints = [] if last else [old_breakpoints(preactivations)]
    for number, threshold in enumerate(network.phi.thresholds):
        found = edge_crossings(preactivations, threshold, ends)
        record(layer, number, preactivations, coordinates, found)
        if not last:
            breakpoints.append(new_breakpoints(preactivations, found, threshold))
    if not last:
        positions, units, values = map(torch.cat, zip(*breakpoints, strict=True))
        for block in blocks(positions.argsort(), preactivations.shape[1]):
            new_values, new_coordinates = interpolated(
                positions[block], preactivations, coordinates
            )
            new_values.scatter_(1, units[block].unsqueeze(1), values[block].unsqueeze(1))
            _find(
                network,
                layer + 1,
                network.phi.in_place(new_values),
                new_coordinates,
                vertices,
                record,
            )

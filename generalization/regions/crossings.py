"""Threshold crossings along polylines: where they pass from one linear region to another."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.regions.breakpoints import curve_at, interpolated, new_breakpoints
from generalization.regions.polylines import follow


@dataclass(frozen=True)
class Crossings:
    """Threshold crossings along polylines, sorted by curve and by position along the curve.

    Attributes:
        curve: Index of the polyline.
        position: Index of the edge, plus the fraction of the edge before the crossing.
        layer: Index of the hidden layer.
        unit: Index of the unit in its layer.
        threshold: Index of the threshold in ``ActivationFunction.thresholds``.
        rising: Whether the preactivation is above the threshold after the crossing.
    """

    curve: Int[Tensor, "crossings"]
    position: Float64[Tensor, "crossings"]
    layer: Int[Tensor, "crossings"]
    unit: Int[Tensor, "crossings"]
    threshold: Int[Tensor, "crossings"]
    rising: Bool[Tensor, "crossings"]


def crossings(
    network: FullyConnectedNetworks, vertices: Float[Tensor, "curves vertices *features"]
) -> Crossings:
    """Locate threshold crossings along polylines in input space, without sampling.

    These are the crossings that ``crossings_per_layer`` counts. Fractions of edges are computed in
    the dtype of the vertices.

    Returns:
        All crossings of all curves; crossings at the same position are sorted by layer.
    """
    thresholds = network.phi.thresholds
    empty = torch.empty(0, dtype=torch.int64, device=vertices.device)
    found = [(empty.double(), empty, empty, empty, empty.bool())]

    def record(layer, number, preactivations, coordinates, crossed):
        positions, unit, value = new_breakpoints(preactivations, crossed, thresholds[number])
        (coordinate,) = interpolated(positions, coordinates)
        numbers = (torch.full_like(unit, layer), unit, torch.full_like(unit, number))
        found.append((coordinate, *numbers, preactivations.take(crossed) <= value))

    follow(network, vertices, record)
    coordinate, layer, *rest = map(torch.cat, zip(*found, strict=True))
    order = layer.argsort(stable=True)
    order = order[coordinate[order].argsort(stable=True)]
    curve = curve_at(coordinate, vertices.shape[1])
    position = coordinate - vertices.shape[1] * curve
    return Crossings(*(part[order] for part in (curve, position, layer, *rest)))

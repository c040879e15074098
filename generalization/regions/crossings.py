"""The places at which polylines pass from one linear region of a network to another."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.regions.breakpoints import curve_at, interpolated, new_breakpoints
from generalization.regions.polylines import follow


@dataclass(frozen=True)
class Crossings:
    """Threshold crossings along polylines, one curve after the other, in order.

    Attributes:
        curve: Number of the polyline.
        position: Along it: the number of the edge, plus the fraction of it that is passed.
        layer: Hidden layer, from 0.
        unit: Number of the unit in its layer.
        threshold: Number of the threshold among ``ActivationFunction.thresholds``.
        rising: Whether the preactivation is above the threshold behind the crossing.
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

    They are the crossings that ``crossings_per_layer`` counts.

    Args:
        network: A stack of one, with a piecewise-linear activation, in the dtype of the vertices,
            which is that of fractions too.
        vertices: Of every polyline, two or more.

    Returns:
        All crossings of all curves. Those at one position are there in the order of layers.
    """
    thresholds = network.phi.thresholds
    empty = torch.empty(0, dtype=torch.int64, device=vertices.device)
    told = [(empty.double(), empty, empty, empty, empty.bool())]

    def note(layer, number, preactivations, places, found):
        positions, unit, value = new_breakpoints(preactivations, found, thresholds[number])
        (place,) = interpolated(positions, places)
        numbers = (torch.full_like(unit, layer), unit, torch.full_like(unit, number))
        told.append((place, *numbers, preactivations.take(found) <= value))

    follow(network, vertices, note)
    place, layer, *rest = map(torch.cat, zip(*told, strict=True))
    order = layer.argsort(stable=True)
    order = order[place[order].argsort(stable=True)]
    curve = curve_at(place, vertices.shape[1])
    position = place - vertices.shape[1] * curve
    return Crossings(*(part[order] for part in (curve, position, layer, *rest)))

"""Threshold crossings of a network between sampled points of ellipses."""

from math import pi

import torch
from jaxtyping import Float
from torch import Tensor

from generalization.devices import items_at_once
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.regions.arcs import CrossedArcs
from generalization.regions.trajectories import points_on_ellipses


@torch.inference_mode()
def sampled_crossings(
    network: FullyConnectedNetworks, ellipses: Float[Tensor, "curves 3 *features"], points: int
) -> list[CrossedArcs]:
    """Find the crossings between equidistant points of ellipses, for any activation function.

    Two crossings of one unit between neighboring points cancel: sampling can miss crossings but
    never invents any.

    Args:
        network: A stack of one; converted to float64.
        points: Number of points on each ellipse, the first one at angle 0.

    Returns:
        For each hidden layer, the ellipses and the angles of all crossings, halfway between the
        points on both sides.
    """
    network = network.to(torch.float64)
    spacing = 2 * pi / points
    # The first point is repeated at exactly the same angle.
    angles = (
        torch.arange(points + 1, dtype=torch.float64, device=ellipses.device) % points * spacing
    )
    block = items_at_once("activations", max(network.widths), ellipses.device)
    found: list[list[CrossedArcs]] = [[] for _ in range(network.depth - 1)]
    for curve, ellipse in enumerate(ellipses.double().flatten(2).split(1)):
        for first in range(0, points, block):
            some = angles[first : first + block + 1]
            layers = network.preactivations(points_on_ellipses(ellipse, some)[0])[:-1]
            for layer, preactivations in zip(found, layers, strict=True):
                for threshold in network.phi.thresholds:
                    above = preactivations[0] > threshold
                    before = first + (above[1:] != above[:-1]).nonzero()[:, 0]
                    middle = (before.double() + 0.5) * spacing
                    layer.append((torch.full_like(before, curve), middle))
    return [tuple(map(torch.cat, zip(*layer, strict=True))) for layer in found]

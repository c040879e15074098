"""Ellipses on their way through a network, sampled."""

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
    """Crossings between equidistant points on ellipses, for an activation of any form.

    Two crossings of one unit between neighboring points cancel: samples miss crossings, and invent
    none.

    Args:
        network: A stack of one. Taken in float64.
        points: On each ellipse, the first at the angle 0.

    Returns:
        For every hidden layer, the ellipse and the angle of every crossing: half way between the
        points on both sides of it.
    """
    network = network.to(torch.float64)
    step = 2 * pi / points
    # The first point once more, so that rounding does not move it.
    angles = torch.arange(points + 1, dtype=torch.float64, device=ellipses.device) % points * step
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
                    middle = (before.double() + 0.5) * step
                    layer.append((torch.full_like(before, curve), middle))
    return [tuple(map(torch.cat, zip(*layer, strict=True))) for layer in found]

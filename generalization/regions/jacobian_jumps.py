"""Jumps of the logit Jacobian of a piecewise-linear network where linear regions meet."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from generalization.derivatives.preactivation_jacobians import without_features
from generalization.devices import items_at_once
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.regions.breakpoints import interpolated
from generalization.regions.crossings import Crossings, crossings


@torch.inference_mode()
def jacobian_variation(
    network: FullyConnectedNetworks, vertices: Float[Tensor, "curves vertices *features"]
) -> Float64[Tensor, "curves"]:
    """Total variation of f' = ∂f/∂x along polylines in input space, without sampling.

    f' is constant but for crossings of thresholds. At one of unit j in layer l, the slope of that
    unit changes by Δφ', which is ±1 for functions that clamp, and f' by Δφ' times the outer product
    of ∂f/∂a_l[j] and ∂z_l[j]/∂x, so that ‖Δf'‖_F is |Δφ'| times the product of their norms. They
    are a column and a row, multiplied through the layers above and below, for many crossings at a
    time.

    Returns:
        Σ ‖Δf'‖_F over the crossings of every polyline. Being a vertex changes nothing.
    """
    found = crossings(network, vertices)
    slopes = torch.tensor(network.phi.slopes, dtype=torch.float64, device=vertices.device)
    changes = slopes.diff()[found.threshold]
    middles, active, resting = _sides(found, changes, *vertices.shape[:2])
    matrices = [
        without_features(network.weights[0][0]),
        *(weight[0] for weight in network.weights[1:]),
    ]
    first_layer = network.affine(0, vertices.flatten(2).flatten(0, 1)).squeeze(0)
    total = torch.zeros(len(vertices), dtype=torch.float64, device=vertices.device)
    size = items_at_once("operation", max(network.widths[1:]), vertices.device)
    for begin in range(0, len(active), size):
        piece = slice(begin, begin + size)
        sides = torch.stack((active[piece], resting[piece]))
        first, last = sides.aminmax()
        (there,) = interpolated(middles[first : last + 1], first_layer)
        slopes = _slopes(network, there)
        norms = _jumps(matrices, slopes, found.layer[piece], found.unit[piece], sides - first)
        total.index_add_(0, found.curve[piece], changes[piece].abs() * norms)
    return total


def _sides(
    found: Crossings, changes: Float64[Tensor, "crossings"], curves: int, vertices: int
) -> tuple[Float64[Tensor, "regions"], Int[Tensor, "crossings"], Int[Tensor, "crossings"]]:
    """Places at which f' is computed on both sides of each crossing: half way to the next one.

    Args:
        found: The crossings.
        changes: How much larger the slope of the unit is above the threshold than below it.
        curves: Number of polylines.
        vertices: Of each of them.

    Returns:
        A place in every linear region, as ``polylines`` counts places through the vertices of all
        curves; of every crossing the number of the region where its unit is steeper; of the other.
    """
    place = found.position + vertices * found.curve
    begins = vertices * torch.arange(curves, dtype=torch.float64, device=place.device)
    # Crossings at one place have no region between them. From curve to curve there is one too many.
    borders = torch.cat((begins, place, begins + vertices - 1)).unique()
    behind = torch.searchsorted(borders, place)
    active = behind - (found.rising != (changes > 0)).long()
    return (borders[1:] + borders[:-1]) / 2, active, 2 * behind - 1 - active


def _slopes(
    network: FullyConnectedNetworks, preactivations: Float[Tensor, "points units"]
) -> list[Float[Tensor, "points units"]]:
    """φ'(z) of every hidden layer, from the preactivations of the first one."""
    slopes = []
    for layer in range(1, network.depth):
        activations = network.phi.function(preactivations)
        slopes.append(network.phi.derivative(activations))
        preactivations = network.affine(layer, activations).squeeze(0)
    return slopes


def _jumps(
    matrices: Sequence[Tensor],
    slopes: Sequence[Tensor],
    layers: Int[Tensor, "crossings"],
    units: Int[Tensor, "crossings"],
    sides: Int[Tensor, "2 crossings"],
) -> Float64[Tensor, "crossings"]:
    """‖Δf'‖_F of each crossing.

    It matters on which side slopes are taken if a layer dies as a whole, because units above come
    to rest on their thresholds at the same place. With layers above where the unit is active, and
    layers below where it is not, the jump belongs to the unit that is its cause, once.
    """
    norms = torch.empty(len(layers), dtype=torch.float64, device=layers.device)
    for layer in range(len(slopes)):
        chosen = (layers == layer).nonzero().squeeze(1)
        active, resting = sides[:, chosen]
        up, down = matrices[layer + 1].mT[units[chosen]], matrices[layer][units[chosen]]
        for above in range(layer + 1, len(slopes)):
            up = (up * slopes[above][active]) @ matrices[above + 1].mT
        for below in reversed(range(layer)):
            down = (down * slopes[below][resting]) @ matrices[below]
        norms[chosen] = up.norm(dim=1).double() * down.norm(dim=1).double()
    return norms

"""Jumps of the logit Jacobian of a piecewise-linear network at boundaries of linear regions."""

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
    """Return the total variation of f' = ∂f/∂x along polylines in input space, without sampling.

    f' is constant between threshold crossings. Where unit j of layer l crosses a threshold, its
    slope changes by Δφ', which is ±1 for functions that clamp, and f' by Δφ' times the outer
    product of ∂f/∂a_l[j] and ∂z_l[j]/∂x, so that ‖Δf'‖_F is |Δφ'| times the product of their norms.
    These are a column and a row, multiplied through the layers above and below, for many crossings
    at a time.

    Returns:
        Σ ‖Δf'‖_F over the crossings of each polyline; vertices contribute nothing.
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
        block = slice(begin, begin + size)
        sides = torch.stack((active[block], resting[block]))
        first, last = sides.aminmax()
        (preactivations,) = interpolated(middles[first : last + 1], first_layer)
        slopes = _slopes(network, preactivations)
        norms = _jumps(matrices, slopes, found.layer[block], found.unit[block], sides - first)
        total.index_add_(0, found.curve[block], changes[block].abs() * norms)
    return total


def _sides(
    found: Crossings, changes: Float64[Tensor, "crossings"], curves: int, vertices: int
) -> tuple[Float64[Tensor, "regions"], Int[Tensor, "crossings"], Int[Tensor, "crossings"]]:
    """Find the linear regions on both sides of each crossing, and the middle of each region.

    Args:
        found: Crossings.
        changes: Slope of the unit above the threshold minus its slope below, for each crossing.
        curves: Number of polylines.
        vertices: Number of vertices per polyline.

    Returns:
        Coordinate of the middle of each linear region; for each crossing, the index of the region
        where its unit is steeper, and that of the other region.
    """
    coordinate = found.position + vertices * found.curve
    begins = vertices * torch.arange(curves, dtype=torch.float64, device=coordinate.device)
    # Crossings at the same coordinate have no region between them. The extra region between the
    # end of a curve and the begin of the next is never used.
    borders = torch.cat((begins, coordinate, begins + vertices - 1)).unique()
    behind = torch.searchsorted(borders, coordinate)
    active = behind - (found.rising != (changes > 0)).long()
    return (borders[1:] + borders[:-1]) / 2, active, 2 * behind - 1 - active


def _slopes(
    network: FullyConnectedNetworks, preactivations: Float[Tensor, "points units"]
) -> list[Float[Tensor, "points units"]]:
    """Return φ'(z) of every hidden layer, from the preactivations of the first one."""
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
    """Return ‖Δf'‖_F / |Δφ'| of each crossing.

    When the last unit of a layer becomes inactive, the units above reach their thresholds at the
    same point. To count this jump once, for the unit that causes it, the slopes above are those on
    the side where the unit is active, and the slopes below those on the other side.
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

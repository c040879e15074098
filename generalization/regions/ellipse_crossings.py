"""Threshold crossings of a piecewise-linear network along ellipses, without sampling."""

from __future__ import annotations

from math import pi

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from generalization.devices import items_at_once
from generalization.networks.activation_functions import ActivationFunction
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.regions.arcs import Arcs, CrossedArcs, divided, quarters

# Relative to the magnitude of a unit: smaller excesses over a threshold are rounding.
ROUNDING = 1e-13

Coefficients = Float64[Tensor, "arcs 3 units"]


def ellipse_crossings(
    network: FullyConnectedNetworks, ellipses: Float[Tensor, "curves 3 *features"]
) -> list[CrossedArcs]:
    """Locate threshold crossings along closed ellipses in input space.

    A point of an ellipse is ``c + a cos θ + b sin θ``. On an arc on which no unit below crosses a
    threshold, all layers below are affine, and a preactivation is

        α + β cos θ + γ sin θ = α + ρ cos(θ − φ),   ρ = √(β² + γ²),   φ = atan2(γ, β),

    with three coefficients that transform linearly with the weights, as the point does. It rises
    through the threshold t at ``φ − δ`` and falls through it at ``φ + δ``,
    ``δ = arccos((t − α) / ρ)``. Between crossings the activation has the same form, with the slope
    times the coefficients, plus a constant. The crossings of a layer therefore divide the arcs for
    the layers above it.

    Args:
        network: A stack of one, with a piecewise-linear activation; converted to float64.

    Returns:
        For each hidden layer, the ellipses and the angles, from 0 to 2π, of all threshold
        crossings, unsorted.
    """
    network = network.to(torch.float64)
    inputs = ellipses.double().flatten(2)
    found: list[list[CrossedArcs]] = [[] for _ in range(network.depth - 1)]
    if found:
        arcs = quarters(len(inputs), inputs.device)
        for block in _blocks(arcs, inputs.shape[-1]):
            _follow(network, 0, inputs[arcs.curve[block]], arcs[block], found)
    return [tuple(map(torch.cat, zip(*layer, strict=True))) for layer in found]


def _blocks(arcs: Arcs, units: int) -> tuple[Int[Tensor, "_"], ...]:
    """Split the indices of the arcs into blocks within the memory budget."""
    size = items_at_once("operation", 3 * units, arcs.curve.device)
    return torch.arange(len(arcs.curve), device=arcs.curve.device).split(size)


@torch.inference_mode()
def _follow(
    network: FullyConnectedNetworks,
    layer: int,
    activations: Coefficients,
    arcs: Arcs,
    found: list[list[CrossedArcs]],
) -> None:
    """Find the crossings on arcs in a layer and in the layers above it.

    Args:
        activations: Coefficients of the activations below the layer.
        arcs: Arcs on which these coefficients hold.
        found: Ellipses and angles per layer, to which crossings are appended.
    """
    preactivations = _preactivations(network, layer, activations)
    arc, angle = _crossings(preactivations, arcs, network.phi.thresholds)
    found[layer].append((arcs.curve[arc], angle))
    if layer == network.depth - 2:
        return
    parent, parts = divided(arcs, arc, angle)
    for block in _blocks(parts, preactivations.shape[-1]):
        coefficients = preactivations.index_select(0, parent[block])
        coefficients = _activations(network.phi, coefficients, parts.middle[block])
        _follow(network, layer + 1, coefficients, parts[block], found)


def _preactivations(
    network: FullyConnectedNetworks, layer: int, activations: Coefficients
) -> Coefficients:
    """Map coefficients of activations to those of the preactivations above them."""
    weight = network.weights[layer][0]
    preactivations = (activations.flatten(0, 1) @ weight.T).unflatten(0, (-1, 3))
    if network.biases:
        preactivations[:, 0] += network.biases[layer][0]
    return preactivations


def _activations(
    phi: ActivationFunction, preactivations: Coefficients, middle: Float64[Tensor, "arcs"]
) -> Coefficients:
    """Return φ'·(α, β, γ) plus the constant φ(z) − φ'·z, evaluated in the middle of each arc."""
    constant, cosine, sine = preactivations.unbind(1)
    z = constant + middle.cos().unsqueeze(1) * cosine + middle.sin().unsqueeze(1) * sine
    value = phi.function(z)
    slope = phi.derivative(value)
    activations = preactivations * slope.unsqueeze(1)
    activations[:, 0] += value - slope * z
    return activations


def _crossings(
    preactivations: Coefficients, arcs: Arcs, thresholds: tuple[float, ...]
) -> CrossedArcs:
    """Find the crossings of all thresholds on arcs shorter than π.

    A unit that is on different sides of a threshold at the ends of an arc crosses it once. A unit
    that is on the same side at both ends crosses it twice if its extremum on the arc is beyond the
    threshold, else not at all.
    """
    begin, end, slope_at_begin, slope_at_end = _at_ends(preactivations, arcs).unbind(1)
    # Above a ReLU layer that becomes inactive, units reach 0 and are exactly 0 on the next arc.
    # Rounding must not leave them above 0 at the end of the arc before.
    margin = ROUNDING * preactivations.abs().amax(1)
    peaks = (slope_at_begin > 0) & (slope_at_end < 0)
    dips = (slope_at_begin < 0) & (slope_at_end > 0)
    found = []
    for threshold in thresholds:
        above, above_at_end = (values > margin + threshold for values in (begin, end))
        across = (above != above_at_end).nonzero(as_tuple=True)
        back = ((peaks & ~above & ~above_at_end) | (dips & above & above_at_end)).nonzero()
        back = back[_reaches(preactivations, back, threshold)].unbind(1)
        falls = torch.ones_like(back[0], dtype=torch.bool)
        found += [
            _located(preactivations, arcs, across, above[across], threshold),
            _located(preactivations, arcs, back, falls, threshold),
            _located(preactivations, arcs, back, ~falls, threshold),
        ]
    return tuple(map(torch.cat, zip(*found, strict=True)))


def _at_ends(preactivations: Coefficients, arcs: Arcs) -> Float64[Tensor, "arcs 4 units"]:
    """Return the preactivations, and their derivatives by the angle, at the ends of arcs."""
    cosines = torch.stack((arcs.begin.cos(), arcs.end.cos()), dim=1)
    sines = torch.stack((arcs.begin.sin(), arcs.end.sin()), dim=1)
    ones, zeros = torch.ones_like(sines), torch.zeros_like(sines)
    values = torch.stack((ones, cosines, sines), dim=2)
    slopes = torch.stack((zeros, -sines, cosines), dim=2)
    return torch.cat((values, slopes), dim=1) @ preactivations


def _reaches(
    preactivations: Coefficients, units: Int[Tensor, "some 2"], threshold: float
) -> Bool[Tensor, "some"]:
    """Return whether units reach a threshold anywhere on the full ellipse."""
    arc, unit = units.unbind(1)
    constant, cosine, sine = preactivations[arc, :, unit].unbind(1)
    return torch.hypot(cosine, sine) > (threshold - constant).abs()


def _located(
    preactivations: Coefficients,
    arcs: Arcs,
    units: tuple[Int[Tensor, "crossings"], Int[Tensor, "crossings"]],
    falls: Bool[Tensor, "crossings"],
    threshold: float,
) -> CrossedArcs:
    """Locate the angles at which units fall, or else rise, through a threshold on their arcs."""
    arc, unit = units
    constant, cosine, sine = preactivations[arc, :, unit].unbind(1)
    arcs = arcs[arc]
    cosine_of_distance = (threshold - constant) / torch.hypot(cosine, sine)
    # Outside of [−1, 1] only by rounding.
    distance = cosine_of_distance.clamp(-1, 1).arccos()
    angle = torch.atan2(sine, cosine) + distance.where(falls, -distance)
    from_middle = (angle - arcs.middle + pi).remainder(2 * pi) - pi
    return arc, (arcs.middle + from_middle).clamp(arcs.begin, arcs.end)

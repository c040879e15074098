"""Activation patterns, and how far inside the region of its pattern a point lies.

Args:
    preactivations: Of the hidden layers.
    thresholds: Of the activation function.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float64, UInt8
from torch import Tensor
from torch.nn.functional import logsigmoid

from generalization.derivatives.preactivation_jacobians import preactivation_gradient_norms
from generalization.networks.fully_connected import FullyConnectedNetworks

# Of the hidden layers, from the first on.
Preactivations = Sequence[Float[Tensor, "networks samples _units"]]
Pattern = Sequence[UInt8[Tensor, "networks samples _units"]]


def activation_pattern(
    preactivations: Preactivations, thresholds: Sequence[float]
) -> list[UInt8[Tensor, "networks samples _units"]]:
    """The number of thresholds below the preactivation of every hidden unit.

    For ReLU it is 1 where z > 0, and else 0: the signs A ∈ {1, −1} of Daróczy 2020, §2. Points with
    one pattern make an activation region, which is convex, and on which the network is affine.
    """
    return [sum((z > t).byte() for t in thresholds) for z in preactivations]


def log_membership(
    preactivations: Preactivations, pattern: Pattern, thresholds: Sequence[float]
) -> Float64[Tensor, "networks samples"]:
    """Logarithm of the approximate probability of points to be in the region of a pattern.

    Daróczy 2020, Eqs 4 and 8, with independent units given the layer below, for ReLU:

        ln Π_{l,i} σ(A_{l,i} z_{l,i}) = −Σ_{l,i} softplus(−A_{l,i} z_{l,i}).

    It is what the paper makes of a preactivation, not the measure of a region: over all sign
    patterns it sums to 1, those included that no point has, and a point outside a region may have
    more of it than one inside.

    Args:
        preactivations: Of the hidden layers, at the points.
        pattern: Of ``activation_pattern``, of the same points or of others; it may be broadcast.

    Returns:
        A number below 0 for each network and point; one 0 if there are no hidden units.
    """
    # ASSUME: with two thresholds s < t the factor of a unit is the logistic probability of its
    # piece, σ(z − s) − σ(z − t) = σ(z − s) σ(t − z) (1 − exp(s − t)) between them; the paper has
    # ReLU only, of which this is the definition.
    terms = []
    for z, codes in zip(preactivations, pattern, strict=True):
        limits = [-torch.inf, *thresholds, torch.inf]
        limits = torch.tensor(limits, dtype=torch.float64, device=z.device)
        low, high = (limits[codes.long() + above] for above in (0, 1))
        factors = logsigmoid(z.double() - low) + logsigmoid(high - z.double())
        terms.append((factors + (-(low - high).expm1()).log()).sum(-1))
    return sum(terms, torch.zeros((), dtype=torch.float64))


def margins(
    preactivations: Preactivations, thresholds: Sequence[float]
) -> list[Float64[Tensor, "networks samples _units"]]:
    """|z − t| of every hidden unit, with its nearest threshold t.

    The least over a set of points is the margin of a ReLU unit (Daróczy 2020, §9).
    """
    return [
        torch.stack([(z.double() - t).abs() for t in thresholds]).amin(0) for z in preactivations
    ]


def facet_distances(
    networks: FullyConnectedNetworks, preactivations: Preactivations
) -> list[Float64[Tensor, "networks samples _units"]]:
    """Distance of every hidden unit from its nearest threshold in input space, |z − t| / ‖∂z/∂x‖.

    Inside the activation region of a point all preactivations are affine, so that each threshold
    of a unit is a hyperplane, at this distance. The nearest of all units is a facet of the region:
    nearer to the point no unit changes, and none before it bends the hyperplane. The least distance
    is thus the radius of the largest ball around the point within its region. (The radius of the
    largest ball anywhere in it, which Daróczy 2020, §3.1, cites, takes a linear program.)

    Args:
        networks: R networks, whose activation function is piecewise linear.
        preactivations: Of their hidden layers, at N points.

    Returns:
        In units of the input; infinite for a unit that does not change with the input.
    """
    phi = networks.phi
    slopes = [phi.derivative(phi.function(z)) for z in preactivations]
    norms = preactivation_gradient_norms(networks.weights[:-1], slopes)
    return [
        # A unit above dead ones may be on its threshold, and never leaves it.
        (margin / norm).where(norm != 0, torch.inf)
        for margin, norm in zip(margins(preactivations, phi.thresholds), norms, strict=True)
    ]

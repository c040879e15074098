"""Activation patterns, and distances of inputs to the facets of their activation regions.

Args:
    preactivations: Preactivations of the hidden layers.
    thresholds: Thresholds of the activation function.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float64, UInt8
from torch import Tensor
from torch.nn.functional import logsigmoid

from generalization.derivatives.preactivation_jacobians import preactivation_gradient_norms
from generalization.networks.fully_connected import FullyConnectedNetworks

# One tensor per hidden layer, from the first one up.
Preactivations = Sequence[Float[Tensor, "networks samples _units"]]
Pattern = Sequence[UInt8[Tensor, "networks samples _units"]]


def activation_pattern(
    preactivations: Preactivations, thresholds: Sequence[float]
) -> list[UInt8[Tensor, "networks samples _units"]]:
    """Count the thresholds below the preactivation of every hidden unit.

    For ReLU the count is 1 where z > 0, else 0: the signs A ∈ {1, −1} of Daróczy 2020, §2. Inputs
    with the same pattern form an activation region, which is convex and on which the network is
    affine.
    """
    return [sum((z > t).byte() for t in thresholds) for z in preactivations]


def log_membership(
    preactivations: Preactivations, pattern: Pattern, thresholds: Sequence[float]
) -> Float64[Tensor, "networks samples"]:
    """Return the log of the approximate probability that inputs lie in the region of a pattern.

    Daróczy 2020, Eqs 4 and 8, with independent units given the layer below, for ReLU:

        ln Π_{l,i} σ(A_{l,i} z_{l,i}) = −Σ_{l,i} softplus(−A_{l,i} z_{l,i}).

    This is the paper's logistic model of preactivations, not the volume of a region: it sums to 1
    over all sign patterns, including those of no input, and may be larger for an input outside a
    region than for one inside.

    Args:
        pattern: Result of ``activation_pattern`` for these or other inputs; it may be broadcast.

    Returns:
        A number below 0 for each network and input; a scalar 0 if there are no hidden units.
    """
    # ASSUME: with two thresholds s < t the factor of a unit is the logistic probability of its
    # linear piece, σ(z − s) − σ(z − t) = σ(z − s) σ(t − z) (1 − exp(s − t)) between them. The paper
    # defines it for ReLU only, where the two agree.
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
    """Return |z − t| of every hidden unit for its nearest threshold t.

    The minimum over a set of inputs is the margin of a ReLU unit (Daróczy 2020, §9).
    """
    return [
        torch.stack([(z.double() - t).abs() for t in thresholds]).amin(0) for z in preactivations
    ]


def facet_distances(
    networks: FullyConnectedNetworks, preactivations: Preactivations
) -> list[Float64[Tensor, "networks samples _units"]]:
    """Return the distance |z − t| / ‖∂z/∂x‖ of each input to the nearest threshold of each unit.

    Within the activation region of an input all preactivations are affine, so that each threshold
    of a unit is a hyperplane at this distance. The nearest of these hyperplanes is a facet of the
    region: no unit crosses a threshold before it. The minimum over units is therefore the radius of
    the largest ball around the input within its region. (The radius of the largest ball anywhere in
    the region, which Daróczy 2020, §3.1, cites, requires a linear program.)

    Args:
        networks: R networks with a piecewise-linear activation function.

    Returns:
        Distances in units of the input; infinite for units that do not depend on the input.
    """
    phi = networks.phi
    slopes = [phi.derivative(phi.function(z)) for z in preactivations]
    norms = preactivation_gradient_norms(networks.weights[:-1], slopes)
    return [
        # A unit above inactive ones may be on its threshold, and stays on it.
        (margin / norm).where(norm != 0, torch.inf)
        for margin, norm in zip(margins(preactivations, phi.thresholds), norms, strict=True)
    ]

"""Jacobians of preactivations, at a cost nearly independent of the input dimension."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from generalization.devices import items_at_once


@torch.no_grad()
def preactivation_gradient_norms(
    weights: Sequence[Float[Tensor, "networks _fan_out _fan_in"]],
    slopes: Sequence[Float[Tensor, "networks samples _units"]],
) -> list[Float64[Tensor, "networks samples _units"]]:
    """Return ‖∂z_{l,i}/∂x‖₂ of every hidden unit, active or not, at every input.

    Products are in the dtype of the weights, sums of squares are float64.

    Args:
        slopes: Slopes φ'(z_l) of the hidden layers; those of the last one are not used.

    Returns:
        One tensor per hidden layer.
    """
    of_networks = [
        _network_norms([weight[member] for weight in weights], [slope[member] for slope in slopes])
        for member in range(len(slopes[0]) if slopes else 0)
    ]
    return [torch.stack(layer) for layer in zip(*of_networks, strict=True)]


def _network_norms(weights: Sequence[Tensor], slopes: Sequence[Tensor]) -> list[Tensor]:
    """Return the norms of one network, one tensor (samples, units) per layer."""
    first = without_features(weights[0])
    units = max(len(weight) for weight in weights)
    bytes_per_point = units * first.shape[1] * first.element_size()
    points = items_at_once("preactivation_jacobians", bytes_per_point, first.device)
    blocks = [
        [
            torch.linalg.vector_norm(jacobian, dim=2, dtype=torch.float64).mT.expand(len(at[0]), -1)
            for jacobian in preactivation_jacobians(first, weights[1:], at)
        ]
        for at in zip(*(slope.split(points) for slope in slopes), strict=True)
    ]
    return [torch.cat(layer) for layer in zip(*blocks, strict=True)]


def without_features(
    weight: Float[Tensor, "units features"],
) -> Float[Tensor, "units columns"]:
    """Return a matrix with the Gram matrix of W_1 but no more columns than W_1 has rows.

    If W_1ᵀ = Q R then B W_1 = (B Rᵀ) Qᵀ for every B: the rows of B Rᵀ have the norms and inner
    products of those of B W_1.
    """
    units, features = weight.shape
    return torch.linalg.qr(weight.mT, mode="r").R.mT.contiguous() if features > units else weight


def preactivation_jacobians(
    first: Float[Tensor, "units columns"],
    weights: Sequence[Float[Tensor, "_fan_out _fan_in"]],
    slopes: Sequence[Float[Tensor, "samples _units"]],
) -> Iterator[Float[Tensor, "_units _samples columns"]]:
    """Yield J_1 = W_1 and J_l = W_l D_{l-1} J_{l-1}, where D_l = diag(φ'(z_l)), layer by layer.

    All inputs are multiplied in one product per layer.

    Args:
        first: Some or all columns of W_1, or of its replacement by ``without_features``.
        weights: Weights W_l of the hidden layers above the first.
        slopes: Slopes φ'(z_l), from the first hidden layer up.

    Yields:
        Jacobians J_l at every input; J_1, which is constant, without the axis of inputs.
    """
    jacobian = first.unsqueeze(1)
    yield jacobian
    for weight, slope in zip(weights, slopes, strict=False):
        below = jacobian * slope.mT.unsqueeze(2)
        jacobian = (weight @ below.flatten(1)).unflatten(1, below.shape[1:])
        yield jacobian

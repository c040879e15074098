"""Directions in the space of a layer's units, the leading ones first."""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

Basis = Float64[Tensor, "units units"]


def principal_directions(activations: Float[Tensor, "samples units"]) -> Basis:
    """Orthonormal directions of descending variance.

    Args:
        activations: Of one layer.

    Returns:
        One column per direction, as many as there are units.
    """
    centered = activations.double() - activations.double().mean(0)
    return _descending(centered.mT @ centered)


def svcca_directions(
    activations: Float[Tensor, "samples units"],
    others: Float[Tensor, "samples other_units"],
    *,
    explained_variance: float = 0.99,
) -> tuple[Basis, Basis]:
    """Orthonormal directions that a layer shares with another, the best correlated ones first.

    SVCCA (Raghu et al. 2017) keeps of each layer the fewest principal directions with so much
    of the variance and finds in both the linear combinations of units that correlate best: the
    variates ``H = X A`` with ``A = V diag(1 / s) U``, where ``X = Q diag(s) Vᵀ`` are the centered
    activations and ``U`` are left singular vectors of ``Qᵀ Q'``. Two directions go with a variate:
    how the units vary with it, a column of ``Xᵀ H = V diag(s) U``, and how it is read from the
    units, a column of A. Either become orthonormal from the first to the last, so that the first k
    span what they did. A projection on the first k of the former keeps all that is linear in the
    first k variates, which is the paper's projection of units on variates; one on those of A keeps
    the variates as they were. Other directions follow, by descending variance.

    Args:
        activations: Of the layer in whose space the directions lie.
        others: Of the other layer, at the same inputs.
        explained_variance: That is kept of each layer.

    Returns:
        How units vary, and the weights A: one column per direction, as many as there are units.
    """
    scores, deviations, directions = _decomposed(activations, explained_variance)
    other_scores, *_ = _decomposed(others, explained_variance)
    shared = torch.linalg.svd(scores.mT @ other_scores, full_matrices=False).U
    varying, weights = directions * deviations @ shared, directions / deviations @ shared
    return _completed(varying, activations), _completed(weights, activations)


def largest_units(activations: Float[Tensor, "samples units"]) -> Int64[Tensor, "units"]:
    """Units in the order of their mean absolute activation, the largest first."""
    return activations.double().abs().mean(0).argsort(descending=True, stable=True)


def unit_directions(order: Int64[Tensor, "units"]) -> Basis:
    """The directions of single units, in an order of theirs."""
    return torch.eye(len(order), dtype=torch.float64, device=order.device)[:, order]


def _completed(
    leading: Float64[Tensor, "units shared"], activations: Float[Tensor, "samples units"]
) -> Basis:
    """A basis of which the first directions span the given ones, one by one."""
    basis = torch.linalg.qr(leading, mode="complete").Q
    first, rest = basis.split([leading.shape[1], len(basis) - leading.shape[1]], dim=1)
    centered = (activations.double() - activations.double().mean(0)) @ rest
    return torch.cat((first, rest @ _descending(centered.mT @ centered)), dim=1)


def _descending(scatter: Float64[Tensor, "units units"]) -> Basis:
    """Eigenvectors of descending eigenvalue."""
    return torch.linalg.eigh(scatter).eigenvectors.flip(1)


def _decomposed(
    activations: Float[Tensor, "samples units"], explained_variance: float
) -> tuple[Float64[Tensor, "samples kept"], Float64[Tensor, "kept"], Float64[Tensor, "units kept"]]:
    """Q, s and V of the principal directions that are kept. Constant units have none."""
    centered = activations.double() - activations.double().mean(0)
    scores, deviations, directions = torch.linalg.svd(centered, full_matrices=False)
    smallest = max(centered.shape) * torch.finfo(torch.float64).eps * deviations[:1]
    variances = deviations.square() * (deviations > smallest)
    # As many as there are sums that have not yet reached the share, and one more.
    short = variances.cumsum(0) < explained_variance * variances.sum() * (1 - 1e-12)
    kept = min(int(short.sum()) + 1, int((variances > 0).sum()))
    return scores[:, :kept], deviations[:kept], directions[:kept].mT

"""Directions in the activation space of a layer, leading directions first."""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

Basis = Float64[Tensor, "units units"]


def principal_directions(activations: Float[Tensor, "samples units"]) -> Basis:
    """Return orthonormal directions in order of descending variance.

    Args:
        activations: Activations of one layer.

    Returns:
        One column per direction, as many as units.
    """
    centered = activations.double() - activations.double().mean(0)
    return _descending(centered.mT @ centered)


def svcca_directions(
    activations: Float[Tensor, "samples units"],
    others: Float[Tensor, "samples other_units"],
    *,
    explained_variance: float = 0.99,
) -> tuple[Basis, Basis]:
    """Return orthonormal directions of a layer in order of correlation with another layer.

    SVCCA (Raghu et al. 2017) keeps the fewest principal directions of each layer that explain a
    given share of its variance, and finds the linear combinations of units that correlate most: the
    variates ``H = X A`` with ``A = V diag(1 / s) U``, where ``X = Q diag(s) Vᵀ`` are the centered
    activations and ``U`` the left singular vectors of ``Qᵀ Q'``. Two directions belong to a
    variate: its pattern, a column of ``Xᵀ H = V diag(s) U``, along which units vary with it, and
    its weights, a column of A, by which it is computed from units. Both sets are orthonormalized in
    order, so that the first k span the same space as before. Projecting on the first k patterns
    keeps everything that is linear in the first k variates, which is the paper's projection of
    units on variates; projecting on the first k weights preserves these variates. The remaining
    directions follow in order of descending variance.

    Args:
        activations: Activations of the layer in whose space the directions lie.
        others: Activations of the other layer on the same inputs.
        explained_variance: Share of the variance to keep of each layer.

    Returns:
        Patterns, and weights A: one column per direction, as many as units.
    """
    scores, deviations, directions = _decomposed(activations, explained_variance)
    other_scores, *_ = _decomposed(others, explained_variance)
    shared = torch.linalg.svd(scores.mT @ other_scores, full_matrices=False).U
    varying, weights = directions * deviations @ shared, directions / deviations @ shared
    return _completed(varying, activations), _completed(weights, activations)


def principal_scores(
    activations: Float[Tensor, "samples units"], explained_variance: float
) -> Float64[Tensor, "samples kept"]:
    """Return orthonormal scores on the fewest principal directions of a layer.

    Args:
        explained_variance: Share of the variance that they explain.

    Returns:
        One column per direction, in order of descending variance; none of a constant layer.
    """
    return _decomposed(activations, explained_variance)[0]


def largest_units(activations: Float[Tensor, "samples units"]) -> Int64[Tensor, "units"]:
    """Return the units in order of descending mean absolute activation."""
    return activations.double().abs().mean(0).argsort(descending=True, stable=True)


def unit_directions(order: Int64[Tensor, "units"]) -> Basis:
    """Return the directions of single units in a given order."""
    return torch.eye(len(order), dtype=torch.float64, device=order.device)[:, order]


def _completed(
    leading: Float64[Tensor, "units shared"], activations: Float[Tensor, "samples units"]
) -> Basis:
    """Return a full basis whose first k directions span the first k of those given."""
    basis = torch.linalg.qr(leading, mode="complete").Q
    first, rest = basis.split([leading.shape[1], len(basis) - leading.shape[1]], dim=1)
    centered = (activations.double() - activations.double().mean(0)) @ rest
    return torch.cat((first, rest @ _descending(centered.mT @ centered)), dim=1)


def _descending(scatter: Float64[Tensor, "units units"]) -> Basis:
    """Return the eigenvectors in order of descending eigenvalue."""
    return torch.linalg.eigh(scatter).eigenvectors.flip(1)


def _decomposed(
    activations: Float[Tensor, "samples units"], explained_variance: float
) -> tuple[Float64[Tensor, "samples kept"], Float64[Tensor, "kept"], Float64[Tensor, "units kept"]]:
    """Return Q, s and V of the principal directions to keep; constant units have none."""
    centered = activations.double() - activations.double().mean(0)
    scores, deviations, directions = torch.linalg.svd(centered, full_matrices=False)
    smallest = max(centered.shape) * torch.finfo(torch.float64).eps * deviations[:1]
    variances = deviations.square() * (deviations > smallest)
    # One more than the number of partial sums below the share.
    short = variances.cumsum(0) < explained_variance * variances.sum() * (1 - 1e-12)
    kept = min(int(short.sum()) + 1, int((variances > 0).sum()))
    return scores[:, :kept], deviations[:kept], directions[:kept].mT

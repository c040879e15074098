"""Canonical correlations of two layers, in sample and on held-out datapoints."""

from __future__ import annotations

import torch
from jaxtyping import Float64, Inexact
from torch import Tensor

from generalization.representations.bases import Basis
from generalization.representations.products import Products
from generalization.representations.representation import Representation


def canonical_correlations(
    a: Basis, b: Basis, product: Inexact[Tensor, "coordinates_a coordinates_b"]
) -> Float64[Tensor, "directions"]:
    """Return ρ, the singular values of Q_aᴴ Q_b, in decreasing order (Hotelling 1936).

    Args:
        a: Basis of one layer.
        b: Basis of another layer.
    """
    return torch.linalg.svdvals(_between(a, b, product)).clamp(0, 1)


def canonical_directions(
    a: Basis, b: Basis, product: Inexact[Tensor, "coordinates_a coordinates_b"]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return U, ρ, V such that the variates Q_a U and Q_b V correlate by ρ, in pairs only."""
    u, correlations, vh = torch.linalg.svd(_between(a, b, product), full_matrices=False)
    return u, correlations.clamp(0, 1), vh.mH


def held_out_correlations(
    a: Representation,
    b: Representation,
    bases: tuple[Basis, Basis],
    products: Products,
    directions: tuple[Tensor, Tensor, Tensor] | None = None,
) -> Float64[Tensor, "directions"]:
    """Return the correlations on the second half of pairs of directions fitted on the first.

    They are free of the selection bias of fitted correlations; fitted noise has correlation 0.

    Args:
        bases: Bases of the two layers on the first half.
        products: Products AᴴB over each half.
        directions: Canonical directions on the first half, if already computed.

    Returns:
        One signed correlation per pair; 0 where one of the two is constant.
    """
    u, _, v = directions or canonical_directions(*bases, products[0])
    map_a, map_b = bases[0].map @ u, bases[1].map @ v
    shared = _paired(map_a, products[1], map_b)
    variances = _paired(map_a, a.grams[1], map_a) * _paired(map_b, b.grams[1], map_b)
    smallest = torch.finfo(variances.dtype).tiny
    return torch.where(variances > smallest, shared / variances.clamp_min(smallest).sqrt(), 0.0)


def _between(a: Basis, b: Basis, product: Tensor) -> Inexact[Tensor, "rank_a rank_b"]:
    """Return Q_aᴴ Q_b."""
    return b.of(a.of(product).mH).mH


def _paired(a: Tensor, product: Tensor, b: Tensor) -> Float64[Tensor, "directions"]:
    """Return the real part of a_iᴴ P b_i for every pair of columns."""
    return (a.conj() * (product @ b)).sum(0).real

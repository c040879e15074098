"""Orthonormal bases of what the units of a layer span."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float64, Inexact
from torch import Tensor


@dataclass(frozen=True)
class Basis:
    """Orthonormal directions Q of centered datapoints, never formed: Q = coordinates · map.

    Attributes:
        map: Coordinates × rank.
        gram: Gram matrix of the centered coordinates.
        mixing: See ``Representation``.
        factor: Its inverse, if that is triangular.
    """

    map: Inexact[Tensor, "coordinates rank"]
    gram: Inexact[Tensor, "coordinates coordinates"]
    mixing: Inexact[Tensor, "coordinates units"] | None
    factor: Inexact[Tensor, "coordinates coordinates"] | None = None

    def of(self, product: Inexact[Tensor, "coordinates _"]) -> Inexact[Tensor, "rank _"]:
        """Qᴴ Y from the product of the centered coordinates with Y."""
        if self.factor is None:
            return self.map.mH @ product
        # Takes less time than the product.
        return torch.linalg.solve_triangular(self.factor.mH, product, upper=False)

    @cached_property
    def loadings(self) -> Inexact[Tensor, "rank units"]:
        """Qᴴ X of the centered units X."""
        loadings = self.of(self.gram)
        return loadings if self.mixing is None else loadings @ self.mixing

    @property
    def rank(self) -> int:
        """Number of directions."""
        return self.map.shape[1]

    def leading(self, rank: int) -> Basis:
        """The first directions."""
        return Basis(self.map[:, :rank], self.gram, self.mixing)


@dataclass(frozen=True)
class Part:
    """Datapoints of a layer.

    Attributes:
        gram: Gram matrix of the centered coordinates.
        floor: Squared length up to which a coordinate does not vary here.
        tolerance: See ``Representation``.
        mixing: See ``Representation``.
    """

    gram: Inexact[Tensor, "coordinates coordinates"]
    floor: Float64[Tensor, "coordinates"]
    tolerance: float
    mixing: Inexact[Tensor, "coordinates units"] | None

    @cached_property
    def unit_gram(self) -> Inexact[Tensor, "units units"]:
        """Gram matrix of the centered units."""
        return self.gram if self.mixing is None else self.mixing.mH @ self.gram @ self.mixing

    @cached_property
    def basis(self) -> Basis:
        """An orthonormal basis of the span of all units.

        With G the Gram matrix, D its diagonal and D^{−½} G D^{−½} = V Λ Vᴴ, the map
        D^{−½} V Λ^{−½} makes the coordinates orthonormal. What is not larger than rounding is left
        out. Where nothing is, the inverse of the Cholesky factor of G spans the same, in a third of
        the time.
        """
        return self._triangular_basis or self._eigenbasis

    @property
    def _triangular_basis(self) -> Basis | None:
        """G = FᴴF gives F⁻¹; none, where an eigenvalue could be rounding.

        All of them are above the tolerance if that is less than 1 / (n ‖D^½ F⁻¹‖²), because Λ is at
        most the trace n, and its inverse at most that of D^½ G⁻¹ D^½.
        """
        squares = self.gram.diagonal().real
        factor, failed = torch.linalg.cholesky_ex(self.gram, upper=True)
        if failed or not len(squares) or (squares <= self.floor).any():
            return None
        identity = torch.eye(len(factor), dtype=factor.dtype, device=factor.device)
        inverse = torch.linalg.solve_triangular(factor, identity, upper=True)
        trace = (squares * inverse.abs().square().sum(1)).sum()
        if not trace * len(squares) * self.tolerance < 1:
            return None
        return Basis(inverse, self.gram, self.mixing, factor)

    @property
    def _eigenbasis(self) -> Basis:
        squares = self.gram.diagonal().real
        scale = torch.where(squares > self.floor, squares.clamp_min(1e-300).rsqrt(), 0.0)
        eigenvalues, vectors = torch.linalg.eigh(scale[:, None] * self.gram * scale)
        kept = eigenvalues > self.tolerance * eigenvalues[-1:].clamp_min(1e-300)
        to_basis = scale[:, None] * vectors[:, kept] * eigenvalues[kept].rsqrt()
        return Basis(to_basis, self.gram, self.mixing)

    @cached_property
    def principal_basis(self) -> Basis:
        """Basis of the span of all units by decreasing variance, the left singular vectors of X.

        They are those of Qᴴ X, turned by Q.
        """
        u, _, _ = torch.linalg.svd(self.basis.loadings, full_matrices=False)
        return Basis(self.basis.map @ u, self.gram, self.mixing)

    def principal(self, explained_variance: float) -> Basis:
        """The fewest directions that have this part of the variance."""
        squares = self.principal_basis.loadings.abs().square().sum(1)
        left_out = squares.flip(0).cumsum(0).flip(0)
        rank = int((left_out > (1 - explained_variance) * squares.sum()).sum())
        return self.principal_basis.leading(rank)

"""Orthonormal bases of the span of the units of a layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float64, Inexact
from torch import Tensor


@dataclass(frozen=True)
class Basis:
    """Orthonormal directions Q of centered datapoints, stored as a map: Q = coordinates · map.

    Attributes:
        map: Map from coordinates to directions, coordinates × rank.
        gram: Gram matrix of the centered coordinates.
        mixing: Map from coordinates to units, see ``Representation``.
        factor: Inverse of the map, if it is triangular.
    """

    map: Inexact[Tensor, "coordinates rank"]
    gram: Inexact[Tensor, "coordinates coordinates"]
    mixing: Inexact[Tensor, "coordinates units"] | None
    factor: Inexact[Tensor, "coordinates coordinates"] | None = None

    def of(self, product: Inexact[Tensor, "coordinates _"]) -> Inexact[Tensor, "rank _"]:
        """Return Qᴴ Y from the product of the centered coordinates with Y."""
        if self.factor is None:
            return self.map.mH @ product
        # Solving takes less time than multiplying.
        return torch.linalg.solve_triangular(self.factor.mH, product, upper=False)

    @cached_property
    def loadings(self) -> Inexact[Tensor, "rank units"]:
        """Products Qᴴ X with the centered units X."""
        loadings = self.of(self.gram)
        return loadings if self.mixing is None else loadings @ self.mixing

    @property
    def rank(self) -> int:
        """Number of directions."""
        return self.map.shape[1]

    def leading(self, rank: int) -> Basis:
        """Return the first directions."""
        return Basis(self.map[:, :rank], self.gram, self.mixing)


@dataclass(frozen=True)
class Part:
    """Some datapoints of a layer.

    Attributes:
        gram: Gram matrix of the centered coordinates.
        floor: Squared norm up to which a coordinate counts as constant.
        tolerance: Relative rounding of eigenvalues, see ``Representation``.
        mixing: Map from coordinates to units, see ``Representation``.
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
        """Orthonormal basis of the span of all units.

        With G the Gram matrix, D its diagonal and D^{−½} G D^{−½} = V Λ Vᴴ, the map
        D^{−½} V Λ^{−½} makes the coordinates orthonormal. Eigenvalues within rounding of 0 are
        omitted. If there are none, the inverse of the Cholesky factor of G spans the same space, in
        a third of the time.
        """
        return self._triangular_basis or self._eigenbasis

    @property
    def _triangular_basis(self) -> Basis | None:
        """Return the basis with map F⁻¹, G = FᴴF; None if an eigenvalue may be rounding.

        All eigenvalues are above the tolerance if it is less than 1 / (n ‖D^½ F⁻¹‖²), because Λ is
        at most the trace n, and Λ⁻¹ at most the trace of D^½ G⁻¹ D^½.
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
        """Return the left singular vectors of X, in order of decreasing variance.

        They are Q times those of Qᴴ X.
        """
        u, _, _ = torch.linalg.svd(self.basis.loadings, full_matrices=False)
        return Basis(self.basis.map @ u, self.gram, self.mixing)

    def principal(self, explained_variance: float) -> Basis:
        """Return the fewest directions that explain this share of the variance."""
        squares = self.principal_basis.loadings.abs().square().sum(1)
        left_out = squares.flip(0).cumsum(0).flip(0)
        rank = int((left_out > (1 - explained_variance) * squares.sum()).sum())
        return self.principal_basis.leading(rank)

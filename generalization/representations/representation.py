"""Representation of a layer: its activations and everything that all comparisons share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float64, Inexact
from torch import Tensor, nn

from generalization.errors import InputError
from generalization.precision import rounded_to
from generalization.refusals import with_article
from generalization.representations.bases import Part
from generalization.representations.convolutions import one_matrix

Values = np.ndarray | Tensor


@dataclass(frozen=True)
class Representation:
    """A layer as N datapoints in m coordinates, of which its units are linear functions.

    In single precision the coordinates are the non-constant units. In double precision they are the
    left singular vectors of the centered units, because a Gram matrix squares the condition number
    and small directions would be lost to rounding.

    Attributes:
        values: Coordinates, N × m; the datapoints of the first half of the samples come first.
        split: Number of datapoints of the first half.
        units: Number of units of the layer, including constant ones.
        mixing: Matrix m × non-constant units with centered units = centered coordinates · mixing;
            None for the identity.
        finite: Whether all activations are finite; if not, there are no coordinates.
        tolerance: Share of the largest eigenvalue of a Gram matrix of normalized coordinates below
            which eigenvalues are rounding.
        positions: Number of consecutive datapoints per sample: pixels of an image.
    """

    values: Inexact[Tensor, "datapoints coordinates"]
    split: int
    units: int
    mixing: Inexact[Tensor, "coordinates varying"] | None
    finite: bool
    tolerance: float
    positions: int = 1

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of datapoints of the two halves."""
        return self.split, len(self.values) - self.split

    @cached_property
    def means(self) -> tuple[Tensor, Tensor]:
        """Mean coordinates of the two halves."""
        return tuple(_wide(half).mean(0) for half in self.values.split(self.sizes))

    def half(
        self, which: int, out: Inexact[Tensor, "datapoints coordinates"] | None = None
    ) -> Inexact[Tensor, "datapoints coordinates"]:
        """Return the centered coordinates of one half in double precision.

        Args:
            which: Index of the half, 0 or 1.
            out: Memory to write to, since allocation takes longer than the computation.
        """
        values = self.values.split(self.sizes)[which]
        out = torch.empty_like(values, dtype=self.means[which].dtype) if out is None else out
        return out.copy_(values).sub_(self.means[which])

    @cached_property
    def grams(self) -> tuple[Tensor, Tensor]:
        """Gram matrices of the centered coordinates of the two halves."""
        return _gram(self.half(0)), _gram(self.half(1))

    @cached_property
    def whole(self) -> Part:
        """All datapoints."""
        gram = joined(self, self, self.grams)
        return Part(gram, torch.zeros_like(gram.diagonal().real), self.tolerance, self.mixing)

    @cached_property
    def first_half(self) -> Part:
        """The datapoints on which directions are fitted."""
        floor = self.tolerance * self.whole.gram.diagonal().real
        return Part(self.grams[0], floor, self.tolerance, self.mixing)

    @cached_property
    def lengths(self) -> Float64[Tensor, "datapoints"]:
        """Squared distance of every datapoint from the mean, over all units."""
        share = self.split / len(self.values)
        mean = share * self.means[0] + (1 - share) * self.means[1]
        centered = _wide(self.values) - mean
        units = centered if self.mixing is None else centered @ self.mixing
        return units.abs().square().sum(1)


def represented(activations: Values | Representation) -> Representation:
    """Return the representation of a layer.

    Args:
        activations: Samples × units, real or complex. Half and single precision count as rounded to
            it, also if they were converted to a wider type since, see ``rounded_to``. Samples of
            even and odd index form the two halves. A representation is returned as is.

    Returns:
        The layer without units that never vary: those whose values differ by at most ten times
        the rounding of the largest.

    Raises:
        InputError: If they are no activations, or of fewer than two samples.
    """
    if isinstance(activations, Representation):
        return activations
    if isinstance(activations, nn.Module):
        raise InputError(
            f"activations must be samples × units, not {with_article(type(activations).__name__)}: "
            "generalization.compare records those of its layers."
        )
    if isinstance(activations, np.ndarray):
        # Torch knows no negative strides.
        activations = np.ascontiguousarray(activations)
    rows = one_matrix(torch.as_tensor(activations).detach())
    if len(rows) < 2:
        raise InputError(f"activations must be of at least 2 samples, not {len(rows)}.")
    return represented_halves(rows[0::2], rows[1::2])


def represented_halves(
    first: Inexact[Tensor, "first units"],
    second: Inexact[Tensor, "second units"],
    positions: int = 1,
) -> Representation:
    """Return the representation of datapoints that are given in two halves."""
    values = torch.cat([first, second])
    values, rounding = values.to(rounded_to(values)), 0.0
    if values.dtype in {torch.float16, torch.bfloat16}:
        rounding = torch.finfo(values.dtype).eps
        values = values.float()
    if not (values.is_floating_point() or values.is_complex()):
        values = values.double()
    epsilon = torch.finfo(values.dtype).eps
    varies, finite = _varying(values, epsilon)
    units = values.shape[1]
    values = values if varies.all() else values[:, varies]
    if values.dtype in {torch.float64, torch.complex128}:
        tolerance = max(len(values), units) * epsilon
        values, mixing = _singular_vectors(values)
    else:
        # The rounding errors of N numbers add up to √N times that of one.
        tolerance, mixing = max(len(values), units) * epsilon**2, None
        if rounding and varies.any():
            tolerance = max(tolerance, _rounded_directions(values, rounding))
    return Representation(values, len(first), units, mixing, finite, tolerance, positions)


def joined(
    a: Representation, b: Representation, halves: tuple[Tensor, Tensor]
) -> Inexact[Tensor, "coordinates_a coordinates_b"]:
    """Return the product of centered coordinates over all datapoints, from those over halves.

    Each half of n₁ and n₂ datapoints is centered by its own mean; the difference is
    n₁n₂/(n₁ + n₂) · (mean₁ − mean₂)ᴴ (mean₁ − mean₂).
    """
    n, m = a.sizes
    shift_a, shift_b = (one.means[0] - one.means[1] for one in (a, b))
    return torch.addr(halves[0] + halves[1], shift_a.conj(), shift_b, alpha=n * m / (n + m))


def _gram(values: Inexact[Tensor, "datapoints columns"]) -> Inexact[Tensor, "columns columns"]:
    """Compute Xᴴ X by strips of the upper triangle; the lower one is its mirror image."""
    columns = values.shape[1]
    gram = values.new_empty(columns, columns)
    for begin in range(0, columns, 128):
        end = begin + 128
        gram[begin:end, begin:] = values[:, begin:end].mH @ values[:, begin:]
        gram[end:, begin:end] = gram[begin:end, end:].mH
    return gram


def _varying(values: Tensor, epsilon: float) -> tuple[Tensor, bool]:
    """Return the mask of varying units, all False if any is not finite; and whether all are."""
    parts = torch.view_as_real(values).unbind(-1) if values.is_complex() else [values]
    # Two passes are several times faster than ``aminmax``.
    extremes = [(part.amin(0), part.amax(0)) for part in parts]
    spreads = torch.stack([largest - smallest for smallest, largest in extremes]).amax(0)
    largest = torch.stack([one.abs() for part in extremes for one in part]).amax(0)
    finite = bool(torch.isfinite(spreads).all())
    return finite & (spreads > 10 * epsilon * largest), finite


def _rounded_directions(values: Tensor, epsilon: float) -> float:
    """Return the largest eigenvalue that the rounding of half-precision numbers may have.

    It is of a Gram matrix of N centered units of norm 1. N ε² would leave out nearly all directions
    of half precision, since errors of different numbers are independent: those of a unit x, at most
    ε |x| / 2, have the variance ε² x² / 12 or less, and a random matrix of m such columns has a
    largest squared singular value of (1 + √(m / N))² times that of a column.

    Args:
        values: N × m units that vary.
        epsilon: Precision to which they were rounded.
    """
    # ASSUME: twice the standard deviation, for what the layer itself has lost before.
    spread = values.var(0, correction=0)
    shares = (spread + values.mean(0).square()) / spread
    edge = (1 + (values.shape[1] / len(values)) ** 0.5) ** 2
    return 4 * epsilon**2 / 12 * edge * shares.max().item()


def _singular_vectors(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return U and S Vᴴ of the centered values, with units normalized first.

    Normalization makes the distinction of directions from rounding independent of scales of units.
    """
    centered = values - values.mean(0)
    lengths = torch.linalg.vector_norm(centered, dim=0)
    u, s, vh = torch.linalg.svd(centered / lengths, full_matrices=False)
    kept = s > max(values.shape) * torch.finfo(values.dtype).eps * s[:1]
    return u[:, kept], s[kept, None] * vh[kept] * lengths


def _wide(values: Tensor) -> Tensor:
    return values.to(torch.complex128 if values.is_complex() else torch.float64)

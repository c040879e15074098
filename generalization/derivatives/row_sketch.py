"""Norms of Jacobians of modules with many classes, from a few random rows of them.

Let A = C ∂f/∂x have K rows, one backward pass each, and let u_1, …, u_m be orthonormal vectors,
uniformly distributed in a subspace of D dimensions with the projection P. Then D ‖Aᵀu_i‖² has the
mean ‖PA‖_F². The u_i are the first m of D such vectors, so that their mean is that of a sample
without replacement: its variance is S²/m (1 − m/D) with S² the sample variance, and 0 if m = D. The
complement of the subspace is computed exactly, one pass for each vector of an orthonormal basis.

The root of an unbiased square is too small, by an eighth of its relative variance to first order.
The jackknife over the m vectors removes this term, and gives the variance of the norm. What is left
is of second order: in simulations of rank one and m = 16, below 0.1 % of the norm, where the
standard error at one input is 18 %. It matters only if thousands of inputs are averaged.

Args:
    logits: Logits f of N inputs.
    rows: Number of backward passes per input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Generator, Tensor, nn

from generalization.derivatives.input_jacobian import (
    Cotangents,
    input_jacobian_norm,
    module_row_norms,
)
from generalization.derivatives.row_counts import FEWEST_ROWS, computed_rows
from generalization.errors import InputError, warn_of_method
from generalization.networks.modules import Networks, logits_of
from generalization.networks.softmax import softmax
from generalization.standard_errors import tell_standard_error


class Directions(NamedTuple):
    """Vectors u, as the rows Cᵀu that are backpropagated.

    Attributes:
        cotangents: Rows divided by the scale, in the dtype of the logits; those that are computed
            exactly come first.
        scale: Largest entry of each input's rows.
        exact: Number of rows that are computed exactly.
        dimensions: Dimension D of the subspace of the others.
    """

    cotangents: Float[Tensor, "samples rows classes"]
    scale: Float64[Tensor, "samples"]
    exact: int
    dimensions: int


DrawDirections = Callable[..., Directions]


@dataclass
class DrawnDirections:
    """Rows to backpropagate, which are drawn for one chunk of inputs after the other.

    Attributes:
        draw: Function that draws them.
        rows: Their number.
        generator: Source of randomness, on the CPU.
        of_chunk: Number of exact rows, and dimension of the others, of the last chunk.
    """

    draw: DrawDirections
    rows: int
    generator: Generator
    of_chunk: tuple[int, int] = 0, 0

    def __call__(self, logits: Tensor, *of_points: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows of a chunk, and their scale."""
        found = self.draw(logits, self.rows, self.generator, *of_points)
        self.of_chunk = found.exact, found.dimensions
        return found.cotangents, found.scale


class Norms(NamedTuple):
    """Norms ‖A‖_F, or their squares.

    Attributes:
        values: One per network and input.
        variances: Their variances, where rows are drawn; None where they are exact.
        how: How they are approximated, as a clause.
    """

    values: Float64[Tensor, "networks samples"]
    variances: Float64[Tensor, "networks samples"] | None = None
    how: str = ""

    def over_groups(self, size: int) -> Norms:
        """Return means over groups of consecutive inputs, and their variances."""
        values = self.values.unflatten(1, (-1, size)).mean(2)
        if self.variances is None:
            return Norms(values)
        variances = self.variances.unflatten(1, (-1, size)).mean(2) / size
        return Norms(values, variances, self.how)


def joined(parts: Sequence[Norms]) -> Norms:
    """Return the norms at all inputs from those at some after the other."""
    values = torch.cat([part.values for part in parts], dim=1)
    if parts[0].variances is None:
        return Norms(values)
    variances = torch.cat([part.variances for part in parts], dim=1)
    return Norms(values, variances, parts[0].how)


class Drawn(NamedTuple):
    """Number of rows that are drawn, that of all, and both as a clause."""

    rows: int
    classes: int
    how: str


class Rows(NamedTuple):
    """Setting of how many rows are computed, and the source of those that are drawn."""

    count: int | str
    generator: Generator | None

    def drawn(self, networks: Networks, inputs: Tensor) -> Drawn | None:
        """Return how many rows are drawn; None where all are computed.

        Raises:
            InputError: If the count is neither all nor a number that is large enough.
        """
        count = self.count
        known = isinstance(count, int) and not isinstance(count, bool) and count >= FEWEST_ROWS
        if count != "all" and not known:
            need = f"'all' or an integer of at least {FEWEST_ROWS}"
            raise InputError(f"rows must be {need}, not {count!r}.")
        if count == "all" or self.generator is None or not isinstance(networks, nn.Module):
            return None
        classes = logits_of(networks, inputs[:1]).shape[-1]
        if computed_rows(classes, count) == classes:
            return None
        return Drawn(count, classes, f"{count} rows drawn of {classes}")


def jacobian_norms(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    every: Cotangents,
    draw: DrawDirections,
    rows: Rows,
) -> Norms:
    """Compute norms ‖C ∂f/∂x‖_F, of modules with many classes from a few rows.

    Stacks, whose rows are multiplied together, and modules of up to 128 classes are computed by all
    rows, and so is any network without a source of randomness.

    Args:
        every: All rows, as of ``input_jacobian_norm``.
        draw: Function that chooses a few of them.
        rows: A count is used where there are more classes than it and than 128.
    """
    drawn = rows.drawn(networks, inputs)
    if drawn is None:
        return Norms(input_jacobian_norm(networks, inputs, every))
    found = sketched_jacobian_norm(networks, inputs, draw, drawn.rows, rows.generator)
    return Norms(*(one.unsqueeze(0) for one in found), drawn.how)


def told_mean(norms: Norms) -> Float64[Tensor, "networks samples"]:
    """Return norms, and tell the standard error of their mean over inputs if rows are drawn.

    The vectors at different inputs are independent, so that the variances add up.
    """
    if norms.variances is not None:
        error = norms.variances.sum(1).sqrt() / norms.variances.shape[1]
        tell_error(norms.values.mean(1), error, norms.how)
    return norms.values


def tell_error(
    values: Float64[Tensor, "networks"], error: Float64[Tensor, "networks"], how: str
) -> None:
    """Tell the standard errors of values over draws, and warn of the largest one."""
    tell_standard_error(error)
    relative = (error / values.abs().clamp_min(1e-300)).max().item()
    warn_of_method("sampled", f"{how}, ±{100 * relative:.2g}% a draw")


@torch.no_grad()
def sketched_jacobian_norm(
    module: nn.Module,
    inputs: Float[Tensor, "samples *features"],
    draw: DrawDirections,
    rows: int,
    generator: Generator,
) -> tuple[Float64[Tensor, "samples"], Float64[Tensor, "samples"]]:
    """Estimate the norm ‖C ∂f/∂x‖_F at every input, with independent vectors at each.

    Args:
        module: Map from inputs to logits, in eval mode, whose samples do not interact.
        draw: Function that chooses the vectors, such as ``logit_directions``.
        generator: Source of the vectors, on the CPU.

    Returns:
        Norms, and the variances of these estimates.
    """
    directions, parts = DrawnDirections(draw, rows, generator), []
    for norms, scale in module_row_norms(module, inputs, directions):
        norm, variance = _of_squares(norms.square(), *directions.of_chunk)
        parts.append((scale * norm, scale.square() * variance))
    norms, variances = zip(*parts, strict=True)
    return torch.cat(norms), torch.cat(variances)


def logit_directions(
    logits: Float[Tensor, "samples classes"], rows: int, generator: Generator
) -> Directions:
    """Draw vectors for the Jacobian of the logits, C = I, anywhere in the K dimensions."""
    vectors = torch.linalg.qr(normal(logits, rows, generator)).Q.mT
    return scaled(vectors, logits, 0, logits.shape[1])


def softmax_directions(
    logits: Float[Tensor, "samples classes"], rows: int, generator: Generator
) -> Directions:
    """Draw vectors for the Jacobian of the softmax, C = diag(σ) − σσᵀ, which is known.

    Row k of A is σ_k (∂f_k/∂x − Σ_j σ_j ∂f_j/∂x): where the network is confident, most of the norm
    is in the rows of its likeliest classes. So half of the passes go to the likeliest T classes,
    and to the sum of all others, exactly. The vectors that are drawn lie in what remains, K − T − 1
    dimensions; the vector of ones is in none of the two parts alone, and 1ᵀA = 0.

    Cu = σ ∘ (u − Σ_j σ_j u_j), of which nothing cancels for a saturated softmax once the entry of
    the likeliest class is subtracted from all entries of u.
    """
    classes, likeliest = logits.shape[1], rows // 2 - 1
    probabilities = softmax(logits)
    top = probabilities.topk(likeliest, dim=1).indices
    others = torch.ones_like(probabilities).scatter(1, top, 0.0)
    of_classes = torch.nn.functional.one_hot(top, classes).to(probabilities)
    of_others = others.unsqueeze(1) / (classes - likeliest) ** 0.5
    drawn = normal(logits, rows - rows // 2, generator) * others.unsqueeze(2)
    drawn -= others.unsqueeze(2) * drawn.sum(1, keepdim=True) / (classes - likeliest)
    vectors = torch.cat([of_classes, of_others, torch.linalg.qr(drawn).Q.mT], 1)
    changes = vectors - vectors.gather(2, top[:, None, :1].expand(-1, rows, -1))
    sigma = probabilities.unsqueeze(1)
    cotangents = sigma * (changes - (sigma * changes).sum(2, keepdim=True))
    return scaled(cotangents, logits, likeliest + 1, classes - likeliest - 1)


def scaled(rows: Tensor, logits: Tensor, exact: int, dimensions: int) -> Directions:
    """Divide rows by their largest entry, and round them to the dtype of logits."""
    scale = rows.abs().amax((1, 2)).clamp_min(torch.finfo(torch.float64).tiny)
    return Directions((rows / scale[:, None, None]).to(logits), scale, exact, dimensions)


def normal(
    logits: Tensor, count: int, generator: Generator
) -> Float64[Tensor, "samples classes count"]:
    """Draw normal numbers input by input, so that they do not depend on the size of chunks."""
    shape = logits.shape[1], count
    drawn = [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in logits]
    return torch.stack(drawn).to(logits.device)


def vectors_of_curves(
    rows: int, generator: Generator, curves: int, logits: Float[Tensor, "_samples classes"]
) -> Float[Tensor, "curves rows classes"]:
    """Draw orthonormal vectors for the Jacobian of the logits, the same all along a curve."""
    like = logits.new_empty(curves, logits.shape[1])
    return torch.linalg.qr(normal(like, rows, generator)).Q.mT.to(logits)


def _of_squares(
    squares: Float64[Tensor, "rows samples"], exact: int, dimensions: int
) -> tuple[Float64[Tensor, "samples"], Float64[Tensor, "samples"]]:
    """Return norms without the bias of the root to first order, and their variances."""
    return jackknifed(*roots(squares, exact, dimensions), dimensions)


def roots(
    squares: Float64[Tensor, "rows samples"], exact: int, dimensions: int
) -> tuple[Float64[Tensor, "samples"], Float64[Tensor, "drawn samples"]]:
    """Return norms by all vectors, and with each vector that is drawn left out.

    Args:
        squares: ‖Aᵀu‖² of all rows.
        exact: Number of rows that are computed exactly, which come first.
        dimensions: Dimension of the subspace of the others.
    """
    drawn, rest = squares[exact:], squares[:exact].sum(0)
    count, total = len(drawn), drawn.sum(0)
    norm = (rest + dimensions * total / count).sqrt()
    return norm, (rest + dimensions * (total - drawn).clamp_min(0) / (count - 1)).sqrt()


def jackknifed(
    estimate: Float64[Tensor, "samples"],
    left_out: Float64[Tensor, "drawn samples"],
    dimensions: int,
    drawn: int | None = None,
) -> tuple[Float64[Tensor, "samples"], Float64[Tensor, "samples"]]:
    """Return estimates without their bias to first order, and their variances.

    Args:
        estimate: Function of the mean over all vectors that are drawn.
        left_out: The same with each vector, or group of vectors, left out.
        dimensions: Number of vectors that all would be.
        drawn: Number of vectors that are drawn, if they are left out in groups.
    """
    count = len(left_out)
    missing = 1 - (drawn or count) / dimensions
    mean = left_out.mean(0)
    spread = (left_out - mean).square().mean(0)
    return estimate + missing * (count - 1) * (estimate - mean), missing * (count - 1) * spread

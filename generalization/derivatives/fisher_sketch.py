"""Traces and diagonals of the Gauss–Newton matrix of modules with many classes, from random rows.

The rows are those of ``row_sketch`` with a root of diag(σ) − σσᵀ in place of C, and parameters in
place of inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64, Int64
from torch import Generator, Tensor

from generalization.derivatives.gradient_factors import (
    gradient_blocks,
    row_squares,
    summed_squares,
)
from generalization.derivatives.row_sketch import (
    Directions,
    DrawnDirections,
    Norms,
    Rows,
    normal,
    scaled,
)
from generalization.networks.modules import Networks
from generalization.networks.softmax import softmax

# ASSUME: four groups. Each has as many numbers as the network has parameters.
GROUPS = 4


class Diagonals(NamedTuple):
    """Diagonal of the Gauss–Newton matrix, summed over samples.

    Attributes:
        total: Estimate by all rows, in the layout of ``gradient_sum``.
        left_out: The same with each group of the rows that are drawn left out.
        drawn: Number of rows that are drawn at every sample.
        dimensions: Number of rows that all would be.
        how: How they are approximated, as a clause.
    """

    total: list[Float64[Tensor, "networks _ _"]]
    left_out: list[list[Float64[Tensor, "networks _ _"]]]
    drawn: int
    dimensions: int
    how: str


@torch.no_grad()
def fisher_traces(
    networks: Networks, inputs: Float[Tensor, "samples *features"], rows: Rows
) -> Norms | None:
    """Estimate the traces ‖C^½ ∂f/∂θ‖_F² of the Gauss–Newton matrix at every input.

    Returns:
        Unbiased traces and their variances; None where all rows are to be computed.
    """
    drawn = rows.drawn(networks, inputs)
    if drawn is None:
        return None
    directions, parts = DrawnDirections(fisher_directions, drawn.rows, rows.generator), []
    for block in gradient_blocks(networks, inputs, directions):
        exact, dimensions = directions.of_chunk
        squares, sizes = row_squares(block)[0].mT, block.scale[0].square()
        total = squares[:exact].sum(0) + dimensions * squares[exact:].mean(0)
        missing = 1 - (drawn.rows - exact) / dimensions
        variance = dimensions**2 * missing * squares[exact:].var(0) / (drawn.rows - exact)
        parts.append((sizes * total, sizes.square() * variance))
    values, variances = (torch.cat(one).unsqueeze(0) for one in zip(*parts, strict=True))
    return Norms(values, variances, drawn.how)


@torch.no_grad()
def fisher_diagonals(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    labels: Int64[Tensor, "samples"],
    rows: Rows,
) -> Diagonals | None:
    """Estimate the diagonal of the Gauss–Newton matrix, without bias.

    Args:
        labels: Classes whose rows, √σ_y times the gradients of the loss, are exact at their inputs:
            where C_pp is divided by an estimate of H_pp, this is then no less than σ_y C_pp of any
            one input.

    Returns:
        Estimates, from all rows that are drawn and from groups of them; None where all rows are to
        be computed.
    """
    drawn = rows.drawn(networks, inputs)
    if drawn is None:
        return None
    directions = DrawnDirections(fisher_directions, drawn.rows, rows.generator)
    sums: list[list[Tensor]] = []
    for block in gradient_blocks(networks, inputs, directions, labels):
        exact, dimensions = directions.of_chunk
        groups = _groups(exact, drawn.rows)
        found = [summed_squares(block, part) for part in (slice(exact), *groups)]
        sums = [_added(*parts) for parts in zip(sums, found, strict=True)] if sums else found
    known, *of_groups = sums
    every = [sum(layers) for layers in zip(*of_groups, strict=True)]

    def diagonal(of_rows: Sequence[Tensor], count: int) -> list[Tensor]:
        return _added(known, [one * (dimensions / count) for one in of_rows])

    count = drawn.rows - exact
    left_out = [
        diagonal(
            [(total - one).clamp_min(0) for total, one in zip(every, of_group, strict=True)],
            count - (group.stop - group.start),
        )
        for group, of_group in zip(groups, of_groups, strict=True)
    ]
    return Diagonals(diagonal(every, count), left_out, count, dimensions, drawn.how)


def _groups(first: int, last: int) -> list[slice]:
    """Split rows into groups, as equal as can be."""
    number = min(GROUPS, last - first)
    edges = [first + (last - first) * group // number for group in range(number + 1)]
    return [slice(*edge) for edge in pairwise(edges)]


def _added(one: Sequence[Tensor], other: Sequence[Tensor]) -> list[Tensor]:
    return [a + b for a, b in zip(one, other, strict=True)]


def fisher_directions(
    logits: Float[Tensor, "samples classes"],
    rows: int,
    generator: Generator,
    labels: Int64[Tensor, "samples"] | None = None,
) -> Directions:
    """Draw vectors for the root (I − √σ√σᵀ) diag(√σ) of diag(σ) − σσᵀ, in place of C.

    Row k is √σ_k (e_k − σ), the gradient of the loss at the label k times √σ_k, so that half of the
    passes go to the likeliest T classes. The others are drawn from the other K − T dimensions.

    Args:
        labels: Classes that are among the T, however unlikely they are.
    """
    classes, likeliest = logits.shape[1], rows // 2
    probabilities = softmax(logits)
    ranked = probabilities
    if labels is not None:
        ranked = probabilities.scatter(1, labels.unsqueeze(1), 2.0)
    top = ranked.topk(likeliest, dim=1).indices
    left = torch.ones_like(probabilities).scatter(1, top, 0.0).unsqueeze(2)
    drawn = torch.linalg.qr(normal(logits, rows - likeliest, generator) * left).Q * left
    sigma, roots = probabilities.unsqueeze(1), probabilities.sqrt().unsqueeze(1)
    of_drawn = roots * drawn.mT - sigma * (roots @ drawn).mT
    # 1 − σ_k cancels for the likeliest class only.
    first = probabilities.argmax(1, keepdim=True)
    of_others = probabilities.scatter(1, first, 0.0).sum(1, keepdim=True)
    others = of_others.where(top == first, 1 - probabilities.gather(1, top))
    of_classes = (
        (-sigma).expand(-1, likeliest, -1).scatter(2, top.unsqueeze(2), others.unsqueeze(2))
    )
    of_classes = of_classes * probabilities.gather(1, top).sqrt().unsqueeze(2)
    return scaled(torch.cat([of_classes, of_drawn], 1), logits, likeliest, classes - likeliest)

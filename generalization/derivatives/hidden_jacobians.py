"""Norms of the Jacobians of hidden activations."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor
from torch.nn import functional

from generalization.derivatives.preactivation_jacobians import (
    preactivation_jacobians,
    without_features,
)
from generalization.devices import items_at_once

# Indices of the active units of every sample.
Units = Int[Tensor, "_samples _active"]


@torch.no_grad()
def hidden_jacobian_norms(
    weights: Sequence[Float[Tensor, "networks _fan_out _fan_in"]],
    slopes: Sequence[Float[Tensor, "networks samples _units"]],
    *,
    zero_or_one: bool = True,
) -> Float64[Tensor, "networks samples hidden_layers"]:
    """Return the norms ‖∂a_l/∂x‖_F of the activations a_l = φ(W_l a_{l-1} + b_l) at every input.

    With D_l = diag(φ'(z_l)), the chain rule from the input up is

        A_1 = D_1 W_1,   A_l = D_l W_l A_{l-1}.

    If W_1ᵀ = Q R then A_l = (D_l W_l … W_2 D_1 Rᵀ) Qᵀ, and the bracket has the same norm: after one
    decomposition per network the cost does not depend on the number of features. Where φ'(z_l) = 0
    a row of A_l is zero, so that W_l is restricted to the rows of active units and the columns of
    active units below, a quarter of it if half of the units are active. This requires slopes of 0
    or 1; other slopes use the recursion as it stands. ‖A_1‖² = Σ_i φ'(z_{1,i}) ‖row i of W_1‖²
    needs no product.

    Products and sums of squares are in the dtype of the weights.

    Args:
        slopes: Slopes φ'(z_l) of the hidden layers.
        zero_or_one: Whether all slopes are 0 or 1, as for functions that clamp.

    Returns:
        One norm per network, input and hidden layer.
    """
    network_norms = _network_norms if zero_or_one else _norms_by_recursion
    norms = [
        network_norms([weight[member] for weight in weights], [slope[member] for slope in slopes])
        for member in range(len(weights[0]))
    ]
    return torch.stack(norms)


def _network_norms(weights: Sequence[Tensor], slopes: Sequence[Tensor]) -> Tensor:
    """Return the norms of one network, (samples, hidden layers)."""
    first, *weights = (weight.detach() for weight in weights)
    first = without_features(first)
    of_first = (slopes[0] @ first.square().sum(1)).sqrt().unsqueeze(1)
    if not weights:
        return of_first.double()
    active = [slope != 0 for slope in slopes]
    # Sort samples such that those with equally many active units are adjacent.
    order = active[len(active) // 2].sum(1).argsort()
    others = _norms_in_blocks(first, weights, [layer[order] for layer in active])
    return torch.cat([of_first, others[order.argsort()]], dim=1).double()


def _norms_by_recursion(weights: Sequence[Tensor], slopes: Sequence[Tensor]) -> Tensor:
    """Return the norms of one network with arbitrary slopes, (samples, hidden layers)."""
    first = without_features(weights[0])
    numbers = max(len(weight) for weight in weights) * first.shape[1]
    points = items_at_once("hidden_jacobians", numbers * first.element_size(), first.device)
    blocks = []
    for at in zip(*(slope.split(points) for slope in slopes), strict=True):
        jacobians = preactivation_jacobians(first, weights[1:], at)
        products = (
            jacobian * slope.mT.unsqueeze(2) for jacobian, slope in zip(jacobians, at, strict=True)
        )
        norms = [torch.linalg.vector_norm(one, dim=(0, 2), dtype=torch.float64) for one in products]
        blocks.append(torch.stack(norms, dim=1))
    return torch.cat(blocks)


def _norms_in_blocks(first: Tensor, weights: Sequence[Tensor], active: Sequence[Tensor]) -> Tensor:
    """Return the norms from the second hidden layer up, block by block."""
    numbers = max(max(weight.shape) for weight in (first, *weights)) ** 2
    points = items_at_once("hidden_jacobians", numbers * first.element_size(), first.device)
    scratch = first.new_empty(4, min(points, len(active[0])) * numbers).unbind()
    matrices = [functional.pad(matrix, (0, 0, 0, 1)) for matrix in (first, *weights)]
    blocks = zip(*(_active_units(layer, points) for layer in active), strict=True)
    with np.errstate(all="ignore"):
        return torch.cat([_block_norms(matrices, block, scratch) for block in blocks])


def _block_norms(
    matrices: Sequence[Tensor], active: Sequence[Units], scratch: Sequence[Tensor]
) -> Tensor:
    """Return the norms from the second hidden layer up for the samples of one block.

    Products and gathered weights are written to scratch memory; allocating memory would double the
    time through page faults.
    """
    jacobian = _shaped(scratch[0], (*active[0].shape, matrices[0].shape[1]))
    torch.index_select(matrices[0], 0, active[0].flatten(), out=jacobian.flatten(0, 1))
    norms = []
    for weight, (below, above) in zip(matrices[1:], pairwise(active), strict=True):
        between = _between(weight, above, below, scratch[2:])
        jacobian = _product(between, jacobian, scratch[1 - len(norms) % 2])
        norms.append(_norm(jacobian))
    return torch.stack(norms, dim=1)


def _active_units(active: Bool[Tensor, "samples units"], points: int) -> list[Units]:
    """Return the active units of each block of samples, in order.

    Samples with fewer active units than others of their block are padded by the index of the row
    of zeros below the weight.
    """
    counts = active.sum(1)
    # Takes a third of the time of ``active.nonzero()``.
    units = np.flatnonzero(active.cpu().numpy()) % active.shape[1]
    units = torch.from_numpy(units).int().to(active.device)
    totals = [int(block.sum()) for block in counts.split(points)]
    return [
        _in_rows(some, of_block, active.shape[1])
        for some, of_block in zip(units.split(totals), counts.split(points), strict=True)
    ]


def _in_rows(units: Int[Tensor, "active"], counts: Int[Tensor, "samples"], zeros: int) -> Units:
    """Arrange units as a matrix with one row per sample, padded by the index of the zeros."""
    most = int(counts.max()) if len(counts) else 0
    there = torch.arange(most, device=units.device) < counts.unsqueeze(1)
    return units.new_full(there.shape, zeros).masked_scatter_(there, units)


def _between(weight: Tensor, above: Units, below: Units, scratch: Sequence[Tensor]) -> Tensor:
    """Gather the entries of a zero-padded weight between the active units of each sample.

    Padding among the units below meets a row of zeros of the Jacobian: any column will do.
    """
    last = weight.shape[1] - 1
    rows, columns = (above * weight.shape[1]).unsqueeze(2), below.clamp_max(last).unsqueeze(1)
    shape = (*above.shape, below.shape[1])
    indices = torch.add(rows, columns, out=_shaped(scratch[0].view(torch.int32), shape))
    between = _shaped(scratch[1], shape)
    torch.index_select(weight.flatten(), 0, indices.flatten(), out=between.flatten())
    return between


def _product(left: Tensor, right: Tensor, scratch: Tensor) -> Tensor:
    """Multiply the matrices of each sample.

    On a CPU NumPy multiplies small matrices in half the time of ``torch.bmm``.
    """
    product = _shaped(scratch, (*left.shape[:2], right.shape[2]))
    if left.is_cpu:
        np.matmul(left.numpy(), right.numpy(), out=product.numpy())
    else:
        torch.bmm(left, right, out=product)
    return product


def _norm(matrices: Tensor) -> Float[Tensor, "samples"]:
    """Return the norm of the matrix of each sample, on a CPU three times as fast as torch."""
    if not matrices.is_cpu:
        return torch.linalg.vector_norm(matrices, dim=(1, 2))
    rows = matrices.flatten(1).unsqueeze(1).numpy()
    return torch.from_numpy(np.matmul(rows, rows.transpose(0, 2, 1))).view(-1).sqrt_()


def _shaped(scratch: Tensor, shape: Sequence[int]) -> Tensor:
    """Return a view of this shape into scratch memory."""
    return scratch.as_strided(shape, (shape[1] * shape[2], shape[2], 1))

"""Norms of the derivatives of hidden activations by the input."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

# Jacobians of as many points at a time as would, were all units active, fill so many bytes. A CPU
# keeps them in its cache, and the fewer points there are, the fewer inactive units are carried.
CPU_BLOCK_BYTES = 2**20
GPU_BLOCK_BYTES = 2**30


@torch.no_grad()
def hidden_jacobian_norms(
    weights: Sequence[Float[Tensor, "networks _fan_out _fan_in"]],
    slopes: Sequence[Float[Tensor, "networks samples _units"]],
) -> Float64[Tensor, "networks samples hidden_layers"]:
    """‖∂a_l/∂x‖_F of the activations a_l = φ(W_l a_{l-1} + b_l), at every point.

    With D_l = diag(φ'(z_l)), the chain rule from the input on is

        A_1 = D_1 W_1,   A_l = D_l W_l A_{l-1}.

    If W_1ᵀ = Q R then A_l = (D_l W_l … W_2 D_1 Rᵀ) Qᵀ, and the brackets have the same norm: after
    one decomposition per network the number of features plays no part. Where φ'(z_l) = 0 a row of
    A_l is zero, so W_l is cut to the rows of the active units and the columns of those active
    below: a quarter of it, where half of the units are. ‖A_1‖² = Σ_i φ'(z_{1,i})² ‖row i of W_1‖²
    needs no product.

    Products are in the dtype of the weights, as are the sums of squares in a norm.

    Args:
        weights: W_l of the hidden layers.
        slopes: φ'(z_l) of the hidden layers.

    Returns:
        One norm per network, point and hidden layer.
    """
    norms = [
        _network_norms([weight[member] for weight in weights], [slope[member] for slope in slopes])
        for member in range(len(weights[0]))
    ]
    return torch.stack(norms)


def _network_norms(weights: Sequence[Tensor], slopes: Sequence[Tensor]) -> Tensor:
    """Norms of one network, (samples, hidden layers)."""
    first = weights[0]
    if first.shape[1] > first.shape[0]:
        first = torch.linalg.qr(first.mT, mode="r").R.mT.contiguous()
    norms = [(slopes[0].square() @ first.square().sum(1)).sqrt().unsqueeze(1)]
    if len(weights) > 1:
        block_bytes = CPU_BLOCK_BYTES if first.is_cpu else GPU_BLOCK_BYTES
        units = max(len(weight) for weight in weights)
        points = max(1, block_bytes // (units * first.shape[1] * first.element_size()))
        blocks = zip(*(slope.split(points) for slope in slopes), strict=True)
        norms.append(torch.cat([_block_norms(first, weights[1:], block) for block in blocks]))
    return torch.cat(norms, dim=1).double()


def _block_norms(first: Tensor, weights: Sequence[Tensor], slopes: Sequence[Tensor]) -> Tensor:
    """Norms from the second hidden layer on, at the points of one block."""
    units, slope = _active_units(slopes[0])
    jacobian = _rows(first, units).mul_(slope.unsqueeze(2))
    norms = []
    for weight, layer_slopes in zip(weights, slopes[1:], strict=True):
        below, (units, slope) = units, _active_units(layer_slopes)
        rows = _rows(weight, units)
        active = rows.gather(2, below.unsqueeze(1).expand(-1, rows.shape[1], -1))
        jacobian = torch.bmm(active, jacobian).mul_(slope.unsqueeze(2))
        norms.append(torch.linalg.vector_norm(jacobian, dim=(1, 2)))
    return torch.stack(norms, dim=1)


def _active_units(
    slopes: Float[Tensor, "samples units"],
) -> tuple[Int[Tensor, "samples active"], Float[Tensor, "samples active"]]:
    """Units with a slope, and the slopes; where a point has fewer than others, some without."""
    most = max((slopes != 0).sum(1).tolist(), default=0)
    units = slopes.abs().topk(most, sorted=False).indices
    return units, slopes.gather(1, units)


def _rows(weight: Tensor, units: Tensor) -> Float[Tensor, "samples active columns"]:
    """Rows of a weight, those of each point; several times faster than ``weight[units]``."""
    return weight.index_select(0, units.flatten()).unflatten(0, units.shape)

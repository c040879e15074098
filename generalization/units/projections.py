"""Logits of networks with the activations of a layer projected on a few directions.

Args:
    basis: Basis with orthonormal columns.
    ranks: Ascending numbers of leading directions to project on.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from generalization.networks.fully_connected import FullyConnectedNetworks


def projected_logits(
    network: FullyConnectedNetworks,
    layer: int,
    activations: Float[Tensor, "samples units"],
    mean: Float[Tensor, "units"],
    basis: Float64[Tensor, "units units"],
    ranks: Sequence[int],
) -> Float[Tensor, "ranks samples classes"]:
    """Return the logits when the activations of a layer are ``mean + V_k V_kᵀ (a − mean)``.

    ``V_k`` are the first k columns of the basis (Raghu et al. 2017). The layer above receives
    ``W mean + (W V_k) V_kᵀ (a − mean)``, a sum over directions, to which each rank adds the
    directions since the rank before: all ranks together cost one product with all directions, and
    the layers below are not evaluated again.

    Args:
        network: A stack of one with normalizations folded into the weights.
        layer: Index of the weight layer to project; the last one are the logits.
        activations: Activations of that layer.
        mean: Mean activations, which replace the components that are projected out.

    Returns:
        One row of logits per rank and input.
    """
    basis = basis.to(activations)
    coordinates = (activations - mean) @ basis
    last = layer == network.depth - 1
    above = basis if last else network.weights[layer + 1][0] @ basis
    offset = mean if last else network.affine(layer + 1, mean.unsqueeze(0))[0]
    seen = _partial_sums(coordinates, above, offset, ranks)
    return seen if last else _logits_above(network, layer + 1, seen)


def projected_map_logits(
    above: Sequence[nn.Module],
    activations: Float[Tensor, "samples units *positions"],
    mean: Float[Tensor, "units"],
    basis: Float64[Tensor, "units units"],
    ranks: Sequence[int],
) -> Float[Tensor, "ranks samples classes"]:
    """Compute the logits for projections of a layer that may be convolutional, over channels.

    Pooling may precede the layer above, so that ranks are evaluated one by one.

    Args:
        above: Maps of the layers above, see ``layer_maps``; none for the last layer.
        activations: Activations of the layer.
        mean: Mean activations of its units, or of its channels over samples and positions.
    """
    basis = basis.to(activations)
    coordinates = (activations.movedim(1, -1) - mean) @ basis
    logits = []
    for rank in ranks:
        seen = (mean + coordinates[..., :rank] @ basis[:, :rank].mT).movedim(-1, 1)
        for piece in above:
            seen = piece(seen)
        logits.append(seen)
    return torch.stack(logits)


def _partial_sums(
    coordinates: Float[Tensor, "samples units"],
    above: Float[Tensor, "units_above units"],
    offset: Float[Tensor, "*one units_above"],
    ranks: Sequence[int],
) -> Float[Tensor, "ranks samples units_above"]:
    """Yield the offset plus the contributions of the leading directions, for every rank."""
    sums, begin = [], 0
    seen = offset.expand(len(coordinates), -1)
    for rank in ranks:
        seen = seen + coordinates[:, begin:rank] @ above[:, begin:rank].mT
        sums.append(seen)
        begin = rank
    return torch.stack(sums)


def _logits_above(
    network: FullyConnectedNetworks, layer: int, preactivations: Float[Tensor, "ranks samples _"]
) -> Float[Tensor, "ranks samples classes"]:
    """Return the logits from the preactivations of a layer, with all ranks in one batch."""
    ranks = len(preactivations)
    z = preactivations.flatten(0, 1).unsqueeze(0)
    for above in range(layer + 1, network.depth):
        z = network.affine(above, network.phi.function(z))
    return z.squeeze(0).unflatten(0, (ranks, -1))

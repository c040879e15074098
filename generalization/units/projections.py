"""Logits when the activations of a layer are projected on a few directions.

Args:
    basis: Orthonormal columns.
    ranks: Numbers of directions, ascending.
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
    """Logits if the activations of a layer are ``mean + V_k V_kᵀ (a − mean)``.

    ``V_k`` are the first k columns of the basis, as Raghu et al. 2017 project. The layer above
    sees ``W mean + (W V_k) V_kᵀ (a − mean)``, a sum over directions. So what it sees of one rank
    is what it sees of the rank before, and the directions in between: all ranks together cost
    one product with all directions, and no input is passed through the layers below again.

    Args:
        network: A stack of one, whose normalizations are folded.
        layer: Weight layer whose activations are projected, counted from 0; of the last, logits.
        activations: Of that layer.
        mean: Of the same units, that takes the place of all that is projected away.

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
    """Compute projected logits of layers that may be convolutional, projecting channels.

    Pooling may come before the layer above, so that ranks are passed on one by one.

    Args:
        above: What comes after the layer, see ``layer_maps``; nothing, if it is the last.
        activations: Of the layer.
        mean: Of its units; of channels, over positions too.
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
    """The offset and what the first directions add, for every rank."""
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
    """Logits from the preactivations of a layer, of all ranks in one batch."""
    ranks = len(preactivations)
    z = preactivations.flatten(0, 1).unsqueeze(0)
    for above in range(layer + 1, network.depth):
        z = network.affine(above, network.phi.function(z))
    return z.squeeze(0).unflatten(0, (ranks, -1))

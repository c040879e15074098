"""Gram matrices of per-sample gradients by the parameters."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor, nn

from generalization.derivatives.gradient_factors import Block, gradient_blocks, loss_rows
from generalization.derivatives.input_jacobian import Cotangents
from generalization.devices import items_at_once
from generalization.networks.modules import Networks


def loss_grams(
    networks: Networks, inputs: Tensor, labels: Tensor
) -> Iterator[Float64[Tensor, "networks samples samples"]]:
    """Yield the Gram matrices of the gradients of the loss, for some networks at a time."""
    if isinstance(networks, nn.Module):
        yield gradient_gram(networks, inputs, loss_rows, labels)
        return
    members = items_at_once("grams", len(inputs) ** 2, inputs.device)
    for first in range(0, len(networks), members):
        yield gradient_gram(networks[first : first + members], inputs, loss_rows, labels)


@torch.no_grad()
def gradient_gram(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    cotangents: Cotangents,
    *of_points: Shaped[Tensor, "samples *_"],
) -> Float64[Tensor, "networks rows rows"]:
    """Return the inner products g_i · g_j of the gradients of all pairs of rows of all samples.

    Arguments are those of ``gradient_blocks``; the rows of a sample are consecutive. Time and
    memory grow as the square of their number.
    """
    of_inputs = None
    if not isinstance(networks, nn.Module):
        points = inputs.flatten(1)
        of_inputs = points @ points.T + bool(networks.biases)
    grams, blocks = [], []
    for block in gradient_blocks(networks, inputs, cotangents, *of_points):
        blocks.append(block)
        if block.points.stop == len(inputs):
            grams.append(_gram(blocks, of_inputs))
            blocks = []
    return torch.cat(grams)


def _gram(
    blocks: Sequence[Block], of_inputs: Float[Tensor, "samples samples"] | None
) -> Float64[Tensor, "networks rows rows"]:
    """Return the Gram matrix from the blocks of some networks that cover all samples.

    Args:
        blocks: Factors of all samples, in order.
        of_inputs: Inner products of the inputs of the first layer, if all networks share them.
    """
    rows = blocks[0].layers[0].deltas.shape[2]
    scale = torch.cat([block.scale for block in blocks], dim=1).repeat_interleave(rows, 1)
    gram = scale.new_zeros(*scale.shape, scale.shape[1])
    for index, layer in enumerate(zip(*(block.layers for block in blocks), strict=True)):
        deltas = torch.cat([factors.deltas.flatten(1, 2) for factors in layer], dim=1)
        if index > 0 or of_inputs is None:
            activations = torch.cat([factors.activations for factors in layer], dim=1)
            products = torch.bmm(activations, activations.mT)
        else:
            products = of_inputs.unsqueeze(0)
        if rows > 1:
            products = products.repeat_interleave(rows, 1).repeat_interleave(rows, 2)
        gram += torch.bmm(deltas, deltas.mT).mul_(products)
    return gram.mul_(scale.unsqueeze(1)).mul_(scale.unsqueeze(2))

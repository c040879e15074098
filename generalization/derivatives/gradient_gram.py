"""Gram matrices of per-sample gradients by the parameters."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor, nn

from generalization.derivatives.gradient_factors import Block, gradient_blocks, loss_rows
from generalization.derivatives.input_jacobian import Cotangents
from generalization.devices import items_at_once
from generalization.networks.modules import Networks

ROWS = 128  # of a Gram matrix that are computed together.


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
) -> Float64[Tensor, "networks samples samples"]:
    """Return the inner products g_i · g_j of the gradients of all pairs of samples.

    Arguments are those of ``gradient_blocks``, with a single row per sample. Time and memory grow
    as N².
    """
    of_inputs = None
    if not isinstance(networks, nn.Module):
        points = inputs.flatten(1)
        of_inputs = points @ points.T + bool(networks.biases)
    number = 1 if isinstance(networks, nn.Module) else len(networks)
    grams = inputs.new_empty(number, len(inputs), len(inputs), dtype=torch.float64)
    blocks: list[Block] = []
    for block in gradient_blocks(networks, inputs, cotangents, *of_points):
        blocks.append(block)
        if block.points.stop == len(inputs):
            _fill(grams[block.members], blocks, of_inputs)
            blocks = []
    return grams


def _fill(
    grams: Float64[Tensor, "networks samples samples"],
    blocks: Sequence[Block],
    of_inputs: Float[Tensor, "samples samples"] | None,
) -> None:
    """Compute the Gram matrices from the blocks of some networks that cover all samples.

    Rows are computed in blocks that stay in the cache, up to the diagonal; the rest by symmetry.

    Args:
        grams: Matrices to be filled.
        blocks: Factors of all samples, in order.
        of_inputs: Inner products of the inputs of the first layer, if all networks share them.
    """
    scale = torch.cat([block.scale for block in blocks], dim=1)
    layers = []
    for layer in zip(*(block.layers for block in blocks), strict=True):
        deltas = torch.cat([factors.deltas.flatten(2) for factors in layer], dim=1)
        skipped = not layers and of_inputs is not None
        activations = None if skipped else torch.cat([one.activations for one in layer], dim=1)
        layers.append((deltas, activations))
    for begin in range(0, scale.shape[1], ROWS):
        stop = min(begin + ROWS, scale.shape[1])
        total = grams[:, begin:stop, :stop].zero_()
        for deltas, activations in layers:
            if activations is None:
                products = of_inputs[begin:stop, :stop]
            else:
                products = torch.bmm(activations[:, begin:stop], activations[:, :stop].mT)
            total += torch.bmm(deltas[:, begin:stop], deltas[:, :stop].mT).mul_(products)
        total.mul_(scale[:, begin:stop].unsqueeze(2)).mul_(scale[:, :stop].unsqueeze(1))
        # Products within the block are rounded differently on the two sides of the diagonal.
        corner = total[:, :, begin:].tril()
        total[:, :, begin:] = corner + corner.tril(-1).mT
        grams[:, :begin, begin:stop] = total[:, :, :begin].mT

"""Gram matrices of per-sample gradients by the parameters."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor, nn

from generalization.derivatives.gradient_factors import Block, gradient_blocks, loss_rows
from generalization.derivatives.input_jacobian import Cotangents
from generalization.derivatives.module_factors import Unfolded
from generalization.devices import items_at_once
from generalization.networks.modules import Networks

SAMPLES = 128  # whose rows of a Gram matrix are computed together.


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
    number = 1 if isinstance(networks, nn.Module) else len(networks)
    grams, blocks = None, []
    for block in gradient_blocks(networks, inputs, cotangents, *of_points, partners=len(inputs)):
        blocks.append(block)
        if grams is None:
            size = len(inputs) * block.layers[0].deltas.shape[2]
            grams = inputs.new_empty(number, size, size, dtype=torch.float64)
        if block.points.stop == len(inputs):
            _fill(grams[block.members], blocks, of_inputs)
            blocks = []
    return grams


def _fill(
    grams: Float64[Tensor, "networks rows rows"],
    blocks: Sequence[Block],
    of_inputs: Float[Tensor, "samples samples"] | None,
) -> None:
    """Compute the Gram matrices from the blocks of some networks that cover all samples.

    Samples are taken in groups that stay in the cache, up to the diagonal; the rest by symmetry.

    Args:
        grams: Matrices to be filled.
        blocks: Factors of all samples, in order.
        of_inputs: Inner products of the inputs of the first layer, if all networks share them.
    """
    rows = blocks[0].layers[0].deltas.shape[2]
    scale = torch.cat([block.scale for block in blocks], dim=1)
    samples = scale.shape[1]
    scale = scale.repeat_interleave(rows, dim=1)
    layers, unfolded = [], []
    for layer in zip(*(block.layers for block in blocks), strict=True):
        if isinstance(layer[0], Unfolded):
            unfolded.append(Unfolded(*(torch.cat(parts, 1) for parts in zip(*layer, strict=True))))
            continue
        deltas = torch.cat([factors.deltas.flatten(1, 2) for factors in layer], dim=1)
        skipped = not layers and of_inputs is not None
        activations = None if skipped else torch.cat([one.activations for one in layer], dim=1)
        layers.append((deltas, activations))
    for first in range(0, samples, SAMPLES):
        last = min(first + SAMPLES, samples)
        begin, stop = first * rows, last * rows
        total = grams[:, begin:stop, :stop].zero_()
        for deltas, activations in layers:
            if activations is None:
                products = of_inputs[None, first:last, :last]
            else:
                products = torch.bmm(activations[:, first:last], activations[:, :last].mT)
            if rows > 1:
                products = products.repeat_interleave(rows, 1).repeat_interleave(rows, 2)
            total += torch.bmm(deltas[:, begin:stop], deltas[:, :stop].mT).mul_(products)
        for layer in unfolded:
            _add_by_positions(total[0], layer, slice(first, last))
        total.mul_(scale[:, begin:stop].unsqueeze(2)).mul_(scale[:, :stop].unsqueeze(1))
        # Products within the group are rounded differently on the two sides of the diagonal.
        corner = total[:, :, begin:].tril()
        total[:, :, begin:] = corner + corner.tril(-1).mT
        grams[:, :begin, begin:stop] = total[:, :, :begin].mT


def _add_by_positions(
    total: Float64[Tensor, "group_rows rows"], layer: Unfolded, group: slice
) -> None:
    """Add the inner products of the gradients of a group of samples with all up to its last one.

    Args:
        total: Inner products, of one network.
        group: The samples of the group.
    """
    deltas, activations = (part[0] for part in layer)
    rows, positions = deltas.shape[1:3]
    others, of_others = deltas[: group.stop].flatten(0, 2), activations[: group.stop].flatten(0, 1)
    numbers = rows**2 * positions**2 * group.stop
    size = items_at_once("grams", numbers, deltas.device)
    for begin in range(group.start, group.stop, size):
        part = slice(begin, min(begin + size, group.stop))
        shape = (part.stop - begin, rows, positions, group.stop, rows, positions)
        products = (deltas[part].flatten(0, 2) @ others.T).view(shape)
        of_inputs = activations[part].flatten(0, 1) @ of_others.T
        products *= of_inputs.view(shape[0], 1, positions, group.stop, 1, positions)
        first = (begin - group.start) * rows
        total[first : first + shape[0] * rows] += products.sum((2, 5)).flatten(2).flatten(0, 1)

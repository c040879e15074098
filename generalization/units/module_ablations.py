"""Ablation of neurons and feature maps in modules.

Args:
    masks: Masks of ablated units, for the lowest layer with ablated units and the layers above.
    fills: Replacements of ablated units, for the same layers.
    groups: One-hot group membership of samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor, nn

from generalization.devices import items_at_once, samples_at_once
from generalization.networks.hidden_layers import (
    is_sequence,
    layer_maps,
    logits_of_changed_layers,
    module_activations,
    unit_activations,
)
from generalization.networks.modules import SAMPLES_PER_CHUNK, evaluation_mode
from generalization.units.replacements import group_members, replacements
from generalization.units.unit_orders import UnitOrder


@torch.no_grad()
def module_ablations(
    module: nn.Module,
    inputs: Float[Tensor, "samples *features"],
    labels: Int64[Tensor, "samples"],
    orders: Sequence[UnitOrder],
    *,
    mode: str,
) -> Float64[Tensor, "orders counts"]:
    """Compute ``ablated_accuracies`` of a module.

    Several orders and counts form one batch. In a sequence of layers, activations of the lowest
    layer with ablated units are computed once. Of any other module, such as a residual network,
    hidden layers are the calls of activation functions: the output of a call is replaced in all
    that is computed from it, in the shortcut as well as in the convolutions of the block above.

    Args:
        orders: Orders of ablation with the same layers and counts.
    """
    fills = [replacements(layer, labels, mode)[0] for layer in unit_activations(module, inputs)]
    masks = [_ablated(order, inputs.device) for order in orders]
    masks = [torch.cat(of_layer) for of_layer in zip(*masks, strict=True)]
    lowest, in_sequence = orders[0].lowest, is_sequence(module)
    pieces = layer_maps(module) if in_sequence else []
    members = group_members(labels, mode).T.to(inputs.dtype)
    right = 0
    with evaluation_mode(module):
        for some, classes, groups in zip(
            *(
                of_all.split(samples_at_once(SAMPLES_PER_CHUNK))
                for of_all in (inputs, labels, members)
            ),
            strict=True,
        ):
            for piece in pieces[: lowest + 1]:
                some = piece(some)
            size = some.numel() if in_sequence else largest_layer(module, inputs) * len(some)
            at_once = items_at_once("operation", size, some.device)
            if not in_sequence:  # One batch of the module.
                at_once = max(1, min(at_once, samples_at_once(SAMPLES_PER_CHUNK) // len(some)))
            parts = zip(*(mask.split(at_once) for mask in masks), strict=True)
            about = fills[lowest:], classes, groups
            right += torch.cat([
                _right(pieces[lowest + 1 :], some, part, *about)
                if in_sequence
                else _right_of_calls(module, lowest, some, part, *about)
                for part in parts
            ])
    return right.view(len(orders), -1).double() / len(labels)


def _ablated(order: UnitOrder, device: torch.device) -> list[Bool[Tensor, "counts units"]]:
    """Return masks of the ablated units of every layer from the lowest with ablated units up."""
    masks = []
    for layer, cuts in zip(
        range(order.lowest, len(order.widths)), zip(*order.cuts, strict=True), strict=False
    ):
        unit = torch.arange(order.widths[layer])
        first = unit < torch.tensor(cuts).unsqueeze(1)
        masks.append(torch.empty_like(first))
        masks[-1][:, order.within(layer)] = first
    return [mask.to(device) for mask in masks]


def _right(
    pieces: Sequence[nn.Module],
    activations: Float[Tensor, "samples units *positions"],
    masks: Sequence[Bool[Tensor, "variants _"]],
    fills: Sequence[Float[Tensor, "groups _"]],
    labels: Int64[Tensor, "samples"],
    groups: Float[Tensor, "samples groups"],
) -> Int64[Tensor, "variants"]:
    """Count correctly classified samples for several sets of ablated units.

    Args:
        pieces: Maps of the layers above the lowest layer with ablated units.
        activations: Activations of this layer with no unit ablated.
    """
    variants = len(masks[0])
    values = activations.expand(variants, *activations.shape)
    for piece, mask, fill in zip(pieces, masks, fills, strict=True):
        values = _replaced(values, mask, fill, groups)
        values = piece(values.flatten(0, 1)).unflatten(0, (variants, -1))
    return (values.argmax(-1) == labels).sum(-1)


def _right_of_calls(
    module: nn.Module,
    lowest: int,
    inputs: Float[Tensor, "samples *features"],
    masks: Sequence[Bool[Tensor, "variants _"]],
    fills: Sequence[Float[Tensor, "groups _"]],
    labels: Int64[Tensor, "samples"],
    groups: Float[Tensor, "samples groups"],
) -> Int64[Tensor, "variants"]:
    """Count correctly classified samples for several sets of ablated units, in any module."""
    variants = len(masks[0])

    def ablate(layer: int, activations: Tensor) -> None:
        if layer >= lowest:
            values = activations.unflatten(0, (variants, -1))
            which = layer - lowest
            values.copy_(_replaced(values, masks[which], fills[which], groups))

    values = inputs.expand(variants, *inputs.shape).flatten(0, 1)
    logits = logits_of_changed_layers(module, values, ablate).unflatten(0, (variants, -1))
    return (logits.argmax(-1) == labels).sum(-1)


def _replaced(
    values: Float[Tensor, "variants samples units *positions"],
    mask: Bool[Tensor, "variants units"],
    fill: Float[Tensor, "groups units"],
    groups: Float[Tensor, "samples groups"],
) -> Float[Tensor, "variants samples units *positions"]:
    """Return activations of a layer with ablated units replaced, at all positions."""
    positions = [1] * (values.dim() - 3)
    ablated = mask.view(len(values), 1, -1, *positions)
    return torch.where(ablated, (groups @ fill).view(len(groups), -1, *positions), values)


def largest_layer(module: nn.Module, inputs: Float[Tensor, "samples *features"]) -> int:
    """Return the number of activations of the largest hidden layer, per sample."""
    return max(layer[0].numel() for layer in module_activations(module, inputs[:1]))

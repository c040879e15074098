"""Accuracy of networks while their hidden units are ablated, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from generalization.networks.activation_functions import ActivationFunction
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.module_ablations import module_ablations
from generalization.networks.modules import Networks
from generalization.networks.polylines import numbers_at_a_time
from generalization.networks.replacements import check_mode, groups_of, replacements
from generalization.networks.unit_layers import hidden_activations, sequences_of
from generalization.networks.unit_orders import UnitOrder


def ablated_accuracies(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    labels: Int64[Tensor, "samples"],
    orders: Sequence[UnitOrder],
    *,
    mode: str = "zero",
) -> Float64[Tensor, "networks orders counts"]:
    """Share of samples that are still classified right when units are ablated (Morcos et al. 2018).

    Ablation replaces the activation of a unit, after normalization and activation function, at all
    positions of a feature map; weights stay as they are. Nothing is computed twice that does not
    change: of a stack,

    * activations of the lowest layer with ablated units are taken once, and what its units give to
      the layer above, Σ_i W_i a_i, is summed up unit by unit, from the last of an order to the
      first: all counts together cost one product;
    * above, units stand in the order in which they are ablated, so that those which are left are
      the last ones, and products are of these alone: a third of the work, over all counts. Ablated
      ones are a part of the bias.

    Args:
        networks: A stack of R networks, or a module as ``pieces_of`` takes it.
        inputs: N points, in the dtype of the weights; also the reference set of ``mode``.
        labels: Their classes.
        orders: In which units are ablated, of the same layers and counts; for all networks the
            same.
        mode: What ablated units become, see ``replacements``.

    Returns:
        R × orders × counts. Of equal logits the first one counts.
    """
    check_mode(mode)
    if not isinstance(networks, FullyConnectedNetworks):
        return torch.stack([
            module_ablations(module, inputs, labels, orders, mode=mode)
            for module in sequences_of(networks)
        ])
    # One network at a time stays in the cache of a CPU.
    stacks = networks.folded() if inputs.device.type == "cpu" else [networks.folded()]
    return torch.cat([_of_stack(stack, inputs, labels, orders, mode) for stack in stacks])


@torch.inference_mode()
def _of_stack(
    stack: FullyConnectedNetworks,
    inputs: Float[Tensor, "samples *features"],
    labels: Int64[Tensor, "samples"],
    orders: Sequence[UnitOrder],
    mode: str,
) -> Float64[Tensor, "networks orders counts"]:
    """Accuracies of networks without normalizations, all of them in one product."""
    activations = hidden_activations(stack, inputs)
    fills = [replacements(of_layer, labels, mode) for of_layer in activations]
    size = max(1, numbers_at_a_time(inputs.device) // (len(stack) * max(stack.widths[1:])))
    parts = list(zip(labels.split(size), groups_of(labels, mode).split(size), strict=True))
    accuracies = []
    for order in orders:
        lowest = activations[order.lowest][..., order.within(order.lowest)].split(size, 1)
        layers = _in_order(stack, fills, order)
        right = [
            _right(layers, order.cuts, stack.phi, *some)
            for some in ((values, *part) for values, part in zip(lowest, parts, strict=True))
        ]
        accuracies.append(sum(right).double() / len(labels))
    return torch.stack(accuracies, dim=1)


@dataclass(frozen=True)
class _Layer:
    """A hidden layer, the units of which stand in the order in which they are ablated.

    Attributes:
        fill: What ablated units become, networks × groups × units.
        weight: To the units above, in their order: networks × units above × units.
        bias: Of the units above, networks × 1 × units above.
    """

    fill: Tensor
    weight: Tensor
    bias: Tensor

    def given(self, ablated: int, above: int, groups: Int64[Tensor, "samples"]) -> Tensor:
        """What biases and ablated units give to those units above that are not.

        Args:
            ablated: How many of the first units are.
            above: How many of the first units above are.
            groups: Of the samples.

        Returns:
            networks × samples × units above, or × 1 × if it is the same for all samples.
        """
        fill, weight = self.fill[..., :ablated], self.weight[:, above:, :ablated]
        given = torch.baddbmm(self.bias[..., above:], fill, weight.mT)
        return given if given.shape[1] == 1 else given[:, groups]


def _in_order(
    stack: FullyConnectedNetworks, fills: Sequence[Tensor], order: UnitOrder
) -> list[_Layer]:
    """Hidden layers, from the lowest with ablated units on."""
    layers = []
    for layer in range(order.lowest, stack.depth - 1):
        units, above = order.within(layer), order.within(layer + 1)
        weight = stack.weights[layer + 1]
        bias = stack.biases[layer + 1] if stack.biases else torch.zeros_like(weight[..., 0])
        layers.append(
            _Layer(
                fills[layer][..., units], weight[:, above][..., units], bias[:, None][..., above]
            )
        )
    return layers


def _right(
    layers: Sequence[_Layer],
    cuts: Sequence[Sequence[int]],
    phi: ActivationFunction,
    lowest: Float[Tensor, "networks samples units"],
    labels: Int64[Tensor, "samples"],
    groups: Int64[Tensor, "samples"],
) -> Int64[Tensor, "networks counts"]:
    """How many samples are classified right.

    Args:
        layers: From the lowest with ablated units on.
        cuts: For every count, how many units of each of these are ablated, and 0 for the logits.
        phi: The activation function.
        lowest: Activations of the first of the layers, in their order, with no unit ablated.
        labels: Classes.
        groups: As for ``replacements``.
    """
    first, left = layers[0], lowest.shape[-1]
    kept = lowest.new_zeros(*lowest.shape[:2], first.weight.shape[1])
    right = []
    for ablated, *above in reversed(cuts):
        weight = first.weight[..., ablated:left].mT
        kept, left = kept.baddbmm_(lowest[..., ablated:left], weight), ablated
        values = kept[..., above[0] :] + first.given(ablated, above[0], groups)
        for layer, (below, next_above) in zip(layers[1:], pairwise(above), strict=True):
            weight = layer.weight[:, next_above:, below:].mT
            given = layer.given(below, next_above, groups)
            values = torch.baddbmm(given, phi.in_place(values), weight)
        right.append((values.argmax(-1) == labels).sum(-1))
    return torch.stack(right[::-1], dim=1)

"""Accuracy of networks while their hidden units are ablated, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from generalization.devices import items_at_once
from generalization.networks.activation_functions import ActivationFunction
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.hidden_layers import hidden_activations, network_modules
from generalization.networks.modules import Networks
from generalization.units.module_ablations import module_ablations
from generalization.units.replacements import check_mode, group_members, replacements
from generalization.units.unit_orders import UnitOrder


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

    * with no unit ablated all orders agree, so this is taken once;
    * activations of the lowest layer with ablated units are taken once, and what its units give to
      the layer above, Σ_i W_i a_i, is summed up unit by unit, from the last of an order to the
      first: all counts together cost one product;
    * above, units stand in the order in which they are ablated, so that those which are left are
      the last ones, and products are of these alone: a third of the work, over all counts. What
      ablated ones give is the same for all samples of a group, W fill, and added to the bias.

    Units are rows and samples columns in here: those that are left lie in one piece of memory.

    Args:
        inputs: N points, in the dtype of the weights; also the reference set of ``mode``.
        orders: In which units are ablated, of the same layers and counts; for all networks the
            same.

    Returns:
        R × orders × counts. Of equal logits the first one counts.
    """
    check_mode(mode)
    if not isinstance(networks, FullyConnectedNetworks):
        return torch.stack([
            module_ablations(module, inputs, labels, orders, mode=mode)
            for module in network_modules(networks)
        ])
    # One network at a time stays in the cache of a CPU.
    stacks = networks.folded() if inputs.device.type == "cpu" else [networks.folded()]
    return torch.cat([_stack_accuracies(stack, inputs, labels, orders, mode) for stack in stacks])


@torch.inference_mode()
def _stack_accuracies(
    stack: FullyConnectedNetworks,
    inputs: Float[Tensor, "samples *features"],
    labels: Int64[Tensor, "samples"],
    orders: Sequence[UnitOrder],
    mode: str,
) -> Float64[Tensor, "networks orders counts"]:
    """Accuracies of networks without normalizations, all of them in one product."""
    activations = hidden_activations(stack, inputs)
    intact = _right(stack.affine(stack.depth - 1, activations[-1]).mT, labels)
    fills = [replacements(of_layer, labels, mode).mT for of_layer in activations]
    widest = len(stack) * max(stack.widths[1:])
    size = items_at_once("operation", widest, inputs.device)
    lowest = activations[orders[0].lowest].mT.contiguous().split(size, 2)
    members = group_members(labels, mode).to(inputs.dtype).split(size, 1)
    parts = list(zip(lowest, labels.split(size), members, strict=True))
    right = []
    for order in orders:
        layers, units = _in_order(stack, fills, order), order.within(order.lowest)
        cuts = [cut for cut in order.cuts if any(cut)]
        of_parts = (
            _cumulative(layers, cuts, stack.phi, values[:, units], *rest) for values, *rest in parts
        )
        right += [intact] * (len(order.cuts) - len(cuts))
        right += [sum(counts) for counts in zip(*of_parts, strict=True)]
    return torch.stack(right, dim=1).unflatten(1, (len(orders), -1)).double() / len(labels)


@dataclass(frozen=True)
class _Layer:
    """A hidden layer, the units of which stand in the order in which they are ablated.

    Attributes:
        fill: What ablated units become, networks × units × groups; of no group, if nothing.
        weight: To the units above, in their order: networks × units above × units.
        bias: Of the units above, networks × units above × 1.
    """

    fill: Tensor
    weight: Tensor
    bias: Tensor

    def add_ablated(self, values: Tensor, ablated: int, members: Tensor) -> Tensor:
        """Preactivations of the last units above, with what ablated units give to them.

        Args:
            values: networks × units × samples, or × 1 if they are the same for all samples.
            ablated: How many of the first units are.
            members: Of the groups.
        """
        if not len(members):
            return values
        weight = self.weight[:, self.weight.shape[1] - values.shape[1] :, :ablated]
        given = weight @ self.fill[:, :ablated]
        if len(members) == 1:
            return values + given
        return torch.baddbmm(values, given, members.expand(len(given), *members.shape))


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
            _Layer(fills[layer][:, units], weight[:, above][..., units], bias[:, above, None])
        )
    return layers


def _cumulative(
    layers: Sequence[_Layer],
    cuts: Sequence[Sequence[int]],
    phi: ActivationFunction,
    lowest: Float[Tensor, "networks units samples"],
    labels: Int64[Tensor, "samples"],
    members: Float[Tensor, "groups samples"],
) -> list[Int64[Tensor, "networks"]]:
    """Count correctly classified samples, at every number of ablated units.

    Args:
        layers: From the lowest with ablated units on.
        cuts: For every count, how many units of each of these are ablated, and 0 for the logits.
        phi: The activation function.
        lowest: Activations of the first of the layers, in their order, with no unit ablated.
        members: As ``group_members``.
    """
    first, left = layers[0], lowest.shape[1]
    kept = first.bias.repeat(1, 1, lowest.shape[2])
    right = []
    for ablated, *above in reversed(cuts):
        kept.baddbmm_(first.weight[..., ablated:left], lowest[:, ablated:left])
        left, values = ablated, first.add_ablated(kept[:, above[0] :], ablated, members)
        for layer, (below, next_above) in zip(layers[1:], pairwise(above), strict=True):
            bias = layer.add_ablated(layer.bias[:, next_above:], below, members)
            weight = layer.weight[:, next_above:, below:]
            values = torch.baddbmm(bias, weight, phi.function(values))
        right.append(_right(values, labels))
    return right[::-1]


def _right(
    logits: Float[Tensor, "networks classes samples"], labels: Int64[Tensor, "samples"]
) -> Int64[Tensor, "networks"]:
    """Count correctly classified samples."""
    # Over the last axis, a maximum is found several times as fast.
    return (logits.mT.contiguous().argmax(-1) == labels).sum(-1)

"""Accuracy of networks under cumulative ablation of hidden units."""

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
    """Compute the accuracy of networks when units are ablated (Morcos et al. 2018).

    Ablation replaces the activation of a unit, after normalization and activation function, at all
    positions of a feature map; weights do not change. In a stack common computations are shared:

    * with no unit ablated all orders agree, so this case is evaluated once;
    * activations of the lowest layer with ablated units are computed once, and their contributions
      to the layer above, Σ_i W_i a_i, are accumulated unit by unit, from the last unit of an order
      to the first: all counts together cost one product;
    * in higher layers units are sorted in the order of ablation, so that the remaining units are
      the last ones and products involve only these: a third of the work over all counts. The
      contribution of ablated units, W fill, is constant for a group of samples and is added to the
      bias.

    Units are rows and samples columns, so that the remaining units are contiguous in memory.

    Args:
        inputs: N inputs, in the dtype of the weights; also the reference set of ``mode``.
        orders: Orders of ablation with the same layers and counts, shared by all networks.

    Returns:
        Accuracies, R × orders × counts. Among equal logits the first one is the prediction.
    """
    check_mode(mode)
    if not isinstance(networks, FullyConnectedNetworks):
        return torch.stack([
            module_ablations(module, inputs, labels, orders, mode=mode)
            for module in network_modules(networks)
        ])
    # Networks are evaluated one at a time to stay in the cache of a CPU.
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
    """Return the accuracies of networks without normalizations, by products over the stack."""
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
    """A hidden layer whose units are sorted in the order of ablation.

    Attributes:
        fill: Replacements of ablated units, networks × units × groups; without groups if zero.
        weight: Weights to the units above in their order, networks × units above × units.
        bias: Biases of the units above, networks × units above × 1.
    """

    fill: Tensor
    weight: Tensor
    bias: Tensor

    def add_ablated(self, values: Tensor, ablated: int, members: Tensor) -> Tensor:
        """Add the contributions of ablated units to preactivations of the last units above.

        Args:
            values: Preactivations, networks × units × samples, or × 1 if equal for all samples.
            ablated: Number of ablated units, which are the first ones.
            members: Group membership of samples.
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
    """Return the hidden layers from the lowest with ablated units up, sorted for ablation."""
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
        layers: Hidden layers from the lowest with ablated units up.
        cuts: For each count, the number of ablated units in each layer, and 0 for the logits.
        phi: Activation function.
        lowest: Activations of the lowest of these layers, sorted, with no unit ablated.
        members: Result of ``group_members``.
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
    # The maximum over the last axis is several times faster.
    return (logits.mT.contiguous().argmax(-1) == labels).sum(-1)

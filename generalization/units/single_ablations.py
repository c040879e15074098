"""Accuracy of networks under ablation of single hidden units."""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.hidden_layers import hidden_activations
from generalization.networks.modules import Networks
from generalization.units.ablations import ablated_accuracies
from generalization.units.unit_orders import each_alone


def accuracies_without(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    labels: Int64[Tensor, "samples"],
    *,
    widths: list[int],
    layer: int,
) -> Float64[Tensor, "networks units"]:
    """Return the accuracy with each single unit of a hidden layer set to zero (Morcos et al. 2018).

    Equal to ``ablated_accuracies`` for orders that begin with each unit. In a stack the
    contribution of a unit is subtracted from the preactivations above, z − a_i W_i, and only
    samples that activate the unit are classified again.
    """
    if not isinstance(networks, FullyConnectedNetworks):
        alone = ablated_accuracies(networks, inputs, labels, each_alone(widths, layer))
        return alone.squeeze(-1)
    right = [_right_without(network, inputs, labels, layer) for network in networks.folded()]
    return torch.stack(right).double() / len(labels)


@torch.inference_mode()
def _right_without(
    network: FullyConnectedNetworks,
    inputs: Float[Tensor, "samples *features"],
    labels: Int64[Tensor, "samples"],
    layer: int,
) -> Int64[Tensor, "units"]:
    """Count the samples that a stack of one classifies correctly without each unit."""
    activations = hidden_activations(network, inputs)[layer][0]
    above = network.affine(layer + 1, activations)[0]
    right = _is_right(network, layer + 1, above.clone(), labels)
    total, without = right.sum(), []
    for of_unit, weights in zip(activations.T, network.weights[layer + 1][0].T, strict=True):
        active = of_unit.nonzero().squeeze(1)
        values = torch.addr(above[active], of_unit[active], weights, alpha=-1)
        now = _is_right(network, layer + 1, values, labels[active])
        without.append(total - right[active].sum() + now.sum())
    return torch.stack(without)


def _is_right(
    network: FullyConnectedNetworks,
    layer: int,
    values: Float[Tensor, "samples units"],
    labels: Int64[Tensor, "samples"],
) -> Tensor:
    """Return which samples are classified correctly; the preactivations are overwritten."""
    for above in range(layer + 1, network.depth):
        values = network.affine(above, network.phi.in_place(values))[0]
    return values.argmax(-1) == labels

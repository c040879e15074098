"""Accuracy of networks against the number of ablated units."""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from generalization.networks.hidden_layers import unit_activations
from generalization.networks.modules import Networks
from generalization.units.ablations import ablated_accuracies
from generalization.units.unit_orders import equidistant_counts, random_orders


def ablation_curve(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    labels: Int64[Tensor, "samples"],
    generator: torch.Generator,
    *,
    orders: int,
    increments: int,
    mode: str = "zero",
    layer: int | None = None,
) -> tuple[Float64[Tensor, "counts"], Float64[Tensor, "networks orders counts"]]:
    """Compute the accuracy against the fraction of ablated units (Morcos et al. 2018).

    Args:
        generator: Source of the random orders, which all networks share.
        orders: Number of random orders of ablation.
        increments: Number of equal increments from no unit to all, fewer if there are fewer units.
        layer: Index of the hidden layer to ablate; all hidden layers by default.

    Returns:
        Exact fractions of ablated units, from 0 to 1, and accuracies.
    """
    widths = [of_layer.shape[-1] for of_layer in unit_activations(networks, inputs[:1])]
    layers = range(len(widths)) if layer is None else [layer]
    counts = equidistant_counts(sum(widths[one] for one in layers), increments)
    drawn = random_orders(widths, layers, counts, orders, generator)
    accuracies = ablated_accuracies(networks, inputs, labels, drawn, mode=mode)
    return torch.tensor(counts, dtype=torch.float64, device=inputs.device) / counts[-1], accuracies


def area_under(
    amounts: Float64[Tensor, "counts"], accuracies: Float64[Tensor, "*batch counts"]
) -> Float64[Tensor, "*batch"]:
    """Integrate accuracy over the amounts by the trapezoid rule, divided by their range.

    Args:
        amounts: Amounts in ascending order.
        accuracies: Accuracy at each amount.

    Returns:
        Mean accuracy over the range of amounts.
    """
    return torch.trapezoid(accuracies, amounts) / (amounts[-1] - amounts[0])

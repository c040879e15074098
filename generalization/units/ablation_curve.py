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
    """Accuracy against the fraction of ablated units (Morcos et al. 2018).

    Args:
        generator: Of the orders, which are the same for all networks.
        orders: In how many random orders units are ablated.
        increments: Number of equal increments from no unit to all, fewer if there are fewer units.
        layer: Hidden layer of which units are ablated, counted from 0; of all, if it is not given.

    Returns:
        Fractions from 0 to 1, exact ones, and accuracies.
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
    """∫ accuracy over amounts by the trapezoid rule, over the range of the amounts.

    Args:
        amounts: Ascending.
        accuracies: At each of them.

    Returns:
        The mean accuracy over the range: 1 if nothing is lost.
    """
    return torch.trapezoid(accuracies, amounts) / (amounts[-1] - amounts[0])

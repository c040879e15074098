"""Area under the curve of accuracy against the fraction of ablated units."""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from generalization.networks.modules import Networks
from generalization.units.ablation_curve import ablation_curve, area_under


def ablation_auc(
    networks: Networks,
    train_inputs: Float[Tensor, "samples *features"],
    train_labels: Int64[Tensor, "samples"],
    generator: torch.Generator,
    *,
    points: int = 1000,
    orders: int = 10,
    fractions: int = 20,
    mode: str = "zero",
) -> Float64[Tensor, "networks"]:
    """∫₀¹ acc(q) dq, acc the training accuracy with the fraction q of all hidden units ablated.

    Morcos et al. 2018: a network that leans on few of its units has a small area, and generalizes
    worse. The integral is a trapezoid sum; curves are averaged over random orders of the units, the
    same for all networks. Training labels are those that the networks saw, corrupted or not.

    Args:
        networks: A stack of R networks, or a module as ``layer_maps`` takes it.
        train_inputs: Training inputs, in the dtype of the weights.
        train_labels: Their classes.
        generator: Of the orders.
        points: How many training inputs, the first ones; all, if there are fewer.
        orders: How many random orders.
        fractions: Number of equal steps from no unit to all.
        mode: ``zero``, or ``mean`` or ``class_mean``: what ablated units become.

    Returns:
        R areas, from 0 to 1.

    Raises:
        ValueError: If points, orders or fractions are less than 1.
    """
    for name, number in {"points": points, "orders": orders, "fractions": fractions}.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, not {number!r}.")
    amounts, accuracies = ablation_curve(
        networks,
        train_inputs[:points],
        train_labels[:points],
        generator,
        orders=orders,
        fractions=fractions,
        mode=mode,
    )
    return area_under(amounts, accuracies.mean(1))

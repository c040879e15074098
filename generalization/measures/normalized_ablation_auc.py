"""Area under the curve of ablations, relative to the accuracy without any."""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from generalization.measures.ablation_auc import ablation_auc
from generalization.networks.modules import Networks, logits_of


def normalized_ablation_auc(
    networks: Networks,
    train_inputs: Float[Tensor, "samples *features"],
    train_labels: Int64[Tensor, "samples"],
    generator: torch.Generator,
    *,
    points: int = 1000,
    orders: int = 10,
    fractions: int = 20,
    mode: str = "zero",
    above_chance: bool = False,
) -> Float64[Tensor, "networks"]:
    """``ablation_auc`` / acc(0), where acc(0) is the accuracy with no unit ablated.

    So networks are compared that have not fitted equally well. Above chance it is
    (area − 1/K) / (acc(0) − 1/K), which is 0 of a network of K classes that any ablation ruins.

    Args:
        networks: A stack of R networks, or a module as ``layer_maps`` takes it.
        train_inputs: Training inputs, in the dtype of the weights.
        train_labels: Their classes.
        generator: Of the orders.
        points: How many training inputs, the first ones; all, if there are fewer.
        orders: How many random orders.
        fractions: Number of equal steps from no unit to all.
        mode: What ablated units become.
        above_chance: Whether 1/K is subtracted from both.

    Returns:
        R quotients; NaN if acc(0) is not above what it is measured from.
    """
    area = ablation_auc(
        networks,
        train_inputs,
        train_labels,
        generator,
        points=points,
        orders=orders,
        fractions=fractions,
        mode=mode,
    )
    logits = logits_of(networks, train_inputs[:points])
    accuracy = (logits.argmax(-1) == train_labels[:points]).double().mean(-1)
    chance = 1 / logits.shape[-1] if above_chance else 0.0
    accuracy = accuracy.where(accuracy > chance, torch.nan)
    return (area - chance) / (accuracy - chance)

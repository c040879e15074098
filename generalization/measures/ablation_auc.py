"""Area under the curve of accuracy against the fraction of ablated units, and its quotient."""

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.errors import require_positive
from generalization.networks.modules import Networks, logits_of
from generalization.samples import TrainInputs, TrainLabels, first_samples
from generalization.units.ablation_curve import ablation_curve, area_under


def ablation_auc(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    generator: torch.Generator,
    *,
    train_samples: int = 1000,
    orders: int = 10,
    increments: int = 20,
    mode: str = "zero",
) -> Float64[Tensor, "networks"]:
    """Area ∫₀¹ acc(q) dq, acc the training accuracy with the fraction q of hidden units ablated.

    Morcos et al. 2018: a network that relies on few of its units has a small area and generalizes
    worse. The integral is a trapezoid sum; curves are averaged over random orders of the units, the
    same for all networks. Training labels are those that the networks saw, corrupted or not.

    Args:
        generator: Source of the orders.
        orders: Number of random orders.
        increments: Number of equal increments of the fraction, from no unit to all.
        mode: What ablated units become: ``zero``, or their ``mean`` or ``class_mean``.

    Returns:
        R areas, from 0 to 1.
    """
    require_positive(orders=orders, increments=increments)
    inputs, labels = first_samples(train_samples, train_inputs, train_labels)
    amounts, accuracies = ablation_curve(
        networks,
        inputs,
        labels,
        generator,
        orders=orders,
        increments=increments,
        mode=mode,
    )
    return area_under(amounts, accuracies.mean(1))


def normalized_ablation_auc(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    generator: torch.Generator,
    *,
    above_chance: bool = False,
    train_samples: int = 1000,
    orders: int = 10,
    increments: int = 20,
    mode: str = "zero",
) -> Float64[Tensor, "networks"]:
    """Quotient ``ablation_auc`` / acc(0), where acc(0) is the accuracy with no unit ablated.

    It compares networks that have not fitted equally well. ``above_chance`` subtracts the chance
    level 1/K from both, (area − 1/K) / (acc(0) − 1/K), which is 0 for a network of K classes that
    any ablation ruins. All other arguments and errors are those of ``ablation_auc``.

    Returns:
        R quotients; NaN if acc(0) is not above what is subtracted from it.
    """
    area = ablation_auc(
        networks,
        train_inputs,
        train_labels,
        generator,
        train_samples=train_samples,
        orders=orders,
        increments=increments,
        mode=mode,
    )
    logits = logits_of(networks, train_inputs[:train_samples])
    accuracy = (logits.argmax(-1) == train_labels[:train_samples]).double().mean(-1)
    chance = 1 / logits.shape[-1] if above_chance else 0.0
    accuracy = accuracy.where(accuracy > chance, torch.nan)
    return (area - chance) / (accuracy - chance)

"""Area under the curve of accuracy against the fraction of ablated units, plain and normalized."""

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.errors import require_positive, warn_of_no_value
from generalization.networks.modules import Networks, logits_of
from generalization.networks.reading import reads_networks
from generalization.samples import TrainInputs, TrainLabels, first_samples
from generalization.units.ablation_curve import ablation_curve, area_under


@reads_networks
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
    """Area ∫₀¹ acc(q) dq under the training accuracy with a fraction q of hidden units ablated.

    Networks that rely on few of their units have a small area and generalize worse (Morcos et al.
    2018). The integral is a trapezoid sum; curves are averaged over random orders of the units,
    which are the same for all networks.

    Args:
        generator: Source of the random orders of units.
        orders: Number of random orders in which units are ablated.
        increments: Number of equal increments of the fraction from 0 to 1.
        mode: Replacement of ablated units: ``zero``, their ``mean`` or their ``class_mean``.

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


@reads_networks
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
    """Ratio of ``ablation_auc`` to acc(0), the accuracy with no unit ablated.

    The ratio makes networks comparable that fit the training set to different degrees. With
    ``above_chance`` the chance level 1/K of K classes is subtracted from both, (area − 1/K) /
    (acc(0) − 1/K), which is 0 if any ablation reduces the accuracy to chance. All other arguments
    are those of ``ablation_auc``.

    Source: this project's own, because the area of Morcos et al. 2018 also depends on how well
    a network fits before ablation.

    Returns:
        R ratios; NaN where the denominator is not positive.
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
    reason = f"the accuracy on training samples is not above {chance:g}"
    warn_of_no_value(reason, (accuracy <= chance).tolist())
    accuracy = accuracy.where(accuracy > chance, torch.nan)
    return (area - chance) / (accuracy - chance)

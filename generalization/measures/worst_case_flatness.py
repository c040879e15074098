"""Worst-case flatness: how far all weights may move before the training error rises by 0.1.

The worst perturbation u in a box is sought by sign-gradient ascent on the loss, clipped to the box.
A worse one may exist, so that the half-width α found is an upper bound on the true one. Only
weights are perturbed, not biases; normalizations are folded into the weights. Values are NaN where
α is beyond the limits of ``level_of_rise``.

Args:
    ascent_steps: Number of ascent steps; together they cover twice the half-width.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.networks.error_rise import Level, level_of_rise
from generalization.networks.modules import Networks, number_of_networks
from generalization.networks.perturbed_weights import (
    errors_with,
    losses_and_gradients_with,
    scaled,
    weights_by_name,
)
from generalization.networks.reading import reads_networks
from generalization.samples import TrainInputs, TrainLabels, first_samples


@reads_networks
def worst_case_flatness(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 500,
    ascent_steps: int = 10,
) -> Float64[Tensor, "networks"]:
    """Inverse 1/α² of the largest box |u_i| ≤ α without 0.1 more error (Jiang et al. 2019).

    Returns:
        R numbers, in inverse squared weights.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    return worst_case_level(networks, *first, ascent_steps).level.pow(-2)


@reads_networks
def magnitude_aware_worst_case_flatness(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 500,
    ascent_steps: int = 10,
) -> Float64[Tensor, "networks"]:
    """Inverse 1/α² of the largest box |u_i| ≤ α |w_i| without 0.1 more error (Jiang et al. 2019).

    Invariant to rescaling layers against each other.

    Returns:
        R numbers, without unit.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    return worst_case_level(networks, *first, ascent_steps, magnitude_aware=True).level.pow(-2)


def worst_case_level(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    ascent_steps: int = 10,
    *,
    magnitude_aware: bool = False,
) -> Level:
    """Find the half-width of the box in which the worst weights raise the training error by 0.1.

    The standard error is 0, since the search is deterministic.

    Args:
        magnitude_aware: Whether the box is proportional to the weights.
    """
    own = weights_by_name(networks)
    widths = {name: w.abs() if magnitude_aware else torch.ones_like(w) for name, w in own.items()}
    before = errors_with(networks, own, train_inputs, train_labels)

    def rise(levels: Float64[Tensor, "networks"]) -> Float64[Tensor, "1 networks"]:
        perturbed, worst = own, before
        for _ in range(ascent_steps):
            _, gradients = losses_and_gradients_with(
                networks, perturbed, train_inputs, train_labels
            )
            ascent = {name: widths[name] * gradients[name].sign() for name in own}
            perturbed = {
                name: _clipped(
                    perturbed[name] + scaled(2 * levels / ascent_steps, ascent[name]),
                    own[name],
                    scaled(levels, widths[name]),
                )
                for name in own
            }
            errors = errors_with(networks, perturbed, train_inputs, train_labels)
            worst = torch.maximum(worst, errors)
        return (worst - before).unsqueeze(0)

    return level_of_rise(rise, number_of_networks(networks), train_inputs.device)


def _clipped(perturbed: Tensor, center: Tensor, widths: Tensor) -> Tensor:
    """Clip weights to the box around its center."""
    return torch.minimum(torch.maximum(perturbed, center - widths), center + widths)

"""Worst-case flatness: how far all weights may move before the training error rises by 0.1.

The worst perturbation u in a box is sought by sign-gradient ascent on the loss, clipped to the box.
A worse one may exist, so that the half-width α found is an upper bound on the true one. Only
weights are perturbed, not biases; normalizations are folded into the weights. m is the number of
all training samples, w⁰ the initial weights. Values are NaN where α is beyond the limits of
``level_of_rise``.

Args:
    ascent_steps: Number of ascent steps; together they cover twice the half-width.
"""

import math

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.errors import warn_of_method
from generalization.measures.pac_bayes import isotropic_bound, magnitude_aware_bound
from generalization.networks.error_rise import Level, level_of_rise
from generalization.networks.layer_weights import layer_weights, weight_changes, weight_vectors
from generalization.networks.modules import Networks, number_of_networks
from generalization.networks.perturbed_weights import (
    errors_with,
    losses_and_gradients_with,
    scaled,
    weights_by_name,
)
from generalization.networks.reading import reads_weights
from generalization.networks.sharing import once
from generalization.samples import TrainInputs, TrainLabels, first_samples


@reads_weights
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


@reads_weights
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


@reads_weights
def worst_case_from_initialization(
    networks: Networks,
    initial_networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 500,
    ascent_steps: int = 10,
) -> Float64[Tensor, "networks"]:
    """Sharpness bound ‖w − w⁰‖² ln(2ω) / 4α² + ln(m/α) + 10 (Jiang et al. 2019, "sharpness-init").

    α is that of ``worst_case_flatness``, and ω the number of weights.

    Returns:
        R numbers.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    level = worst_case_level(networks, *first, ascent_steps).level
    factor = _log_of_twice_the_weights(networks)
    reference = weight_changes(networks, initial_networks)
    return isotropic_bound(reference, level, len(train_inputs), factor)


@reads_weights
def worst_case_from_origin(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 500,
    ascent_steps: int = 10,
) -> Float64[Tensor, "networks"]:
    """Sharpness bound with ‖w‖² in place of ‖w − w⁰‖² (Jiang et al. 2019, "sharpness-orig").

    Otherwise equal to ``worst_case_from_initialization``.

    Returns:
        R numbers.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    level = worst_case_level(networks, *first, ascent_steps).level
    factor = _log_of_twice_the_weights(networks)
    reference = layer_weights(networks)
    return isotropic_bound(reference, level, len(train_inputs), factor)


@reads_weights
def magnitude_aware_worst_case_from_initialization(
    networks: Networks,
    initial_networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 500,
    ascent_steps: int = 10,
) -> Float64[Tensor, "networks"]:
    """Magnitude-aware sharpness bound around the initial weights (Jiang et al. 2019).

    ¼ Σ_i ln[(ε² + (α² + 4 ln 2ω) ‖w − w⁰‖²/ω) / (ε² + α² (w_i − w_i⁰)²)] + ln(m/α) + 10, with ω
    the number of weights, ε = 10⁻³, and α that of ``magnitude_aware_worst_case_flatness``.

    Returns:
        R numbers.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    level = worst_case_level(networks, *first, ascent_steps, magnitude_aware=True).level
    excess = 4 * _log_of_twice_the_weights(networks)
    changes = weight_changes(networks, initial_networks)
    return magnitude_aware_bound(changes, changes, level, len(train_inputs), excess)


@reads_weights
def magnitude_aware_worst_case_from_origin(
    networks: Networks,
    initial_networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 500,
    ascent_steps: int = 10,
) -> Float64[Tensor, "networks"]:
    """Magnitude-aware sharpness bound with ‖w‖² in place of ‖w − w⁰‖² (Jiang et al. 2019).

    Otherwise equal to ``magnitude_aware_worst_case_from_initialization``.

    Returns:
        R numbers.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    level = worst_case_level(networks, *first, ascent_steps, magnitude_aware=True).level
    excess = 4 * _log_of_twice_the_weights(networks)
    changes = weight_changes(networks, initial_networks)
    return magnitude_aware_bound(layer_weights(networks), changes, level, len(train_inputs), excess)


def worst_case_level(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    ascent_steps: int = 10,
    *,
    magnitude_aware: bool = False,
) -> Level:
    """Find the half-width of the box in which the worst weights raise the training error by 0.1.

    The standard error is 0, since the search is deterministic. Measures of one job share it.

    Args:
        magnitude_aware: Whether the box is proportional to the weights.
    """
    how = f"by the worst of {ascent_steps} perturbations on the ascent: a worse one may exist"
    warn_of_method("searched", how)
    sought = networks, train_inputs, train_labels, ascent_steps, magnitude_aware
    return once(_sought_level, *sought)


def _sought_level(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    ascent_steps: int,
    magnitude_aware: bool,
) -> Level:
    """Seek the half-width, as ``worst_case_level`` says."""
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


def _log_of_twice_the_weights(networks: Networks) -> float:
    """Return ln(2ω) for ω weights.

    It comes from the largest of ω normal deviates.
    """
    # ASSUME: ln(2ω/δ) with δ = 1, as in the isotropic bound of the source, and m/α where the source
    # has m/σ without saying which σ a sharpness has.
    return math.log(2 * weight_vectors(layer_weights(networks)).shape[1])


def _clipped(perturbed: Tensor, center: Tensor, widths: Tensor) -> Tensor:
    """Clip weights to the box around its center."""
    return torch.minimum(torch.maximum(perturbed, center - widths), center + widths)

"""Adaptive sharpness: rise of the training loss under the worst relative perturbation."""

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.errors import warn_of_method
from generalization.networks.layer_weights import weight_vectors
from generalization.networks.modules import Networks
from generalization.networks.perturbed_weights import (
    losses_and_gradients_with,
    losses_with,
    scaled,
    weights_by_name,
)
from generalization.networks.reading import reads_weights
from generalization.samples import TrainInputs, TrainLabels, first_samples


@reads_weights
def adaptive_sharpness(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 500,
    ascent_steps: int = 10,
    radius: float = 0.5,
) -> Float64[Tensor, "networks"]:
    """Rise of the training loss at the worst u with ‖u / |w|‖₂ ≤ ρ (Kwon et al. 2021).

    The worst v = u / |w| is sought on the sphere by v ← ρ g / ‖g‖, with g the gradient with respect
    to v at the current v. The rise found is a lower bound on the true one. Only weights are
    perturbed, not biases; normalizations are folded into the weights. Invariant to rescaling layers
    against each other.

    Args:
        ascent_steps: Number of gradient evaluations; the largest loss among the iterates counts.
        radius: ρ, without unit.

    Returns:
        R numbers, in nats.
    """
    inputs, labels = first_samples(train_samples, train_inputs, train_labels)
    how = f"the worst of {ascent_steps} perturbations on the ascent, a lower bound"
    warn_of_method("searched", how)
    own = weights_by_name(networks)
    before = losses_with(networks, own, inputs, labels).detach()
    perturbed, worst = own, before
    for _ in range(ascent_steps):
        _, gradients = losses_and_gradients_with(networks, perturbed, inputs, labels)
        by_ratio = {name: gradients[name] * own[name].abs() for name in own}
        norms = weight_vectors([one.double() for one in by_ratio.values()]).norm(dim=1)
        lengths = radius / norms.clamp_min(torch.finfo(torch.float64).tiny)
        perturbed = {
            name: own[name] + scaled(lengths, own[name].abs() * by_ratio[name]) for name in own
        }
        worst = torch.maximum(worst, losses_with(networks, perturbed, inputs, labels).detach())
    return worst - before

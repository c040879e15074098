"""Local learning coefficient: how fast the loss rises around the weights."""

import math

import torch
from jaxtyping import Float64
from torch import Generator, Tensor

from generalization.networks.modules import Networks, number_of_networks
from generalization.networks.perturbed_weights import (
    losses_and_gradients_with,
    losses_with,
    weights_by_name,
)
from generalization.samples import TrainInputs, TrainLabels


def local_learning_coefficient(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    generator: Generator,
    *,
    chains: int = 2,
    chain_steps: int = 200,
    batch_size: int = 256,
    step_size: float = 1e-4,
    localization: float = 100.0,
) -> Float64[Tensor, "networks"]:
    """Estimate λ̂ = nβ (E L(w') − L(w)), nβ = n / ln n, over n training points (Lau et al. 2023).

    w' is drawn around w by stochastic gradient Langevin dynamics,

        w' ← w' − (ε/2) (nβ ∇L(w') + γ (w' − w)) + √ε ξ,   ξ ~ N(0, I),

    L the mean cross-entropy in nats, its gradient that of a batch. The expectation is over the
    second half of all chains, which run as one stack, and over their batches; L(w) is that of the
    same batches. Where w is a minimum with Hessian H, λ̂ is ½ tr[nβ H (nβ H + γ)⁻¹] for small ε.
    Weights alone move, biases do not; normalizations are folded into the weights. Rescaling layers
    against each other changes γ (w' − w), hence λ̂. It may be negative where w is no minimum.

    Args:
        train_inputs: n training inputs, in the dtype of the weights.
        generator: Source of batches and noise, on the CPU; all networks see the same.
        chains: Number of chains for every network.
        chain_steps: Number of steps of a chain.
        batch_size: Points of a batch, the same for all chains; all, if there are fewer.
        step_size: ε, in squared weights.
        localization: γ, in inverse squared weights.

    Returns:
        R coefficients; NaN or infinite where a chain diverges.

    Raises:
        ValueError: If there is no chain, fewer than two steps, or fewer than two training points.
    """
    # ASSUME: γ = 100 as in the source's experiments; ε, chains and steps are ours.
    for name, number, least in (
        ("chains", chains, 1),
        ("chain_steps", chain_steps, 2),
        ("batch_size", batch_size, 1),
        ("The number of training inputs", len(train_inputs), 2),
    ):
        if number < least:
            raise ValueError(f"{name} must be at least {least}, not {number!r}.")
    samples, members = len(train_inputs), number_of_networks(networks)
    inverse_temperature = samples / math.log(samples)
    own = {k: w.repeat(chains, *[1] * (w.dim() - 1)) for k, w in weights_by_name(networks).items()}
    moved = dict(own)
    excess = torch.zeros(chains * members, dtype=torch.float64, device=train_inputs.device)
    kept = range(chain_steps // 2, chain_steps)
    for step in range(chain_steps):
        batch = torch.randperm(samples, generator=generator)[:batch_size].to(train_labels.device)
        inputs, labels = train_inputs[batch], train_labels[batch]
        losses, gradients = losses_and_gradients_with(networks, moved, inputs, labels)
        if step in kept:
            with torch.no_grad():
                excess += losses - losses_with(networks, own, inputs, labels)
        for name, gradient in gradients.items():
            drift = inverse_temperature * gradient + localization * (moved[name] - own[name])
            noise = _noise(own[name], members, generator)
            moved[name] = moved[name] - step_size / 2 * drift + step_size**0.5 * noise
    return inverse_temperature * (excess / len(kept)).view(chains, members).mean(0)


def _noise(weight: Tensor, members: int, generator: Generator) -> Tensor:
    """Normal noise, one draw for every chain of all networks."""
    chains = len(weight) // members
    noise = torch.randn(chains, *weight.shape[1:], generator=generator).to(weight)
    return noise.repeat_interleave(members, dim=0)

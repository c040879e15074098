"""Local learning coefficient: rate at which the loss rises around the weights."""

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
from generalization.networks.reading import reads_weights
from generalization.samples import TrainInputs, TrainLabels
from generalization.standard_errors import tell_standard_error


@reads_weights
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
    """Estimate λ̂ = nβ (E L(w') − L(w)), nβ = n / ln n, over n training samples (Lau et al. 2023).

    w' is sampled around w by stochastic gradient Langevin dynamics,

        w' ← w' − (ε/2) (nβ ∇L(w') + γ (w' − w)) + √ε ξ,   ξ ~ N(0, I),

    with L the mean cross-entropy in nats, whose gradient is computed on batches. The expectation is
    over the second half of all chains, which run as one stack, and over their batches; L(w) is
    evaluated on the same batches. At a minimum w with Hessian H, λ̂ is ½ tr[nβ H (nβ H + γ)⁻¹] for
    small ε; elsewhere it may be negative. Only weights are sampled, not biases; normalizations are
    folded into the weights. γ (w' − w), hence λ̂, is not invariant to rescaling layers against each
    other.

    Args:
        train_inputs: n training inputs, in the dtype of the weights.
        generator: Source of batches and noise, on the CPU; all networks share the same.
        chains: Number of chains per network.
        chain_steps: Number of Langevin steps per chain.
        batch_size: Number of samples per batch, shared by all chains; all if there are fewer.
        step_size: Step size ε, in squared weights.
        localization: Strength γ of the localization at w, in inverse squared weights.

    Returns:
        R coefficients; NaN or infinite where a chain diverges.

    Raises:
        ValueError: If there is no chain, fewer than two steps, or fewer than two training samples.
    """
    # ASSUME: γ = 100 as in the experiments of Lau et al. 2023; ε and the number and length of
    # chains are our choice.
    for name, number, smallest in (
        ("chains", chains, 1),
        ("chain_steps", chain_steps, 2),
        ("batch_size", batch_size, 1),
        ("The number of training inputs", len(train_inputs), 2),
    ):
        if number < smallest:
            raise ValueError(f"{name} must be at least {smallest}, not {number!r}.")
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
    of_chains = inverse_temperature * (excess / len(kept)).view(chains, members)
    if chains > 1:
        tell_standard_error(of_chains.std(0) / chains**0.5)
    return of_chains.mean(0)


def _noise(weight: Tensor, members: int, generator: Generator) -> Tensor:
    """Draw normal noise for each chain, shared by all networks."""
    chains = len(weight) // members
    noise = torch.randn(chains, *weight.shape[1:], generator=generator).to(weight)
    return noise.repeat_interleave(members, dim=0)

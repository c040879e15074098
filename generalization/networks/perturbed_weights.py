"""Logits, errors, losses and gradients of networks, stacks or modules, at perturbed weights."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from generalization.devices import samples_at_once
from generalization.networks.differentiability import needs_derivatives
from generalization.networks.layer_weights import named_weights
from generalization.networks.modules import SAMPLES_PER_CHUNK, Networks, evaluation_mode, logits_at

# Name → weights of layers, with a leading network axis.
Weights = Mapping[str, Float[Tensor, "networks *_"]]


def weights_by_name(networks: Networks) -> Weights:
    """Return the weights of all layers, by their names in files and modules."""
    if isinstance(networks, nn.Module):
        named = named_weights(networks).items()
        return {name: value.detach().unsqueeze(0) for name, value in named}
    return {name: value for name, value in networks.tensors.items() if value.dim() > 2}


def logits_with(
    networks: Networks, weights: Weights, inputs: Float[Tensor, "samples *features"]
) -> Float[Tensor, "networks samples classes"]:
    """Return the logits of networks in eval mode with these weights in place of their own.

    Gradients with respect to the weights are supported.

    Args:
        networks: A stack of R networks without normalizations, or a module.
        weights: Weights in the layout of ``weights_by_name`` for R networks or, for a stack, any
            multiple of R, R networks after R networks.
        inputs: One batch of N inputs for all networks.
    """
    if isinstance(networks, nn.Module):
        members = len(next(iter(weights.values())))
        with evaluation_mode(networks) as module:
            return torch.stack([
                torch.cat([
                    logits_at(module, {k: w[member] for k, w in weights.items()}, chunk)
                    for chunk in inputs.split(samples_at_once(SAMPLES_PER_CHUNK))
                ])
                for member in range(members)
            ])
    times = len(next(iter(weights.values()))) // len(networks)
    tensors = {k: v.repeat(times, *[1] * (v.dim() - 1)) for k, v in networks.tensors.items()}
    perturbed = networks.with_tensors({**tensors, **weights})
    chunks = inputs.split(samples_at_once(SAMPLES_PER_CHUNK))
    if not torch.is_grad_enabled():
        return torch.cat([perturbed.logits(chunk) for chunk in chunks], dim=1)
    return torch.cat([perturbed.preactivations(chunk)[-1] for chunk in chunks], dim=1)


def scaled(factors: Float64[Tensor, "networks"], weights: Tensor) -> Tensor:
    """Multiply the weights of every network by a factor of its own."""
    return factors.to(weights.dtype).view(-1, *[1] * (weights.dim() - 1)) * weights


@torch.no_grad()
def errors_with(
    networks: Networks, weights: Weights, inputs: Tensor, labels: Tensor
) -> Float64[Tensor, "networks"]:
    """Return the classification error of every network at these weights."""
    wrong = logits_with(networks, weights, inputs).argmax(-1) != labels
    return wrong.double().mean(1)


def losses_with(
    networks: Networks, weights: Weights, inputs: Tensor, labels: Tensor
) -> Float64[Tensor, "networks"]:
    """Return the mean cross-entropy of every network at these weights, in nats."""
    logits = logits_with(networks, weights, inputs).double()
    losses = cross_entropy(logits.mT, labels.expand(len(logits), -1), reduction="none")
    return losses.mean(1)


def losses_and_gradients_with(
    networks: Networks, weights: Weights, inputs: Tensor, labels: Tensor
) -> tuple[Float64[Tensor, "networks"], dict[str, Tensor]]:
    """Return ``losses_with`` and their gradients with respect to the weights."""
    if isinstance(networks, nn.Module):
        needs_derivatives("parameters")
    with torch.enable_grad():
        leaves = {name: value.detach().requires_grad_() for name, value in weights.items()}
        losses = losses_with(networks, leaves, inputs, labels)
        gradients = torch.autograd.grad(
            losses.sum(), list(leaves.values()), allow_unused=True, materialize_grads=True
        )
    return losses.detach(), dict(zip(leaves, gradients, strict=True))

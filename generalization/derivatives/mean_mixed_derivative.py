"""Norm of the mean mixed derivative by parameters and input, estimated by random probes."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Float64
from torch import Generator, Tensor, nn

from generalization.devices import MODULE_SAMPLES, samples_at_once
from generalization.networks.differentiability import needs_derivatives
from generalization.networks.finite_differences import gradients_of
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.modules import Networks, evaluation_mode, logits_at
from generalization.randomness import random_signs

Parameters = tuple[Tensor, ...]
Logits = Callable[[Parameters, Tensor], Tensor]


@torch.no_grad()
def probed_mean_mixed_derivative_norm(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    outputs: Float[Tensor, "rows classes"],
    generator: Generator,
    *,
    probes: int,
) -> Float64[Tensor, "networks"]:
    """Estimate ‖E_x ∂²(Cf)/∂θ∂x‖_F; the square of the estimate is unbiased.

    For random signs u and v, E uuᵀ and E vvᵀ are identities, hence, with the same signs at all
    inputs,

        ‖E_x ∂²(Cf)/∂θ∂x‖_F² = E ‖∂/∂θ E_x (∂(uᵀCf)/∂x · v)‖²,

    by two backward passes for some inputs at a time. All networks share the probes.

    Returns:
        Root of the mean over probes, for each network.
    """
    directions = random_signs((probes, *inputs.shape[1:]), inputs, generator)
    cotangents = random_signs((probes, len(outputs)), inputs, generator) @ outputs
    if isinstance(networks, nn.Module):
        needs_derivatives("inputs and parameters")
        with evaluation_mode(networks) as module:
            squares = [_mean_square(*_module_function(module), inputs, directions, cotangents)]
    else:
        squares = [
            _mean_square(*_stack_function(network), inputs, directions, cotangents)
            for network in networks
        ]
    return torch.stack(squares).sqrt()


def _module_function(module: nn.Module) -> tuple[Logits, Parameters]:
    """Return the logits of a module as a function of parameters and inputs, and the parameters."""
    names, parameters = zip(*module.named_parameters(), strict=True)

    def logits(parameters: Parameters, inputs: Tensor) -> Tensor:
        return logits_at(module, dict(zip(names, parameters, strict=True)), inputs)

    return logits, tuple(part.detach() for part in parameters)


def _stack_function(network: FullyConnectedNetworks) -> tuple[Logits, Parameters]:
    """Return the logits of a stack of one as a function, and the parameters."""

    def logits(parameters: Parameters, inputs: Tensor) -> Tensor:
        weights, biases = parameters[: network.depth], parameters[network.depth :]
        changed = FullyConnectedNetworks(weights, network.activation, biases)
        return changed.preactivations(inputs)[-1][0]

    return logits, network.parameters


def _mean_square(
    logits: Logits,
    parameters: Parameters,
    inputs: Float[Tensor, "samples *features"],
    directions: Float[Tensor, "probes *features"],
    cotangents: Float[Tensor, "probes classes"],
) -> Float64[Tensor, ""]:
    """Return the mean over probes of ‖∂/∂θ E_x (∂(uᵀCf)/∂x · v)‖²."""
    parameters = tuple(part.detach().requires_grad_() for part in parameters)
    total = torch.zeros((), dtype=torch.float64, device=inputs.device)
    for direction, cotangent in zip(directions, cotangents, strict=True):
        sums = [torch.zeros_like(part, dtype=torch.float64) for part in parameters]
        for chunk in inputs.split(samples_at_once(MODULE_SAMPLES)):
            chunk = chunk.detach().requires_grad_()
            with torch.enable_grad():
                outputs = logits(parameters, chunk) @ cotangent
                (slopes,) = gradients_of(outputs, [chunk], create_graph=True)
                slopes = slopes * direction
            for of_part, found in zip(sums, gradients_of(slopes, parameters), strict=True):
                of_part += found
        total += sum((of_part / len(inputs)).square().sum() for of_part in sums)
    return total / len(directions)

"""Norm of the mean mixed derivative by parameters and input, estimated by random probes."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Float64
from torch import Generator, Tensor, nn
from torch.func import grad, jvp

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

        ‖E_x ∂²(Cf)/∂θ∂x‖_F² = E ‖∂/∂θ E_x (∂(uᵀCf)/∂x · v)‖².

    All networks share the probes.

    Returns:
        Root of the mean over probes, for each network.
    """
    directions = random_signs((probes, *inputs.shape[1:]), inputs, generator)
    cotangents = random_signs((probes, len(outputs)), inputs, generator) @ outputs
    if isinstance(networks, nn.Module):
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
    total = 0
    for direction, cotangent in zip(directions, cotangents, strict=True):

        def mean_slope(parameters: Parameters, v: Tensor = direction, u: Tensor = cotangent):
            along = (v.expand_as(inputs),)
            _, slopes = jvp(lambda x: logits(parameters, x), (inputs,), along)
            return (slopes @ u).mean()

        gradients = grad(mean_slope)(parameters)
        total = total + sum(gradient.double().square().sum() for gradient in gradients)
    return total / len(directions)

"""Norms of the mixed derivative by parameters and input, estimated by random probes."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Float64
from torch import Generator, Tensor, nn
from torch.func import grad, jvp, vmap

from generalization.devices import items_at_once
from generalization.networks.differentiability import needs_derivatives
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.modules import Networks, evaluation_mode, logits_at
from generalization.randomness import random_signs

SAMPLES_PER_DRAW = 256  # Changing it changes the probes.


@torch.no_grad()
def probed_mixed_derivative_norm(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    outputs: Float[Tensor, "rows classes"],
    generator: Generator,
    *,
    probes: int,
) -> tuple[Float64[Tensor, "networks samples"], Float64[Tensor, "networks samples"]]:
    """Estimate ‖∂²(Cf)/∂θ∂x‖_F at every input, with standard error; its square is unbiased.

    For random signs u and v, E uuᵀ and E vvᵀ are identities, hence

        ‖∂²(Cf)/∂θ∂x‖_F² = E ‖∂/∂θ (∂(uᵀCf)/∂x · v)‖².

    Probes are independent between inputs and shared by all networks.

    Returns:
        Root of the mean over probes, for each network and input, and its standard error: that of
        the mean divided by twice the root (delta method); NaN for a single probe.
    """
    if not isinstance(networks, nn.Module):
        return _root_and_error(
            _squares_of_draws(_stack_squares, networks, inputs, outputs, generator, probes)
        )
    needs_derivatives("inputs and parameters")
    with evaluation_mode(networks) as module:
        return _root_and_error(
            _squares_of_draws(_module_squares, module, inputs, outputs, generator, probes)
        )


def _squares_of_draws(
    squares: Callable[..., Tensor],
    networks: Networks,
    inputs: Tensor,
    outputs: Tensor,
    generator: Generator,
    probes: int,
) -> Float64[Tensor, "probes networks samples"]:
    """Compute the squares for random directions and cotangents."""
    of_chunks = []
    for chunk in inputs.split(SAMPLES_PER_DRAW):
        draws = []
        for _ in range(probes):
            directions = random_signs(chunk.shape, chunk, generator)
            cotangents = random_signs((len(chunk), len(outputs)), chunk, generator) @ outputs
            draws.append(squares(networks, chunk, directions, cotangents))
        of_chunks.append(torch.stack(draws))
    return torch.cat(of_chunks, dim=2)


def _root_and_error(squares: Float64[Tensor, "probes networks samples"]) -> tuple[Tensor, Tensor]:
    """Return the root of the mean over probes, and its standard error."""
    probes, mean = len(squares), squares.mean(0)
    deviations = (squares - mean).square().sum(0)
    root = mean.sqrt()
    error = (deviations / (probes - 1) / probes).sqrt() / (2 * root)
    return root, error.where((root != 0) | (probes == 1), 0.0)


def _stack_squares(
    networks: FullyConnectedNetworks,
    inputs: Float[Tensor, "samples *features"],
    directions: Float[Tensor, "samples *features"],
    cotangents: Float[Tensor, "samples classes"],
) -> Float64[Tensor, "networks samples"]:
    """Return ‖∂/∂θ (∂(uᵀCf)/∂x · v)‖² from the factors of the gradients, δ_l a_{l-1}ᵀ and δ_l.

    Their derivatives along v are δ̇ aᵀ + δ ȧᵀ for weights and δ̇ for biases.
    """

    def factors(inputs: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        activations = [inputs.expand(len(networks), *inputs.shape)]
        for layer in range(networks.depth - 1):
            activations.append(networks.phi.function(networks.affine(layer, activations[-1])))
        deltas = [cotangents.expand(len(networks), *cotangents.shape)]
        for weight, above in zip(reversed(networks.weights), activations[:0:-1], strict=False):
            deltas.append(torch.bmm(deltas[-1], weight) * networks.phi.derivative(above))
        return activations, deltas[::-1]

    values, changes = jvp(factors, (inputs.flatten(1),), (directions.flatten(1),))
    total = 0
    for a, delta, da, ddelta in zip(*values, *changes, strict=True):
        a, delta, da, ddelta = (part.double() for part in (a, delta, da, ddelta))
        total = total + ddelta.square().sum(-1) * (a.square().sum(-1) + bool(networks.biases))
        total = total + delta.square().sum(-1) * da.square().sum(-1)
        total = total + 2 * (delta * ddelta).sum(-1) * (a * da).sum(-1)
    return total.clamp_min(0)


def _module_squares(
    module: nn.Module,
    inputs: Float[Tensor, "samples *features"],
    directions: Float[Tensor, "samples *features"],
    cotangents: Float[Tensor, "samples classes"],
) -> Float64[Tensor, "1 samples"]:
    """Return ‖∂/∂θ (∂(uᵀCf)/∂x · v)‖² at every input, by two backward passes."""
    parameters = {name: part.detach() for name, part in module.named_parameters()}

    def square(x: Tensor, direction: Tensor, cotangent: Tensor) -> Tensor:
        def output(x: Tensor, parameters: dict[str, Tensor]) -> Tensor:
            return logits_at(module, parameters, x.unsqueeze(0))[0] @ cotangent

        def slope(parameters: dict[str, Tensor]) -> Tensor:
            return (grad(output)(x, parameters) * direction).sum()

        gradients = grad(slope)(parameters)
        return sum(gradient.double().square().sum() for gradient in gradients.values())

    size = sum(part.numel() * part.element_size() for part in parameters.values())
    points = items_at_once("parameter_gradients", size, inputs.device)
    return vmap(square, chunk_size=points)(inputs, directions, cotangents).unsqueeze(0)

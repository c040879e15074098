"""Directional derivatives of the logits with respect to the parameters."""

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import jvp

from generalization.derivatives.gradient_factors import block_sizes
from generalization.devices import SAMPLES_PER_CHUNK, samples_at_once
from generalization.networks.differentiability import needs_derivatives
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.modules import Networks, evaluation_mode, logits_at

# One tensor per layer, the weights with the bias as last column; of a module, one column per
# parameter.
Parameters = Sequence[Float[Tensor, "networks _ _"]]


def layer_parameters(networks: Networks) -> list[Float[Tensor, "networks _ _"]]:
    """Return the parameters in the layout of ``gradient_sum``, in the dtype of the weights."""
    if isinstance(networks, nn.Module):
        return [value.detach().reshape(1, -1, 1) for value in networks.parameters()]
    if not networks.biases:
        return list(networks.weights)
    pairs = zip(networks.weights, networks.biases, strict=True)
    return [torch.cat([weight, bias.unsqueeze(2)], 2) for weight, bias in pairs]


@torch.no_grad()
def directional_derivatives(
    networks: Networks, inputs: Float[Tensor, "samples *features"], direction: Parameters | None
) -> tuple[Float[Tensor, "networks samples classes"], Float[Tensor, "networks samples classes"]]:
    """Return the logits and their derivative along a direction of the parameters.

    Both are computed in one forward pass.

    With (V_l, c_l) the direction of layer l, dz_l = V_l a_{l-1} + c_l + W_l da_{l-1} and
    da_l = φ'(z_l) dz_l. Along the parameters themselves, V_l a_{l-1} + c_l is z_l.

    Args:
        networks: A stack without normalizations, or a module, evaluated in eval mode.
        direction: Direction in the layout of ``layer_parameters``; None for the parameters.
    """
    if isinstance(networks, nn.Module):
        direction = layer_parameters(networks) if direction is None else direction
        return _module_derivatives(networks, inputs, direction)
    points, members = block_sizes(networks, inputs)
    of_members = []
    for first in range(0, len(networks), members):
        some = networks[first : first + members]
        along = direction and [layer[first : first + members] for layer in direction]
        chunks = [_stack_derivatives(some, chunk, along) for chunk in inputs.split(points)]
        of_members.append([torch.cat(values, dim=1) for values in zip(*chunks, strict=True)])
    logits, derivatives = (torch.cat(values) for values in zip(*of_members, strict=True))
    return logits, derivatives


def _stack_derivatives(
    networks: FullyConnectedNetworks, inputs: Tensor, direction: Parameters | None
) -> tuple[Tensor, Tensor]:
    values, changes = inputs.flatten(1).expand(len(networks), len(inputs), -1), None
    for layer, weights in enumerate(networks.weights):
        below, values = values, networks.affine(layer, values)
        change = values.clone() if direction is None else _affine(networks, direction[layer], below)
        if changes is not None:
            change.baddbmm_(changes, weights.mT)
        changes = change
        if layer < networks.depth - 1:
            values = networks.phi.in_place(values)
            changes *= networks.phi.derivative(values)
    return values, changes


def _affine(networks: FullyConnectedNetworks, along: Tensor, values: Tensor) -> Tensor:
    """Return V a + c for a direction (V, c) of a layer."""
    fan_in = values.shape[2]
    change = torch.bmm(values, along[..., :fan_in].mT)
    return change.add_(along[..., fan_in].unsqueeze(1)) if networks.biases else change


def _module_derivatives(
    module: nn.Module, inputs: Tensor, direction: Parameters
) -> tuple[Tensor, Tensor]:
    needs_derivatives("parameters", forward="parameters")
    parameters = {name: value.detach() for name, value in module.named_parameters()}
    along = {
        name: part.view(value.shape).to(value.dtype)
        for (name, value), part in zip(parameters.items(), direction, strict=True)
    }
    chunks = []
    with evaluation_mode(module):
        for chunk in inputs.split(samples_at_once(SAMPLES_PER_CHUNK)):
            logits = partial(_logits_at, module, chunk)
            chunks.append(jvp(logits, (parameters,), (along,)))
    logits, derivatives = (torch.cat(values).unsqueeze(0) for values in zip(*chunks, strict=True))
    return logits, derivatives


def _logits_at(module: nn.Module, inputs: Tensor, parameters: dict[str, Tensor]) -> Tensor:
    return logits_at(module, parameters, inputs)

"""Norms of the mixed derivative of a stack by parameters and input, in closed form."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from generalization.derivatives.hidden_jacobians import hidden_jacobian_norms
from generalization.derivatives.input_jacobian import logits_and_slopes
from generalization.devices import SLOPES_PER_CHUNK, samples_at_once
from generalization.networks.fully_connected import FullyConnectedNetworks


@torch.no_grad()
def sensitivity_of_layers(
    networks: FullyConnectedNetworks,
    inputs: Float[Tensor, "samples *features"],
    outputs: Float[Tensor, "rows classes"],
) -> Float64[Tensor, "networks samples layers"]:
    """Return the norms ‖∂²(Cf)/∂W_l∂x‖_F = ‖δ_l‖_F ‖∂a_{l-1}/∂x‖_F of all layers.

    Inside a linear region δ_l = ∂(Cf)/∂z_l does not depend on x, and ∂(Cf)/∂W_l = δ_l a_{l-1}ᵀ.
    Products are in the dtype of the weights. Each weight is divided by its gain ‖W‖_F / √fan_in,
    which is multiplied back in float64, so that squares neither over- nor underflow.

    Args:
        networks: R networks with a piecewise-linear activation.

    Returns:
        One norm per network, input and layer; NaN where logits are not finite.
    """
    chunks = inputs.split(samples_at_once(SLOPES_PER_CHUNK))
    return torch.stack([
        torch.cat([_closed_form(network, chunk, outputs) for chunk in chunks], dim=1)[0]
        for network in networks
    ])


def _closed_form(
    network: FullyConnectedNetworks,
    inputs: Float[Tensor, "samples *features"],
    outputs: Float[Tensor, "rows classes"],
) -> Float64[Tensor, "1 samples layers"]:
    """Return the norms of a stack of one for a chunk of inputs."""
    logits, slopes = logits_and_slopes(network, inputs.flatten(1))
    gains = torch.stack([_gain(weight) for weight in network.weights], dim=-1)
    weights = [
        (weight / gain[:, None, None]).to(weight.dtype)
        for weight, gain in zip(network.weights, gains.unbind(-1), strict=True)
    ]
    at_input = gains.new_full((*logits.shape[:2], 1), network.widths[0] ** 0.5)
    below = [at_input]
    if slopes:
        zero_or_one = set(network.phi.slopes) <= {0.0, 1.0}
        below.append(hidden_jacobian_norms(weights[:-1], slopes, zero_or_one=zero_or_one))
    above = _cotangent_norms(weights, slopes, outputs.expand(*logits.shape[:2], -1, -1))
    others = gains.prod(dim=-1, keepdim=True) / gains
    norms = above * torch.cat(below, dim=-1) * others.unsqueeze(1)
    return norms.where(logits.isfinite().all(dim=-1, keepdim=True), torch.nan)


def _gain(weight: Float[Tensor, "networks fan_out fan_in"]) -> Float64[Tensor, "networks"]:
    """Return the factor by which a layer scales the norm of random vectors; 1 if that is 0."""
    norm = torch.linalg.vector_norm(weight, dim=(1, 2), dtype=torch.float64)
    gain = norm / weight.shape[2] ** 0.5
    return gain.where(gain > 0, 1.0)


def _cotangent_norms(
    weights: Sequence[Tensor],
    slopes: Sequence[Tensor],
    rows: Float[Tensor, "networks samples rows classes"],
) -> Float64[Tensor, "networks samples layers"]:
    """Return ‖C ∂f/∂z_l‖_F of every layer."""
    norms = [rows.flatten(2).norm(dim=-1)]
    for weight, slope in zip(reversed(weights[1:]), reversed(slopes), strict=True):
        pulled = torch.bmm(rows.flatten(1, 2), weight).unflatten(1, rows.shape[1:3])
        rows = pulled.mul_(slope.unsqueeze(2))
        norms.append(rows.flatten(2).norm(dim=-1))
    return torch.stack(norms[::-1], dim=-1).double()

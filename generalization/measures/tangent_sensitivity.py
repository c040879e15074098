"""Tangent sensitivity: how much the gradient by the parameters changes with the input."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float64
from torch import Generator, Tensor, nn

from generalization.errors import InputError
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.hidden_jacobians import hidden_jacobian_norms
from generalization.networks.input_jacobian import logits_and_slopes
from generalization.networks.mixed_derivative import probed_mixed_derivative_norm
from generalization.networks.modules import Networks, logits_of

SAMPLES_PER_CHUNK = 2048  # Keeps the slopes of a whole test set out of memory.


@torch.no_grad()
def tangent_sensitivity(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    generator: Generator | None = None,
    *,
    reduction: str | int = "sum",
    probes: int = 32,
) -> Float64[Tensor, "networks samples"]:
    """‖∂²f/∂θ∂x‖_F at every point, θ all parameters (Daróczy 2020, definition 3.1).

    The measure of a network is the mean over points. It is not a property of the function alone:
    W_1 → cW_1, W_2 → W_2/c changes it, and leaves a ReLU network's function as it was.

    **Closed form**, for a stack whose activation is piecewise linear. Inside a linear region
    δ_l = ∂(Cf)/∂z_l does not depend on x, where the rows of C choose the outputs, hence

        ∂(Cf)/∂W_l = δ_l a_{l-1}ᵀ   ⇒   ∂²(Cf)/∂W_l∂x = δ_l ⊗ ∂a_{l-1}/∂x,   ∂²(Cf)/∂b_l∂x = 0

        ‖∂²(Cf)/∂θ∂x‖_F² = Σ_l ‖δ_l‖_F² ‖∂a_{l-1}/∂x‖_F²,   ∂a_0/∂x = 1.

    It is exact. Products are in the dtype of the weights, and each weight is divided by its gain
    ‖W‖_F / √fan_in, multiplied back in float64, so that no scale makes squares over- or underflow.
    In float32 it is right to 1e-6 or better, but for points so near the border of a linear region
    that rounding takes the one beyond.

    **Estimate**, for tanh, whose δ_l depends on x, and for every module. For random signs v and u
    (u is 1 unless outputs are kept apart)

        ‖∂²(Cf)/∂θ∂x‖_F² = E ‖∂/∂θ (∂(uᵀCf)/∂x · v)‖²

    since E vvᵀ and E uuᵀ are identities; its mean over ``probes`` draws is unbiased, and its root
    is too small by an eighth of the square's relative variance. Draws are fresh for every point and
    the same for every network.

    Args:
        networks: A stack of R networks, or a ``torch.nn.Module`` that maps inputs to logits, taken
            in eval mode. Its points must not influence each other; θ is all its parameters, those
            that ask for no gradient included.
        inputs: N points, in the dtype of the weights.
        generator: Where probes come from. The closed form needs none.
        reduction: "sum" of the logits, as the author computes it; "full" for the tensor of all
            logits; or the number of one logit.
        probes: Draws of the estimate. The closed form has none.

    Returns:
        R × N norms, in logits per units of input and weight; NaN where logits are not finite.

    Raises:
        InputError: If the reduction is unknown, or an estimate has no generator or no probes.
    """  # noqa: DOC502
    # ASSUME: 32 probes where the sensitivity is estimated. The source leaves such networks open.
    outputs = chosen_outputs(reduction, logits_of(networks, inputs[:1])[0])
    if is_estimated(networks, generator, probes):
        return probed_mixed_derivative_norm(networks, inputs, outputs, generator, probes=probes)
    return sensitivity_of_layers(networks, inputs, outputs).norm(dim=-1)


def is_estimated(networks: Networks, generator: Generator | None, probes: int) -> bool:
    """Whether there is no closed form, so that probes are drawn.

    Raises:
        InputError: If so, but there is no generator or there are no probes.
    """
    if not isinstance(networks, nn.Module) and networks.phi.piecewise_linear:
        return False
    if generator is None:
        raise InputError("generator must be given for tanh and for modules, not None.")
    if probes < 1:
        raise InputError(f"probes must be at least 1, not {probes!r}.")
    return True


def sensitivity_of_layers(
    networks: FullyConnectedNetworks,
    inputs: Float[Tensor, "samples *features"],
    outputs: Float[Tensor, "rows classes"],
) -> Float64[Tensor, "networks samples layers"]:
    """‖∂²(Cf)/∂W_l∂x‖_F of every layer, by the closed form of ``tangent_sensitivity``.

    Args:
        networks: R networks with a piecewise-linear activation.
        inputs: N points, in the dtype of the weights.
        outputs: The matrix C.

    Returns:
        One norm per network, point and layer; NaN where logits are not finite.
    """
    chunks = inputs.split(SAMPLES_PER_CHUNK)
    return torch.stack([
        torch.cat([_closed_form(network, chunk, outputs) for chunk in chunks], dim=1)[0]
        for network in networks
    ])


def chosen_outputs(
    reduction: str | int, logits: Float[Tensor, "samples classes"]
) -> Float[Tensor, "rows classes"]:
    """The matrix C: what is differentiated is Cf.

    Args:
        reduction: "sum", "full" or the number of a logit.
        logits: Some, which tell how many there are, and their dtype.

    Raises:
        InputError: If the reduction is unknown.
    """
    classes = logits.shape[1]
    identity = torch.eye(classes, dtype=logits.dtype, device=logits.device)
    if reduction == "sum":
        return identity.sum(0, keepdim=True)
    if reduction == "full":
        return identity
    if type(reduction) is int and 0 <= reduction < classes:
        return identity[[reduction]]
    raise InputError(
        f"reduction must be 'sum', 'full' or a logit from 0 to {classes - 1}, not {reduction!r}."
    )


def _closed_form(
    network: FullyConnectedNetworks,
    inputs: Float[Tensor, "samples *features"],
    outputs: Float[Tensor, "rows classes"],
) -> Float64[Tensor, "1 samples layers"]:
    """Norms of a stack of one, for a chunk of points."""
    logits, slopes = logits_and_slopes(network, inputs.flatten(1))
    gains = torch.stack([_gain(weight) for weight in network.weights], dim=-1)
    weights = [
        (weight / gain[:, None, None]).to(weight.dtype)
        for weight, gain in zip(network.weights, gains.unbind(-1), strict=True)
    ]
    at_input = gains.new_full((*logits.shape[:2], 1), network.widths[0] ** 0.5)
    below = [at_input, hidden_jacobian_norms(weights[:-1], slopes)] if slopes else [at_input]
    above = _cotangent_norms(weights, slopes, outputs.expand(*logits.shape[:2], -1, -1))
    others = gains.prod(dim=-1, keepdim=True) / gains
    norms = above * torch.cat(below, dim=-1) * others.unsqueeze(1)
    return norms.where(logits.isfinite().all(dim=-1, keepdim=True), torch.nan)


def _gain(weight: Float[Tensor, "networks fan_out fan_in"]) -> Float64[Tensor, "networks"]:
    """What a layer multiplies the norm of a random vector by; 1 if that is 0."""
    gain = weight.double().norm(dim=(1, 2)) / weight.shape[2] ** 0.5
    return gain.where(gain > 0, 1.0)


def _cotangent_norms(
    weights: Sequence[Tensor],
    slopes: Sequence[Tensor],
    rows: Float[Tensor, "networks samples rows classes"],
) -> Float64[Tensor, "networks samples layers"]:
    """‖C ∂f/∂z_l‖_F of every layer."""
    norms = [rows.flatten(2).norm(dim=-1)]
    for weight, slope in zip(reversed(weights[1:]), reversed(slopes), strict=True):
        pulled = torch.bmm(rows.flatten(1, 2), weight).unflatten(1, rows.shape[1:3])
        rows = pulled.mul_(slope.unsqueeze(2))
        norms.append(rows.flatten(2).norm(dim=-1))
    return torch.stack(norms[::-1], dim=-1).double()

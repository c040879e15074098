"""Norm of the mean over inputs of the derivative of the parameter gradient by the input."""

from collections.abc import Sequence

import torch
from jaxtyping import Float64
from torch import Generator, Tensor
from torch.nn import Module

from generalization.derivatives.input_jacobian import logits_and_slopes
from generalization.derivatives.mean_mixed_derivative import probed_mean_mixed_derivative_norm
from generalization.derivatives.preactivation_jacobians import (
    preactivation_jacobians,
    without_features,
)
from generalization.devices import items_at_once
from generalization.measures.tangent_sensitivity import chosen_outputs, is_estimated
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.modules import Networks, logits_of
from generalization.networks.reading import reads_networks
from generalization.networks.sequences import sequence_of
from generalization.randomness import same_draws
from generalization.samples import Inputs


@reads_networks
@torch.no_grad()
def mean_tangent_sensitivity(
    trained_networks: Networks,
    inputs: Inputs,
    generator: Generator | None = None,
    *,
    reduction: str | int = "sum",
    probes: int = 32,
) -> Float64[Tensor, "networks"]:
    """Norm ‖E_x ∂²f/∂θ∂x‖_F, θ all parameters (Daróczy 2020, definition 3.1 and Eq. 3).

    The paper defines Sens as a mean over inputs but reports the mean of norms, which is
    ``tangent_sensitivity``. The latter is an upper bound on this norm of the mean; the two are
    equal if all inputs lie in one activation region (Lemma 3.3), as for a linear network. Both are
    of the same parameters θ.

    **Closed form**, for stacks with a piecewise-linear activation. The block of layer l is
    δ_l ⊗ A_{l-1} with δ_l = ∂(Cf)/∂z_l and A_l = ∂a_l/∂x, hence

        ‖E_x ∂²(Cf)/∂θ∂x‖_F² = Σ_l mean_{x,x'} ⟨δ_l(x), δ_l(x')⟩ ⟨A_{l-1}(x), A_{l-1}(x')⟩.

    If W_1ᵀ = Q R, then Rᵀ may replace W_1 in A_l. Its columns are processed in blocks, so that
    memory is N² numbers per layer plus a constant; the cost grows as N². The computation is in
    float64, since the terms of the mean have both signs.

    **Estimate**, for tanh and for all modules, see ``probed_mean_mixed_derivative_norm``. A stack
    with normalizations is converted to modules, since folding changes its parameters.

    Args:
        trained_networks: A stack of R networks, or a ``torch.nn.Module`` that maps inputs to
            logits, in eval mode. Its samples must not interact.
        generator: Source of the probes; unused by the closed form.

    Returns:
        R norms, in logits per unit of input and unit of weight; NaN where logits are not finite.

    Raises:
        InputError: If the reduction is unknown, or an estimate has no generator or no probes.
    """  # noqa: DOC502
    # ASSUME: the mean is over 200 test inputs, since the cost grows with the pairs of inputs; 32
    # probes, as for the tangent sensitivity.
    networks, settings = trained_networks, {"reduction": reduction, "probes": probes}
    if not isinstance(networks, Module) and networks.normalizations:
        return torch.cat([
            mean_tangent_sensitivity(sequence_of(network), inputs, drawn, **settings)
            for network, drawn in zip(networks, same_draws(generator, len(networks)), strict=True)
        ])
    outputs = chosen_outputs(reduction, logits_of(networks, inputs[:1])[0])
    if is_estimated(networks, generator, probes):
        return probed_mean_mixed_derivative_norm(
            networks, inputs, outputs, generator, probes=probes
        )
    stack, inputs, outputs = networks.to(torch.float64), inputs.double(), outputs.double()
    return torch.stack([_closed_form(network, inputs, outputs) for network in stack])


def _closed_form(
    network: FullyConnectedNetworks,
    inputs: Float64[Tensor, "samples *features"],
    outputs: Float64[Tensor, "rows classes"],
) -> Float64[Tensor, ""]:
    """Return the norm for a stack of one."""
    logits, slopes = logits_and_slopes(network, inputs.flatten(1))
    weights, slopes = [w[0] for w in network.weights], [slope[0] for slope in slopes]
    above = _products_above(weights, slopes, outputs.expand(len(inputs), -1, -1))
    below = [inputs.new_tensor(network.widths[0]), *_products_below(weights[:-1], slopes)]
    mean = sum((one * other).mean() for one, other in zip(above, below, strict=True))
    # Rounding may make a mean of 0 negative.
    return mean.clamp_min(0).sqrt().where(logits.isfinite().all(), torch.nan)


def _products_above(
    weights: Sequence[Tensor], slopes: Sequence[Tensor], rows: Float64[Tensor, "samples rows _"]
) -> list[Float64[Tensor, "samples samples"]]:
    """Return the products ⟨∂(Cf)/∂z_l(x), ∂(Cf)/∂z_l(x')⟩ of every layer."""
    products = [_products(rows)]
    for weight, slope in zip(reversed(weights[1:]), reversed(slopes), strict=True):
        rows = (rows @ weight) * slope.unsqueeze(1)
        products.append(_products(rows))
    return products[::-1]


def _products_below(
    weights: Sequence[Tensor], slopes: Sequence[Tensor]
) -> list[Float64[Tensor, "samples samples"]]:
    """Return the products ⟨∂a_l/∂x(x), ∂a_l/∂x(x')⟩ of every hidden layer."""
    if not slopes:
        return []
    numbers_per_column = len(slopes[0]) * max(len(weight) for weight in weights)
    columns = items_at_once("jacobian_columns", 8 * numbers_per_column, slopes[0].device)
    totals = [0] * len(slopes)
    for first in without_features(weights[0]).split(columns, dim=1):
        jacobians = preactivation_jacobians(first, weights[1:], slopes)
        for layer, (slope, jacobian) in enumerate(zip(slopes, jacobians, strict=True)):
            of_activations = jacobian * slope.mT.unsqueeze(2)
            totals[layer] = totals[layer] + _products(of_activations.movedim(1, 0))
    return totals


def _products(matrices: Float64[Tensor, "samples _ _"]) -> Float64[Tensor, "samples samples"]:
    """Return the inner products of all pairs of matrices."""
    flat = matrices.flatten(1)
    return flat @ flat.mT

"""Tangent sensitivity: norm of the derivative of the parameter gradient by the input."""

import torch
from jaxtyping import Float, Float64
from torch import Generator, Tensor, nn

from generalization.derivatives.layer_sensitivities import sensitivity_of_layers
from generalization.derivatives.mixed_derivative import probed_mixed_derivative_norm
from generalization.derivatives.module_mixed_derivative import module_mixed_derivative_norm
from generalization.errors import InputError
from generalization.networks.differentiability import needs_logits
from generalization.networks.linearized_layers import (
    is_sequence_of_known_layers,
)
from generalization.networks.modules import Networks, logits_of, refuse_statistics_of_batches
from generalization.networks.reading import reads_networks
from generalization.networks.sequences import sequence_of
from generalization.randomness import same_draws
from generalization.samples import Inputs


@reads_networks
@torch.no_grad()
def tangent_sensitivity(
    trained_networks: Networks,
    inputs: Inputs,
    generator: Generator | None = None,
    *,
    reduction: str | int = "sum",
    probes: int = 32,
) -> Float64[Tensor, "networks samples"]:
    """Norm ‖∂²f/∂θ∂x‖_F at every input, θ all parameters (Daróczy 2020, definition 3.1).

    The measure of a network is the mean over inputs. It depends on the parametrization:
    W_1 → cW_1, W_2 → W_2/c changes it, but not the function of a ReLU network. A weight that a
    module makes of others, as spectral normalization does, is a parameter as it is made.

    **Closed form**, for stacks with a piecewise-linear activation. Inside a linear region
    δ_l = ∂(Cf)/∂z_l does not depend on x, where the rows of C select the outputs, hence

        ∂(Cf)/∂W_l = δ_l a_{l-1}ᵀ   ⇒   ∂²(Cf)/∂W_l∂x = δ_l ⊗ ∂a_{l-1}/∂x,   ∂²(Cf)/∂b_l∂x = 0

        ‖∂²(Cf)/∂θ∂x‖_F² = Σ_l ‖δ_l‖_F² ‖∂a_{l-1}/∂x‖_F²,   ∂a_0/∂x = 1.

    It is exact, see ``sensitivity_of_layers``. In float32 it is accurate to 1e-6 or better, except
    at inputs so near the boundary of a linear region that rounding moves them across it. A module
    that is a sequence of piecewise-linear layers, including convolutions and batch normalizations,
    has a closed form too, see ``module_mixed_derivative_norm``; a stack with normalizations is
    converted to such modules.

    **Estimate**, for tanh, where δ_l depends on x, and for all other modules. For random signs v
    and u (u is 1 unless the reduction is "full")

        ‖∂²(Cf)/∂θ∂x‖_F² = E ‖∂/∂θ (∂(uᵀCf)/∂x · v)‖²

    since E vvᵀ and E uuᵀ are identities. The mean over ``probes`` draws is unbiased; its root is
    too small by an eighth of the relative variance of the square. Probes are independent between
    inputs and shared by all networks. ``estimated_tangent_sensitivity`` returns the standard error.

    Args:
        trained_networks: A stack of R networks, or a ``torch.nn.Module`` that maps inputs to
            logits, in eval mode. Its samples must not interact; θ is all its parameters, including
            those without ``requires_grad``, but no running statistics.
        generator: Source of the probes; not needed by the closed form.
        reduction: Outputs to differentiate: the "sum" of the logits, as the author computes it;
            "full" for the vector of all logits; or the index of one logit.

    Returns:
        R × N norms, in logits per unit of input and unit of weight; NaN where logits are not
        finite.

    Raises:
        InputError: If the reduction is unknown, an estimate has no generator or no probes, or a
            module normalizes by the statistics of a batch.
    """  # noqa: DOC502
    # ASSUME: 32 probes where the sensitivity is estimated; the source does not cover such networks.
    networks, settings = trained_networks, {"reduction": reduction, "probes": probes}
    if not isinstance(networks, nn.Module) and networks.normalizations:
        # Folding would change the parameters.
        # Every network gets the same probes, as in a stack.
        return torch.cat([
            tangent_sensitivity(sequence_of(network), inputs, drawn, **settings)
            for network, drawn in zip(networks, same_draws(generator, len(networks)), strict=True)
        ])
    outputs = _outputs_of(networks, inputs, reduction)
    if isinstance(networks, nn.Module) and is_sequence_of_known_layers(networks):
        return module_mixed_derivative_norm(networks, inputs, outputs)
    if is_estimated(networks, generator, probes):
        return probed_mixed_derivative_norm(networks, inputs, outputs, generator, probes=probes)[0]
    return sensitivity_of_layers(networks, inputs, outputs).norm(dim=-1)


@torch.no_grad()
def estimated_tangent_sensitivity(
    networks: Networks,
    inputs: Inputs,
    generator: Generator,
    *,
    reduction: str | int = "sum",
    probes: int = 32,
) -> tuple[Float64[Tensor, "networks samples"], Float64[Tensor, "networks samples"]]:
    """Estimate ``tangent_sensitivity`` by probes, with its standard error, for any network.

    The squares s of P probes are independent, so that their mean has the standard error
    √(Σ (s − s̄)² / (P (P − 1))). For √s̄ it is divided by 2 √s̄ (delta method). Probes of different
    inputs are independent too: the standard error of a mean over N inputs is √Σ error² / N.

    Args:
        networks: A stack of R networks, or a module, as for ``tangent_sensitivity``.
        probes: Number of random probes, at least two.

    Returns:
        R × N norms and their R × N standard errors over probes, in the same units.

    Raises:
        InputError: If the reduction is unknown, there are fewer than two probes, or a module
            normalizes by the statistics of a batch.
    """
    if probes < 2:
        raise InputError(f"probes must be at least 2 for a standard error, not {probes!r}.")
    outputs = _outputs_of(networks, inputs, reduction)
    return probed_mixed_derivative_norm(networks, inputs, outputs, generator, probes=probes)


def _outputs_of(
    networks: Networks, inputs: Tensor, reduction: str | int
) -> Float[Tensor, "rows classes"]:
    """Return the matrix C for networks whose samples do not interact."""
    if isinstance(networks, nn.Module):
        refuse_statistics_of_batches(networks)
    return chosen_outputs(reduction, logits_of(networks, inputs[:1])[0])


def is_estimated(networks: Networks, generator: Generator | None, probes: int) -> bool:
    """Return whether there is no closed form, so that probes are needed.

    Raises:
        InputError: If probes are needed and there is no generator or number of probes.
    """
    if not isinstance(networks, nn.Module) and networks.phi.piecewise_linear:
        return False
    if generator is None:
        raise InputError("generator must be given where probes estimate, as for tanh, not None.")
    if probes < 1:
        raise InputError(f"probes must be at least 1, not {probes!r}.")
    return True


def chosen_outputs(
    reduction: str | int, logits: Float[Tensor, "samples classes"]
) -> Float[Tensor, "rows classes"]:
    """Return the matrix C of the outputs Cf to differentiate.

    Args:
        logits: Any logits of the networks, which set the number of classes and the dtype.

    Raises:
        InputError: If the reduction is unknown.
    """
    needs_logits()
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

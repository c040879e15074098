"""Tangent sensitivity that is invariant to rescaling layers against each other."""

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from generalization.derivatives.layer_sensitivities import sensitivity_of_layers
from generalization.derivatives.module_mixed_derivative import sensitivity_of_module_layers
from generalization.errors import warn_of_no_value
from generalization.measures.tangent_sensitivity import chosen_outputs
from generalization.networks.linearized_layers import (
    flat_layers,
    having_parameters,
    is_sequence_of_known_layers,
)
from generalization.networks.modules import (
    Networks,
    kind_of,
    logits_of,
    number_of_networks,
    refuse_statistics_of_batches,
)
from generalization.networks.reading import reads_weights
from generalization.refusals import with_article
from generalization.samples import Inputs


@reads_weights
@torch.no_grad()
def balanced_tangent_sensitivity(
    networks: Networks, inputs: Inputs, *, reduction: str | int = "sum"
) -> Float64[Tensor, "networks samples"]:
    """Tangent sensitivity √Σ_l ‖∂²f/∂W_l∂x‖_F² ‖W_l‖_F² to relative changes, at every point.

    This is ``tangent_sensitivity`` (Daróczy 2020, definition 3.1) with weights in units of the norm
    of their layer, W_l / ‖W_l‖_F. W_1 → cW_1, W_2 → W_2/c does not change the function of a
    bias-free ReLU network; it divides ‖∂²f/∂W_1∂x‖ by c and multiplies ‖W_1‖ by c, so that the
    terms of this sum do not change either. Biases do not contribute.

    Args:
        networks: A stack of R networks, or a module (R = 1), in eval mode. Normalizations of a
            stack are folded into the weights before they are balanced; those of a module are
            layers, whose scales are weights.

    Returns:
        R × N norms, in logits per unit of input; NaN where logits are not finite. Tanh networks and
        modules that are not a sequence of piecewise-linear layers have no closed form, hence NaN
        and, for a module, a warning.

    Raises:
        InputError: If the reduction is unknown, or a module normalizes by the statistics of a
            batch.
    """  # noqa: DOC502
    # ASSUME: the paper notes that layers can be rescaled but does not make its measure invariant;
    # here each layer is weighted by the Frobenius norm of its weights, which keeps a closed form.
    if isinstance(networks, nn.Module):
        refuse_statistics_of_batches(networks)
    if not _has_closed_form(networks):
        of_module = isinstance(networks, nn.Module)
        found = with_article(kind_of(networks)) if of_module else networks.activation
        warn_of_no_value(
            f"needs piecewise linear activations in a sequence of known layers, not {found}"
        )
        shape = number_of_networks(networks), len(inputs)
        return torch.full(shape, torch.nan, dtype=torch.float64, device=inputs.device)
    outputs = chosen_outputs(reduction, logits_of(networks, inputs[:1])[0])
    if isinstance(networks, nn.Module):
        layers = having_parameters(flat_layers(networks)).values()
        norms = torch.stack([layer.weight.double().norm() for layer in layers])
        return (sensitivity_of_module_layers(networks, inputs, outputs) * norms).norm(dim=-1)
    norms = torch.stack([weight.double().norm(dim=(1, 2)) for weight in networks.weights], dim=-1)
    return (sensitivity_of_layers(networks, inputs, outputs) * norms.unsqueeze(1)).norm(dim=-1)


def _has_closed_form(networks: Networks) -> bool:
    """Return whether the norm is a product over layers."""
    if isinstance(networks, nn.Module):
        return is_sequence_of_known_layers(networks)
    return networks.phi.piecewise_linear

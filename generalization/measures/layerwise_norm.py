"""Bounds on the tangent sensitivity as measures of a network (Daróczy 2020, Eqs 1 and 2)."""

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from generalization.derivatives.path_bounds import log_bounds
from generalization.errors import InputError, warn_of_no_value
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.reading import reads_stacks
from generalization.regions.active_units import active_units
from generalization.samples import Inputs


@reads_stacks
def layerwise_norm(networks: FullyConnectedNetworks) -> Float64[Tensor, "networks"]:
    """Logarithm Σ_l ln max |W_l| of the layer-wise norm of Eqs 1 and 5.

    Among networks of one architecture, only this part of the bound of Theorem 3.1 varies.

    Source: Daróczy 2020, Eqs 1 and 5.

    Returns:
        R natural logarithms, in float64.
    """
    return _log_maxima(networks).sum(-1)


@reads_stacks
def theorem_3_1_bound(
    networks: FullyConnectedNetworks, inputs: Inputs
) -> Float64[Tensor, "networks"]:
    """Logarithm of the bound of Theorem 3.1 as published (Eq. 1), see ``path_bounds.theorem_3_1``.

    All bounds are on the tangent sensitivity of the sum of the logits, which the author
    differentiates. This bound is independent of the inputs.

    Source: Daróczy 2020, Theorem 3.1, Eq. 1.

    Returns:
        R natural logarithms; NaN without hidden layers, and for tanh, which has no linear regions.
    """
    return _bound("theorem_3_1", networks, inputs)


@reads_stacks
def layerwise_bound(
    networks: FullyConnectedNetworks, inputs: Inputs
) -> Float64[Tensor, "networks"]:
    """Logarithm of the corrected bound of Theorem 3.1, see ``path_bounds.layerwise``.

    All units are counted. Arguments and results are those of ``theorem_3_1_bound``.

    Source: this project's own correction of Daróczy 2020, Theorem 3.1, whose product has one
    factor too many.
    """
    return _bound("layerwise", networks, inputs)


@reads_stacks
def layerwise_active_bound(
    networks: FullyConnectedNetworks, inputs: Inputs
) -> Float64[Tensor, "networks"]:
    """Logarithm of ``layerwise_bound`` with only the active units counted, averaged over inputs.

    Arguments and results are those of ``theorem_3_1_bound``.

    Source: this project's own variant of the corrected bound of Daróczy 2020, Theorem 3.1, for
    comparison with that of Theorem 3.2, which counts active units.
    """
    return _bound("layerwise_active", networks, inputs)


@reads_stacks
def theorem_3_2_bound(
    networks: FullyConnectedNetworks, inputs: Inputs
) -> Float64[Tensor, "networks"]:
    """Logarithm of the bound of Theorem 3.2 (Eq. 2), see ``path_bounds.theorem_3_2``.

    The number of active units at an input is approximated as normal. Arguments and results are
    those of ``theorem_3_1_bound``.

    Source: Daróczy 2020, Theorem 3.2, Eq. 2.
    """
    return _bound("theorem_3_2", networks, inputs)


def _bound(name: str, networks: FullyConnectedNetworks, inputs: Tensor) -> Tensor:
    """Return the logarithm of one bound for the sum of logits."""
    maxima = _log_maxima(networks)
    if not networks.phi.piecewise_linear or networks.depth == 1:
        warn_of_no_value("needs piecewise linear activations and a hidden layer")
        return torch.full_like(maxima[:, 0], torch.nan)
    units = active_units(networks, inputs).double()
    found = log_bounds(networks.widths, units, maxima, reduction="sum")[name]
    return found.where(maxima.isfinite().all(-1), torch.nan)


@torch.no_grad()
def _log_maxima(networks: FullyConnectedNetworks) -> Float64[Tensor, "networks layers"]:
    """Return the logarithms ln max |W_l| of all layers.

    Raises:
        InputError: If networks is a module, whose layers are unknown.
    """
    if isinstance(networks, nn.Module):
        raise InputError(
            "networks must be a stack of fully connected networks, whose layers can be bounded, "
            f"not {type(networks).__name__}."
        )
    maxima = [weight.abs().amax(dim=(1, 2)).double() for weight in networks.weights]
    return torch.stack(maxima, dim=-1).log()

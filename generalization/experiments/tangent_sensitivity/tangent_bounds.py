"""Bounds of the tangent sensitivity beside its value."""

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from generalization.derivatives.path_bounds import log_bounds
from generalization.measures.tangent_sensitivity import tangent_sensitivity
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.reading import reads_stacks
from generalization.regions.active_units import active_units

COLUMNS = [
    "network",
    "bound",
    "log_bound",
    "log_exact",
    "log_tightness",
    "log_norm",
    "active_variance",
]


@reads_stacks
def tangent_bounds(
    networks: FullyConnectedNetworks,
    inputs: Float[Tensor, "samples *features"],
    *,
    reduction: str | int = "sum",
) -> pd.DataFrame:
    """Bounds of the mean tangent sensitivity of Daróczy 2020, beside the mean itself.

    The bounds, from ``path_bounds``:

    ``layerwise``, ``layerwise_active``, ``active_paths``
        Hold for every network. The first knows widths and largest weights, and holds at all points;
        the others also know the active units at every point, and are means over points.
    ``theorem_3_1``
        As published: holds if no layer's largest weight is below 1.
    ``theorem_3_2``
        With a normal number of active units: holds for up to two hidden layers.
    ``theorem_3_2_author``
        Formula that the author computes in its place, which is of another order.

    They are for piecewise-linear activation functions and paths through hidden units: tanh, and
    networks without hidden layers, have no rows.

    Returns:
        One row per network and bound: ``network``, ``bound`` and, all natural logarithms,

        ``log_bound``
            Logarithm of the bound.
        ``log_exact``
            Logarithm of the mean over points of ‖∂²f/∂θ∂x‖_F. −∞ if no point has an active path,
            and empty if logits are not finite.
        ``log_tightness``
            log_exact − log_bound: 0 if the bound is attained, above if it does not hold.
        ``log_norm``, ``active_variance``
            Terms of the bounds, the same for all bounds of a network: the mean over layers of
            ln max |W_l|; the variance over points of the number of active units.

    Raises:
        InputError: If the reduction is unknown.
    """  # noqa: DOC502
    if not networks.phi.piecewise_linear or networks.depth == 1:
        return pd.DataFrame(columns=COLUMNS)
    exact = tangent_sensitivity(networks, inputs, reduction=reduction).mean(dim=1).log()
    units = active_units(networks, inputs).double()
    maxima = [weight.abs().amax(dim=(1, 2)).double() for weight in networks.weights]
    log_maxima = torch.stack(maxima, dim=-1).log()
    bounds = log_bounds(networks.widths, units, log_maxima, reduction=reduction)
    log_bound = torch.stack(list(bounds.values()), dim=1)
    columns = {
        "log_bound": log_bound,
        "log_exact": exact.unsqueeze(1),
        "log_tightness": exact.unsqueeze(1) - log_bound,
        "log_norm": log_maxima.mean(dim=1, keepdim=True),
        "active_variance": units.sum(dim=2).var(dim=1, correction=0).unsqueeze(1),
    }
    members = torch.arange(len(networks)).repeat_interleave(len(bounds))
    return pd.DataFrame(
        {"network": members.numpy(), "bound": list(bounds) * len(networks)}
        | {
            name: values.expand_as(log_bound).flatten().cpu().numpy()
            for name, values in columns.items()
        }
    )

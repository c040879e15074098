"""Class selectivity of units."""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor
from torch.nn.functional import one_hot


def class_selectivities(
    activations: Float[Tensor, "*batch samples units"], labels: Int64[Tensor, "samples"]
) -> Float64[Tensor, "*batch units"]:
    """Return (μ_max − μ_−max) / (μ_max + μ_−max) of every unit (Morcos et al. 2018).

    μ_max is the largest class-conditional mean activation of a unit, μ_−max the mean of those of
    all other classes. The selectivity is 0 if the unit does not distinguish classes or is never
    active, and 1 if only one class activates it. It is invariant to scaling activations, but not to
    adding a constant.

    Args:
        activations: Activations, averaged over positions for feature maps.
        labels: Classes; those without samples are omitted.

    Returns:
        One number per unit, from 0 to 1; NaN for units with negative activations, for which the
        quotient means nothing.
    """
    members = one_hot(labels).T.double()
    members = members[members.any(1)]
    means = (members / members.sum(1, keepdim=True)) @ activations.double()
    largest = means.amax(-2)
    others = (means.sum(-2) - largest) / max(len(members) - 1, 1)
    total = largest + others
    selectivity = torch.where(total > 0, (largest - others) / total, 0.0)
    return selectivity.where((activations >= 0).all(-2), torch.nan)

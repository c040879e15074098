"""Class selectivity of units."""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor
from torch.nn.functional import one_hot


def class_selectivities(
    activations: Float[Tensor, "*batch samples units"], labels: Int64[Tensor, "samples"]
) -> Float64[Tensor, "*batch units"]:
    """(μ_max − μ_−max) / (μ_max + μ_−max) of every unit (Morcos et al. 2018).

    μ_max is the largest of the unit's means over the samples of a class, μ_−max the mean of such
    means over all other classes. 0 if the unit does not tell classes apart, or is never active; 1
    if only one class activates it. A factor changes nothing; a constant added does.

    Args:
        activations: Of feature maps, means over positions.
        labels: Classes. Those without samples are left out.

    Returns:
        One number per unit, from 0 to 1; NaN of a unit that has negative activations, for which the
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

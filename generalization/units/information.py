"""Mutual information between a unit and the class."""

from math import log

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor
from torch.nn.functional import one_hot


def class_information(
    activations: Float[Tensor, "samples units"],
    labels: Int64[Tensor, "*permutations samples"],
    *,
    bins: int,
    corrected: bool = True,
) -> Float64[Tensor, "*permutations units"]:
    """Mutual information of every unit's activation and the class, in bits (Morcos et al. 2018).

    Activations are put into bins, and I = Σ p(x, y) log₂ [p(x, y) / (p(x) p(y))] with frequencies
    for probabilities. It is too large by about (B − 1)(K − 1) / (2N) nats for B bins and K classes
    that occur, which is subtracted (Miller 1955). So of a unit that tells nothing the mean is 0.

    Args:
        activations: Of N samples; of feature maps, means over positions.
        labels: Classes; also several orders of them, for what would be found by chance.
        bins: Number of quantiles that bound the bins.
        corrected: Whether the bias is subtracted.

    Returns:
        One number per unit, and per order of labels.
    """
    bin_of = quantile_bins(activations, bins)
    classes = one_hot(labels).double()
    samples = len(activations)
    information, occupied = 0.0, 0.0
    for number in range(bins):
        inside = (bin_of == number).double()
        joint = classes.mT @ inside / samples
        share, of_class = inside.mean(0), classes.mean(-2).unsqueeze(-1)
        terms = torch.xlogy(joint, joint) - torch.xlogy(joint, share * of_class)
        information = information + terms.sum(-2)
        occupied = occupied + (share > 0).double()
    present = classes.any(-2).sum(-1, keepdim=True)
    bias = (occupied - 1) * (present - 1) / (2 * samples) if corrected else 0.0
    return (information - bias) / log(2)


def quantile_bins(
    activations: Float[Tensor, "samples units"], bins: int
) -> Int64[Tensor, "samples units"]:
    """Number of the bin of every activation: how many of the bounds it exceeds.

    Bounds are the largest of every N / B-th part of the unit's activations. Equal values, as the
    zeros of a rectified unit, share a bin, and some bins are then empty.

    Args:
        activations: Of N samples.
        bins: B.
    """
    # ASSUME: each unit has bins of its own, between its quantiles; how the paper bins is not known.
    ordered = activations.sort(0).values
    places = torch.arange(1, bins, device=activations.device) * len(activations) // bins
    bounds = ordered[(places - 1).clamp_min(0)].mT.contiguous()
    return torch.searchsorted(bounds, activations.mT.contiguous()).mT

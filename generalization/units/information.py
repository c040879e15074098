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
    """Estimate the mutual information of each unit and the class, in bits (Morcos et al. 2018).

    Activations are binned, and I = Σ p(x, y) log₂ [p(x, y) / (p(x) p(y))] is computed from relative
    frequencies. Its bias, about (B − 1)(K − 1) / (2N) nats for B bins and K classes that occur, is
    subtracted (Miller 1955), so that uninformative units have mean 0.

    Args:
        activations: Activations of N samples, averaged over positions for feature maps.
        labels: Classes, or several permutations of them for the chance level.
        bins: Number of quantile bins.
        corrected: Whether to subtract the bias.

    Returns:
        One number per unit, and per permutation of labels.
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
    """Return the index of the quantile bin of every activation: the number of bounds it exceeds.

    The bounds of a unit divide its sorted activations into B equal parts. Equal values, such as the
    zeros of a ReLU unit, share a bin, and some bins are then empty.

    Args:
        activations: Activations of N samples.
        bins: Number B of bins.
    """
    # ASSUME: each unit has its own quantile bins; the paper does not state its binning.
    ordered = activations.sort(0).values
    indices = torch.arange(1, bins, device=activations.device) * len(activations) // bins
    bounds = ordered[(indices - 1).clamp_min(0)].mT.contiguous()
    return torch.searchsorted(bounds, activations.mT.contiguous()).mT

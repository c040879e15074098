"""Stiffness: alignment of the loss gradients of pairs of training samples.

Gradients are those of ``gradient_norm``, with the same invariances; stiffness is also invariant to
scaling the loss. Samples with zero gradient are omitted. Values are NaN if there are no pairs.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float64, Shaped
from torch import Tensor
from torch.nn.functional import one_hot

from generalization.derivatives.gradient_gram import loss_grams
from generalization.networks.modules import Networks
from generalization.networks.reading import reads_networks
from generalization.networks.sharing import once
from generalization.samples import TrainInputs, TrainLabels, first_samples


@reads_networks
def stiffness(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Mean cosine between the gradients of two different training samples (Fort et al. 2019).

    Returns:
        R numbers from −1 to 1.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    return once(_mean_cosines, networks, *first).all_pairs


@reads_networks
def sign_stiffness(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Mean sign of the inner product of the gradients of two different samples (Fort et al. 2019).

    Arguments and results are those of ``stiffness``.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    return once(_mean_cosines, networks, *first).signs


@reads_networks
def within_class_stiffness(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Mean cosine between the gradients of two different samples of one class (Fort et al. 2019).

    Arguments and results are those of ``stiffness``.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    return once(_mean_cosines, networks, *first).within_classes


class MeanCosines(NamedTuple):
    """Cosine between gradients, averaged over pairs, all or of one class, and its mean sign."""

    all_pairs: Float64[Tensor, "networks"]
    within_classes: Float64[Tensor, "networks"]
    signs: Float64[Tensor, "networks"]


def _mean_cosines(networks: Networks, inputs: Tensor, labels: Tensor) -> MeanCosines:
    """Average over the pairs of one Gram matrix, which is modified in place."""
    found = []
    for gram in loss_grams(networks, inputs, labels):
        diagonals = gram.diagonal(dim1=1, dim2=2)
        there = diagonals > 0
        inverse = diagonals.rsqrt().where(there, 0.0)
        diagonals.zero_()
        cosines = gram.mul_(inverse.unsqueeze(1)).mul_(inverse.unsqueeze(2))
        everyone, classes = there.unsqueeze(2), there.unsqueeze(2) * one_hot(labels)
        of_pairs = [_mean_over_pairs(cosines, groups) for groups in (everyone, classes)]
        found.append([*of_pairs, _mean_over_pairs(cosines.sign_(), everyone)])
    return MeanCosines(*(torch.cat(of_networks) for of_networks in zip(*found, strict=True)))


def _mean_over_pairs(
    values: Float64[Tensor, "networks samples samples"],
    groups: Shaped[Tensor, "networks samples groups"],
) -> Float64[Tensor, "networks"]:
    """Average values over pairs of different samples of the same group; NaN if there are none.

    Args:
        values: One value per pair of samples, 0 on the diagonal.
        groups: 1 where a sample belongs to a group, else 0.
    """
    groups = groups.double()
    sizes = groups.sum(1)
    pairs = (sizes * (sizes - 1)).sum(1)
    return (torch.bmm(values, groups) * groups).sum((1, 2)) / pairs

"""Stiffness: alignment of the loss gradients of pairs of training samples.

Gradients are those of ``gradient_norm``, with the same invariances; stiffness is also invariant to
scaling the loss. Samples with zero gradient are omitted. Values are NaN if there are no pairs.
"""

import torch
from jaxtyping import Float64, Shaped
from torch import Tensor
from torch.nn.functional import one_hot

from generalization.derivatives.gradient_gram import loss_grams
from generalization.networks.modules import Networks
from generalization.networks.reading import reads_networks
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
    inputs, labels = first_samples(train_samples, train_inputs, train_labels)
    return _mean_cosine(networks, inputs, labels)


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
    inputs, labels = first_samples(train_samples, train_inputs, train_labels)
    return _mean_cosine(networks, inputs, labels, signs=True)


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
    inputs, labels = first_samples(train_samples, train_inputs, train_labels)
    return _mean_cosine(networks, inputs, labels, within=True)


def _mean_cosine(
    networks: Networks, inputs: Tensor, labels: Tensor, *, signs: bool = False, within: bool = False
) -> Float64[Tensor, "networks"]:
    """Average the cosine between gradients, or its sign, over all pairs or pairs of one class."""
    found = []
    for gram in loss_grams(networks, inputs, labels):
        diagonals = gram.diagonal(dim1=1, dim2=2)
        there = diagonals > 0
        inverse = diagonals.rsqrt().where(there, 0.0)
        diagonals.zero_()
        cosines = gram.mul_(inverse.unsqueeze(1)).mul_(inverse.unsqueeze(2))
        groups = there.unsqueeze(2) * (one_hot(labels) if within else 1)
        found.append(_mean_over_pairs(cosines.sign_() if signs else cosines, groups))
    return torch.cat(found)


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

"""Stiffness and disparity: alignment and distances of the loss gradients of training samples.

Gradients are those of ``gradient_norm``, with the same invariances; stiffness is also invariant to
scaling the loss. Samples with zero gradient are omitted from it. Values are NaN if there are no
pairs. All are computed from one Gram matrix.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float64, Shaped
from torch import Tensor
from torch.nn.functional import one_hot

from generalization.derivatives.gradient_gram import loss_grams
from generalization.networks.modules import Networks
from generalization.networks.reading import reads_weights
from generalization.networks.sharing import once
from generalization.samples import TrainInputs, TrainLabels, first_samples

BATCH_SIZE = 100  # of gradients whose means are compared, unless told otherwise


@reads_weights
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
    return once(_of_pairs, networks, *first, BATCH_SIZE).all_pairs


@reads_weights
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
    return once(_of_pairs, networks, *first, BATCH_SIZE).signs


@reads_weights
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
    return once(_of_pairs, networks, *first, BATCH_SIZE).within_classes


@reads_weights
def gradient_disparity(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
    batch_size: int = BATCH_SIZE,
) -> Float64[Tensor, "networks"]:
    """Mean distance ‖ḡ_S − ḡ_T‖₂ between the gradients of batches (Forouzesh & Thiran 2021).

    Batches are consecutive training samples; an incomplete last batch is omitted.

    Args:
        batch_size: Number of samples per batch; half of the samples if there are fewer than two
            batches.

    Returns:
        R distances, in nats per unit of the parameters.
    """
    # ASSUME: batches of 100 samples; the source uses the batches of training.
    first = first_samples(train_samples, train_inputs, train_labels)
    return once(_of_pairs, networks, *first, batch_size).disparity


class OfPairs(NamedTuple):
    """Mean cosine of two gradients, of all or of one class; its mean sign; mean distance."""

    all_pairs: Float64[Tensor, "networks"]
    within_classes: Float64[Tensor, "networks"]
    signs: Float64[Tensor, "networks"]
    disparity: Float64[Tensor, "networks"]


def _of_pairs(networks: Networks, inputs: Tensor, labels: Tensor, batch_size: int) -> OfPairs:
    """Average over the pairs of one Gram matrix, which is modified in place."""
    found = []
    for gram in loss_grams(networks, inputs, labels):
        disparity = _disparity(gram, batch_size)
        diagonals = gram.diagonal(dim1=1, dim2=2)
        there = diagonals > 0
        inverse = diagonals.rsqrt().where(there, 0.0)
        diagonals.zero_()
        cosines = gram.mul_(inverse.unsqueeze(1)).mul_(inverse.unsqueeze(2))
        everyone, classes = there.unsqueeze(2), there.unsqueeze(2) * one_hot(labels)
        of_pairs = [_mean_over_pairs(cosines, groups) for groups in (everyone, classes)]
        found.append([*of_pairs, _mean_over_pairs(cosines.sign_(), everyone), disparity])
    return OfPairs(*(torch.cat(of_networks) for of_networks in zip(*found, strict=True)))


def _disparity(
    gram: Float64[Tensor, "networks samples samples"], batch_size: int
) -> Float64[Tensor, "networks"]:
    """Average the distances between the mean gradients of batches; NaN of a single sample."""
    samples = gram.shape[1]
    if samples < 2:
        return gram.new_full(gram.shape[:1], torch.nan)
    size = min(batch_size, samples // 2)
    batches = samples // size
    used = gram[:, : batches * size, : batches * size]
    of_batches = used.unflatten(2, (batches, size)).unflatten(1, (batches, size)).mean((2, 4))
    squares = of_batches.diagonal(dim1=1, dim2=2)
    distances = squares.unsqueeze(1) + squares.unsqueeze(2) - 2 * of_batches
    first, second = torch.triu_indices(batches, batches, 1)
    return distances[:, first, second].clamp_min(0).sqrt().mean(1)


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

"""Batch normalization during training, without autograd: forward and backward pass of a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from generalization.networks.batch_normalization import EPSILON, BatchNormalization

aten = torch.ops.aten

MOMENTUM = 0.1  # Weight of a batch in running means and variances, as in torch.nn.BatchNorm1d.


@dataclass(frozen=True)
class Normalized:
    """Values of the forward pass that the backward pass needs, allocated once.

    Attributes:
        preactivations: Preactivations before normalization, (networks, units, samples).
        mean: Mean of every unit of every network over the batch.
        inverse_deviation: 1 / √(biased variance + ε) of every unit of every network.
    """

    preactivations: Tensor
    mean: Tensor
    inverse_deviation: Tensor

    @classmethod
    def like(cls, preactivations: Tensor) -> Normalized:
        """Allocate memory for preactivations of this shape."""
        units = preactivations.flatten(0, 1)[:, 0]
        return cls(*map(torch.empty_like, (preactivations, units, units)))


def normalize(
    normalization: BatchNormalization, preactivations: Tensor, remembered: Normalized
) -> None:
    """Replace z by γ ẑ + β, where ẑ has mean 0 and variance 1 over the batch; update statistics.

    Every unit of every network is one channel for torch, so that a stack is normalized at once.

    Args:
        normalization: Normalization, whose running means and variances are updated.
        preactivations: Preactivations, (networks, units, samples), changed in place.
        remembered: Memory for the values that ``normalization_gradients`` needs.
    """
    remembered.preactivations.copy_(preactivations)
    torch.native_batch_norm(
        _channels(remembered.preactivations),
        *_per_channel(normalization),
        training=True,
        momentum=MOMENTUM,
        eps=EPSILON,
        out=(_channels(preactivations), remembered.mean, remembered.inverse_deviation),
    )


def normalize_by_running_statistics(
    normalization: BatchNormalization, preactivations: Tensor
) -> None:
    """Replace z in place as in eval mode, which changes neither statistics nor parameters.

    Args:
        normalization: Normalization of a frozen layer.
        preactivations: Preactivations, (networks, units, samples).
    """
    # ASSUME: a frozen layer with batch normalization is the function that is evaluated; the paper
    # on freeze training does not say whether its statistics go on.
    scale, shift, mean, variance = (part.unsqueeze(2) for part in normalization.parts)
    preactivations.sub_(mean).mul_(scale / (variance + EPSILON).sqrt()).add_(shift)


def normalization_gradients(
    normalization: BatchNormalization, gradient: Tensor, remembered: Normalized
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the gradients by preactivations, scale and shift from that by the normalized values.

    With g the gradient by γ ẑ + β and ⟨·⟩ the mean over the batch, they are
    γ (g − ⟨g⟩ − ẑ ⟨g ẑ⟩) / √(v + ε) by z, Σ g ẑ by γ and Σ g by β.
    """
    scale, _, mean, variance = _per_channel(normalization)
    below, of_scale, of_shift = aten.native_batch_norm_backward(
        _channels(gradient),
        _channels(remembered.preactivations),
        scale,
        mean,
        variance,
        remembered.mean,
        remembered.inverse_deviation,
        True,
        EPSILON,
        (True, True, True),
    )
    shape = normalization.scale.shape
    return below.view_as(gradient), of_scale.view(shape), of_shift.view(shape)


def _channels(preactivations: Tensor) -> Tensor:
    """Return a view of shape (1, networks · units, samples)."""
    return preactivations.view(1, -1, preactivations.shape[2])


def _per_channel(normalization: BatchNormalization) -> Sequence[Tensor]:
    """Return views of the parameters and running statistics, which torch updates in place."""
    return [part.view(-1) for part in normalization.parts]

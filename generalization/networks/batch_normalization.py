"""Batch normalization of one layer, for a stack of networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

EPSILON = 1e-5  # Added to the variance, as in torch.nn.BatchNorm1d.


@dataclass(frozen=True)
class BatchNormalization:
    """Parameters and running statistics of ``torch.nn.BatchNorm1d`` or ``2d`` for a stack.

    In eval mode preactivations z become γ (z − μ) / √(v + ε) + β (Ioffe & Szegedy 2015, alg. 2).

    Attributes:
        scale: Trained scale γ.
        shift: Trained shift β.
        mean: Running mean μ of z over batches.
        variance: Running unbiased variance v.
    """

    scale: Float[Tensor, "networks units"]
    shift: Float[Tensor, "networks units"]
    mean: Float[Tensor, "networks units"]
    variance: Float[Tensor, "networks units"]

    @classmethod
    def initial(cls, networks: int, units: int) -> BatchNormalization:
        """Return the normalization at initialization, the identity except for ε."""
        ones, zeros = torch.ones(networks, units), torch.zeros(networks, units)
        return cls(scale=ones, shift=zeros, mean=zeros.clone(), variance=ones.clone())

    @property
    def parts(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Scale, shift, running mean and running variance."""
        return self.scale, self.shift, self.mean, self.variance

    def fold(
        self, weight: Float[Tensor, "networks units *_"], bias: Float[Tensor, "networks units"]
    ) -> tuple[Float[Tensor, "networks units *_"], Float[Tensor, "networks units"]]:
        """Fold this normalization, in eval mode, into the affine map below; return weight and bias.

        With s = γ / √(v + ε) they are diag(s) W and s (b − μ) + β. For convolutions the statistics
        are per channel.
        """
        s = self.scale / (self.variance + EPSILON).sqrt()
        of_units = s.view(*s.shape, *[1] * (weight.dim() - 2))
        return of_units * weight, s * (bias - self.mean) + self.shift


def folded_layers(
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    normalizations: Sequence[BatchNormalization],
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Fold normalizations into the weights and biases of all layers but the last."""
    biases = biases or [weight.new_zeros(weight.shape[:2]) for weight in weights]
    *hidden, last = zip(weights, biases, strict=True)
    layers = [
        normalization.fold(*layer)
        for normalization, layer in zip(normalizations, hidden, strict=True)
    ]
    weights, biases = zip(*layers, last, strict=True)
    return weights, biases

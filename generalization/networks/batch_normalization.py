"""Batch normalization of one layer, for a stack of networks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

EPSILON = 1e-5  # Added to the variance, as by torch.nn.BatchNorm1d.


@dataclass(frozen=True)
class BatchNormalization:
    """What ``torch.nn.BatchNorm1d`` knows of a layer, for every network of a stack.

    In eval mode preactivations z become γ (z − μ) / √(v + ε) + β (Ioffe & Szegedy 2015, alg. 2).

    Attributes:
        scale: γ, trained.
        shift: β, trained.
        mean: μ, the running mean of z over batches.
        variance: v, the running unbiased variance.
    """

    scale: Float[Tensor, "networks units"]
    shift: Float[Tensor, "networks units"]
    mean: Float[Tensor, "networks units"]
    variance: Float[Tensor, "networks units"]

    @classmethod
    def initial(cls, networks: int, units: int) -> BatchNormalization:
        """That of untrained networks: it changes nothing but for ε."""
        ones, zeros = torch.ones(networks, units), torch.zeros(networks, units)
        return cls(scale=ones, shift=zeros, mean=zeros.clone(), variance=ones.clone())

    def fold(
        self, weight: Float[Tensor, "networks units _"], bias: Float[Tensor, "networks units"]
    ) -> tuple[Float[Tensor, "networks units _"], Float[Tensor, "networks units"]]:
        """Weight and bias of the affine map that is another one and, in eval mode, this after it.

        With s = γ / √(v + ε) they are diag(s) W and s (b − μ) + β.
        """
        s = self.scale / (self.variance + EPSILON).sqrt()
        return s.unsqueeze(2) * weight, s * (bias - self.mean) + self.shift

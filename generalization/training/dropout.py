"""Dropout: hidden activations that are set to zero while training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from generalization.networks.stacked_networks import StackedNetworks
from generalization.randomness import generator_for
from generalization.training.batches import Batch


# ASSUME: every hidden activation can be dropped, after normalization and activation function; table
# 1 of Daróczy 2020 lists dropout at all hidden layers but the first, and names no probability.
@dataclass(frozen=True)
class Dropout:
    """Inverted dropout (Srivastava et al. 2014, §10) of all hidden activations of a stack.

    Attributes:
        probability: With which an activation is set to zero; the others are divided by what is
            left of 1, so that the mean stays.
        ensemble: Name of the ensemble.
        seeds: One per network of the stack.
    """

    probability: float
    ensemble: str
    seeds: Sequence[int]

    def on(self, batch: Batch, networks: StackedNetworks, step: int) -> Batch:
        """The batch with masks of the hidden layers of networks, drawn for a step.

        Generators depend on ensemble, seed and step alone, so that training resumes from a step.
        """
        hidden, samples = networks.widths[1:-1], len(batch)
        masks = [torch.empty(len(self.seeds), units, samples) for units in hidden]
        for position, seed in enumerate(self.seeds):
            generator = generator_for(self.ensemble, seed, "dropout", step)
            for mask in masks:
                torch.rand(mask.shape[1:], generator=generator, out=mask[position])
        for mask in masks:
            mask.ge_(self.probability).div_(1 - self.probability)
        return replace(batch, masks=tuple(mask.to(batch.labels.device) for mask in masks))

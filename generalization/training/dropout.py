"""Dropout of hidden activations during training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from generalization.networks.stacked_networks import StackedNetworks
from generalization.randomness import generator_for
from generalization.training.batches import Batch


# ASSUME: dropout applies after normalization and activation function; table 1 of Daróczy 2020 lists
# it in all hidden layers but the first, without a probability.
@dataclass(frozen=True)
class Dropout:
    """Inverted dropout (Srivastava et al. 2014, §10) of hidden activations of a stack.

    Attributes:
        probability: Probability p with which an activation is set to zero; the others are scaled by
            1 / (1 − p), which preserves the mean.
        ensemble: Name of the ensemble.
        seeds: One seed per network of the stack.
        begin: First hidden layer with dropout, counted from 1; activations below are all kept.
    """

    probability: float
    ensemble: str
    seeds: Sequence[int]
    begin: int = 1

    def on(self, batch: Batch, networks: StackedNetworks, step: int) -> Batch:
        """Return the batch with dropout masks for the hidden layers, drawn for a step.

        Generators depend only on ensemble, seed and step, so that training can resume at any step.
        """
        hidden, samples = networks.widths[1:-1], len(batch)
        masks = [torch.empty(len(self.seeds), units, samples) for units in hidden]
        for position, seed in enumerate(self.seeds):
            generator = generator_for(self.ensemble, seed, "dropout", step)
            for mask in masks:
                torch.rand(mask.shape[1:], generator=generator, out=mask[position])
        for layer, mask in enumerate(masks, 1):
            if layer < self.begin:
                mask.fill_(1)
            else:
                mask.ge_(self.probability).div_(1 - self.probability)
        return replace(batch, masks=tuple(mask.to(batch.labels.device) for mask in masks))

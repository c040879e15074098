"""Gradients of networks that a function of a user builds, by autograd."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from generalization.networks.module_networks import ModuleNetworks, seeded, together
from generalization.randomness import generator_for
from generalization.training.batches import Batch
from generalization.training.losses import Loss


@dataclass(frozen=True)
class ModuleDraws:
    """Seeds of the random numbers that modules draw in training mode, such as dropout.

    Attributes:
        ensemble: Name of the ensemble.
        seeds: One seed per network of the stack.
    """

    ensemble: str
    seeds: Sequence[int]

    def on(self, batch: Batch, networks: ModuleNetworks, step: int) -> Batch:
        """Return the batch with a seed for each network, which depends only on seed and step."""
        generators = [generator_for(self.ensemble, seed, "dropout", step) for seed in self.seeds]
        return replace(batch, seeds=tuple(one.initial_seed() for one in generators))


@dataclass
class ModuleBackpropagation:
    """Accumulates gradients of the loss of a stack of networks, one batch per network.

    Attributes:
        networks: Networks, whose tensors may change in place between calls.
        loss: Loss to differentiate.
    """

    networks: ModuleNetworks
    loss: Loss

    def accumulate(
        self, gradients: Sequence[Tensor], batch: Batch, *, memory: float, samples: int
    ) -> Tensor:
        """Accumulate: gradients ← memory · gradients + the sum over the batch / samples.

        Buffers of the modules are updated as in any other forward pass in training mode. Arguments
        are those of ``Backpropagation.accumulate``.

        Returns:
            The logits, (networks, classes, samples).
        """
        inputs = batch.source.inputs.new_empty(
            *batch.rows.shape, self.networks.architecture.features
        )
        batch.gather(inputs)
        images = self.networks.images(inputs, 2)
        if self.networks.are_computed_together():
            logits, found = self._differentiated(self.networks.tensors, images, batch.labels, ())
        else:
            members = range(len(self.networks))
            alone = [self._alone(position, images, batch) for position in members]
            logits = torch.cat([one for one, _ in alone])
            found = [torch.stack(parts) for parts in zip(*(of for _, of in alone), strict=True)]
        for total, gradient in zip(gradients, found, strict=True):
            # The previous value may be infinite where it is not remembered.
            total.mul_(memory) if memory else total.zero_()
            total.add_(gradient, alpha=1 / samples)
        return logits.mT

    def _alone(self, position: int, images: Tensor, batch: Batch) -> tuple[Tensor, list[Tensor]]:
        """Compute the logits of one network, with an axis for it, and the gradients."""
        labels, seeds = batch.labels[[position]], batch.seeds[position : position + 1]
        tensors = self.networks.of_one(position)
        return self._differentiated(tensors, images[position], labels, seeds)

    def _differentiated(
        self, tensors: dict[str, Tensor], images: Tensor, labels: Tensor, seeds: Sequence[int]
    ) -> tuple[Tensor, list[Tensor]]:
        """Compute logits and the gradients of the loss, summed over samples.

        Args:
            tensors: Tensors of one network, or of all.
            images: Inputs of one network, or of all.
            labels: Labels, with an axis of networks.
            seeds: Seed of what one network draws, if it does.
        """
        template = self.networks.template
        values = {
            name: tensor.detach().requires_grad_(name in template.parameters)
            for name, tensor in tensors.items()
        }
        leaves = [values[name] for name in template.parameters]
        drawing = seeded(seeds[0], images.device) if seeds else nullcontext()
        with torch.enable_grad(), drawing:
            if images.dim() == len(self.networks.architecture.image) + 2:
                logits = together(template, values, images, training=True)
            else:
                logits = template(values, images, training=True).unsqueeze(0)
        seen = logits.detach().mT
        above = self.loss.gradient(seen, labels, out=torch.empty_like(seen)).mT
        found = torch.autograd.grad(logits, leaves, above, allow_unused=True)
        return logits.detach(), [
            torch.zeros_like(leaf) if gradient is None else gradient
            for leaf, gradient in zip(leaves, found, strict=True)
        ]

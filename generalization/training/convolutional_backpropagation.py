"""Gradients of a stack of convolutional networks, by autograd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from generalization.networks.batch_normalization import EPSILON
from generalization.networks.convolutional import (
    ConvolutionalNetworks,
    as_images,
    through_layers,
)
from generalization.training.batch_statistics import MOMENTUM
from generalization.training.batches import Batch
from generalization.training.losses import Loss


@dataclass
class ConvolutionalBackpropagation:
    """Accumulates gradients of the loss of a stack of networks, one batch per network.

    Networks are processed one by one with images in channels-last format, the fastest variant
    tested on a CPU (``benchmarks/convolution.py``).

    Attributes:
        networks: Networks, whose weights and running statistics may change in place.
        loss: Loss to differentiate.
    """

    networks: ConvolutionalNetworks
    loss: Loss

    def accumulate(
        self,
        gradients: Sequence[Tensor],
        batch: Batch,
        *,
        memory: float,
        samples: int,
        frozen: int = 0,
    ) -> Float[Tensor, "networks classes samples"]:
        """Accumulate gradients, with the arguments of ``Backpropagation.accumulate``."""
        inputs = gradients[0].new_empty(*batch.rows.shape, self.networks.widths[0])
        batch.gather(inputs)
        logits, layers = [], self.networks.layers_of_parameters
        trained = [place for place, layer in enumerate(layers) if layer >= frozen]
        for position, of_network in enumerate(inputs):
            parameters = [
                one[position].detach().requires_grad_(layer >= frozen)
                for one, layer in zip(self.networks.parameters, layers, strict=True)
            ]
            with torch.enable_grad():
                output = self.forward(position, parameters, of_network, batch.masks, frozen)
            logits.append(output.detach().mT)
            values, labels = logits[-1].unsqueeze(0), batch.labels[position : position + 1]
            above = self.loss.gradient(values, labels, out=torch.empty_like(values))
            leaves = [parameters[place] for place in trained]
            found = torch.autograd.grad(output, leaves, above[0].mT)
            totals = [gradients[place][position] for place in trained]
            torch._foreach_mul_(totals, memory)
            torch._foreach_add_(totals, found, alpha=1 / samples)
        return torch.stack(logits)

    def forward(
        self,
        position: int,
        parameters: Sequence[Tensor],
        inputs: Float[Tensor, "samples features"],
        masks: Sequence[Float[Tensor, "networks units samples"]],
        frozen: int = 0,
    ) -> Float[Tensor, "samples classes"]:
        """Return the logits of one network of the stack, in train mode, with these parameters."""
        networks, rest = self.networks, iter(parameters)
        weights = list(islice(rest, networks.depth))
        biases = list(islice(rest, len(networks.biases)))
        scales = list(islice(rest, len(networks.normalizations)))
        shifts = list(rest)

        def hidden(layer: int, values: Tensor) -> Tensor:
            if networks.normalizations:
                normalization = networks.normalizations[layer]
                values = functional.batch_norm(
                    values,
                    normalization.mean[position],
                    normalization.variance[position],
                    scales[layer],
                    shifts[layer],
                    training=layer >= frozen,
                    momentum=MOMENTUM,
                    eps=EPSILON,
                )
            values = networks.phi.function(values)
            return values * masks[layer][position].mT.view_as(values) if masks else values

        images = as_images(inputs, networks.architecture)
        return through_layers(networks.architecture, images, weights, biases, hidden)

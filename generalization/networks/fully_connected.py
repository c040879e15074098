"""Stacks of fully connected networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from generalization.networks.initial_layers import initial_parts
from generalization.networks.stacked_networks import StackedNetworks


@dataclass(frozen=True)
class FullyConnectedNetworks(StackedNetworks):
    """A stack of fully connected networks; weights have shape (networks, fan_out, fan_in)."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Units per layer: input, hidden layers, logits."""
        return (self.weights[0].shape[-1], *(weight.shape[-2] for weight in self.weights))

    @property
    def architecture(self) -> tuple[int, ...]:
        """The widths, which describe the architecture of fully connected networks."""
        return self.widths

    @property
    def is_homogeneous(self) -> bool:
        """Whether the logits scale as the product of all weights: f(c θ) = c^L f(θ) for c > 0."""
        homogeneous = self.phi.piecewise_linear and self.phi.thresholds == (0.0,)
        return homogeneous and not (self.phi.offset or self.biases or self.normalizations)

    def affine(self, layer: int, activations: Tensor) -> Tensor:
        """Compute the preactivations of a layer, before normalization, from activations below it.

        Args:
            layer: Index of the layer, from 0 to depth − 1.
            activations: (networks, samples, units), or (samples, units) shared by all networks.

        Returns:
            Preactivations of shape (networks, samples, units of the layer).
        """
        weight = self.weights[layer].mT
        if activations.dim() == 2:
            activations = activations.expand(len(self), *activations.shape)
        if self.biases:
            return torch.baddbmm(self.biases[layer].unsqueeze(1), activations, weight)
        return torch.bmm(activations, weight)

    def preactivations(
        self, inputs: Float[Tensor, "samples *features"]
    ) -> list[Float[Tensor, "networks samples _"]]:
        """Compute the preactivations of every layer, the logits last.

        Args:
            inputs: One batch for all networks, in the dtype of the weights, flattened if necessary.

        Returns:
            ``depth`` tensors of shape (networks, samples, units).
        """
        folded = self.folded()
        layers = [folded.affine(0, inputs.flatten(1))]
        for layer in range(1, self.depth):
            layers.append(folded.affine(layer, self.phi.function(layers[-1])))
        return layers

    def logits(
        self, inputs: Float[Tensor, "samples *features"]
    ) -> Float[Tensor, "networks samples classes"]:
        """Compute the logits of every network for one batch of inputs."""
        folded, activations = self.folded(), inputs.flatten(1)
        for layer in range(self.depth - 1):
            activations = self.phi.in_place(folded.affine(layer, activations))
        return folded.affine(self.depth - 1, activations)


def initialize_fully_connected(
    widths: Sequence[int],
    activation: str,
    generators: Sequence[torch.Generator],
    **settings: Any,
) -> FullyConnectedNetworks:
    """Initialize networks.

    Returns:
        A float32 stack of ``len(generators)`` networks on the CPU.
    """
    shapes = [(fan_out, fan_in) for fan_in, fan_out in pairwise(widths)]
    return FullyConnectedNetworks(**initial_parts(shapes, activation, generators, **settings))

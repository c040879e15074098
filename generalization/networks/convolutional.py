"""Stacks of convolutional networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from generalization.networks.architectures import Architecture, Convolution, Linear, Pooling
from generalization.networks.initial_layers import initial_parts
from generalization.networks.stacked_networks import StackedNetworks

POOL = {"max": functional.max_pool2d, "average": functional.avg_pool2d}


@dataclass(frozen=True)
class ConvolutionalNetworks(StackedNetworks):
    """A stack of convolutional networks; weights are those of ``torch.nn.Conv2d`` or ``Linear``.

    Hidden units of a convolution have the axes channels, height and width; normalization is per
    channel. Networks are evaluated one by one: on a CPU this is faster by half or more than one
    grouped convolution or ``torch.vmap``, see ``benchmarks/convolution.py``.

    Attributes:
        architecture: Layers of the networks.
    """

    architecture: Architecture = field(kw_only=True)

    @property
    def widths(self) -> tuple[int, ...]:
        """Units per layer: input, hidden layers, logits."""
        return self.architecture.widths

    def preactivations(
        self, inputs: Float[Tensor, "samples *features"]
    ) -> list[Float[Tensor, "networks samples *units"]]:
        """Compute the preactivations of every layer with weights, the logits last.

        Args:
            inputs: One batch for all networks, in the dtype of the weights: images, flat or not.

        Returns:
            ``depth`` tensors of shape (networks, samples, channels, height, width) or (networks,
            samples, units).
        """
        networks, images = [], as_images(inputs, self.architecture)
        for network in self.folded():
            layers: list[Tensor] = []

            def remember(_: int, preactivations: Tensor, layers: list[Tensor] = layers) -> Tensor:
                layers.append(preactivations)
                return self.phi.function(preactivations)

            layers.append(network.only(images, remember))
            networks.append(layers)
        return [torch.stack(layers) for layers in zip(*networks, strict=True)]

    def logits(
        self, inputs: Float[Tensor, "samples *features"]
    ) -> Float[Tensor, "networks samples classes"]:
        """Compute the logits of every network for one batch of inputs."""
        images = as_images(inputs, self.architecture)
        activate = self.phi.in_place
        return torch.stack([
            network.only(images, lambda _, preactivations: activate(preactivations))
            for network in self.folded()
        ])

    def only(
        self,
        images: Float[Tensor, "samples channels height width"],
        hidden: Callable[[int, Tensor], Tensor],
    ) -> Float[Tensor, "samples classes"]:
        """Compute the logits of a stack of one, with normalization only as part of ``hidden``."""
        weights = [weight[0] for weight in self.weights]
        biases = [bias[0] for bias in self.biases]
        return through_layers(self.architecture, images, weights, biases, hidden)


def as_images(
    inputs: Float[Tensor, "samples *features"], architecture: Architecture
) -> Float[Tensor, "samples channels height width"]:
    """Arrange inputs in channels-last memory format, which is fastest for convolutions on a CPU."""
    images = inputs.reshape(len(inputs), *architecture.image)
    # For a single channel, `contiguous` would change neither images nor the feature maps above.
    return torch.empty_like(images, memory_format=torch.channels_last).copy_(images)


def through_layers(
    architecture: Architecture,
    images: Float[Tensor, "samples channels height width"],
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    hidden: Callable[[int, Tensor], Tensor],
) -> Float[Tensor, "samples classes"]:
    """Compute the logits of one network.

    Args:
        architecture: Layers of the network.
        images: One batch of images.
        weights: Weights without a network axis.
        biases: One bias per weight, or none.
        hidden: Function from the index of a hidden layer and its preactivations to activations.
    """
    values, depth = images, 0
    for layer in architecture.layers:
        if isinstance(layer, Pooling):
            values = POOL[layer.kind](values, layer.window)
            continue
        bias = biases[depth] if biases else None
        values = _affine(layer, values, weights[depth], bias)
        depth += 1
        if depth < len(weights):
            values = hidden(depth - 1, values)
    return values


def _affine(
    layer: Convolution | Linear, values: Tensor, weight: Tensor, bias: Tensor | None
) -> Tensor:
    if isinstance(layer, Linear):
        return functional.linear(values.flatten(1), weight, bias)
    return functional.conv2d(values, weight, bias, layer.stride, layer.padding)


def initialize_convolutional(
    architecture: Architecture,
    activation: str,
    generators: Sequence[torch.Generator],
    **settings: Any,
) -> ConvolutionalNetworks:
    """Initialize networks; the fan-in of a convolution is input channels · height · width.

    Args:
        architecture: Layers of the networks.

    Returns:
        A float32 stack of ``len(generators)`` networks on the CPU.
    """
    shapes = [layer.weight_shape for layer in architecture.weighted]
    parts = initial_parts(shapes, activation, generators, **settings)
    return ConvolutionalNetworks(**parts, architecture=architecture)

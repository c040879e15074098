"""Convolutional networks, stacked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS, ActivationFunction
from generalization.networks.architectures import Architecture, Convolution, Linear, Pooling
from generalization.networks.batch_normalization import BatchNormalization, folded_layers
from generalization.networks.initial_layers import initial_layers
from generalization.networks.named_tensors import named_tensors, parts_of, trained_parts

POOL = {"max": functional.max_pool2d, "average": functional.avg_pool2d}


@dataclass(frozen=True)
class ConvolutionalNetworks:
    """A stack of convolutional networks of one architecture.

    It is to be used as ``FullyConnectedNetworks`` are. Hidden units of a convolution have the axes
    channels, height and width; its channels are normalized. Networks are taken one by one: on a CPU
    that is faster than one grouped convolution of all or ``torch.vmap``, see
    ``benchmarks/convolution.py``.

    Attributes:
        architecture: The layers.
        weights: Of every layer that has some: (networks, fan_out, …), the rest being those of
            ``torch.nn.Conv2d`` or ``Linear``.
        activation: A name of ``ACTIVATION_FUNCTIONS``.
        biases: One per weight, or nothing.
        normalizations: One per weight but the last, or nothing.
    """

    architecture: Architecture
    weights: tuple[Float[Tensor, "networks fan_out *_"], ...]
    activation: str
    biases: tuple[Float[Tensor, "networks fan_out"], ...] = ()
    normalizations: tuple[BatchNormalization, ...] = ()

    @classmethod
    def of_tensors(
        cls, tensors: Mapping[str, Tensor], activation: str, architecture: Architecture
    ) -> ConvolutionalNetworks:
        """A stack from what ``tensors`` of another one gives, changed or not."""
        weights, biases, normalizations = parts_of(tensors)
        return cls(architecture, weights, activation, biases, normalizations)

    @property
    def phi(self) -> ActivationFunction:
        """The activation function."""
        return ACTIVATION_FUNCTIONS[self.activation]

    @property
    def depth(self) -> int:
        """Number of weight layers."""
        return len(self.weights)

    @property
    def widths(self) -> tuple[int, ...]:
        """Units per layer: input, hidden layers, logits."""
        return self.architecture.widths

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """What is trained: weights, then biases, then scales and then shifts of normalizations."""
        return trained_parts(self.weights, self.biases, self.normalizations)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All that the stack consists of, trained or not, by the names that it has in files."""
        return named_tensors(self.weights, self.biases, self.normalizations)

    def __len__(self) -> int:
        return len(self.weights[0])

    def __getitem__(self, members: slice | Sequence[int]) -> ConvolutionalNetworks:
        """A smaller stack.

        Raises:
            TypeError: If one integer is given: one network is a stack of one, ``[i:i + 1]``.
        """
        if isinstance(members, int):
            raise TypeError(f"members must be a slice or a list of positions, not {members!r}.")
        return self.map(lambda tensor: tensor[members])

    def __iter__(self) -> Iterator[ConvolutionalNetworks]:
        """The networks, each as a stack of one."""
        return (self[position : position + 1] for position in range(len(self)))

    def map(self, function: Callable[[Tensor], Tensor]) -> ConvolutionalNetworks:
        """The stack with each of its tensors passed through a function."""
        changed = {name: function(tensor) for name, tensor in self.tensors.items()}
        return ConvolutionalNetworks.of_tensors(changed, self.activation, self.architecture)

    def to(self, *arguments, **settings) -> ConvolutionalNetworks:
        """The stack with another dtype or on another device, as ``torch.Tensor.to``."""
        return self.map(lambda tensor: tensor.to(*arguments, **settings))

    def folded(self) -> ConvolutionalNetworks:
        """The same functions without normalizations, which become a part of weights and biases."""
        if not self.normalizations:
            return self
        weights, biases = folded_layers(self.weights, self.biases, self.normalizations)
        return ConvolutionalNetworks(self.architecture, weights, self.activation, biases)

    def preactivations(
        self, inputs: Float[Tensor, "samples *features"]
    ) -> list[Float[Tensor, "networks samples *units"]]:
        """Preactivations of every layer that has weights, the logits last.

        Args:
            inputs: One batch for all networks, in the dtype of the weights; images or flattened.

        Returns:
            ``depth`` tensors of shape (networks, samples, channels, height, width) or (networks,
            samples, units).
        """
        networks = []
        for network in self.folded():
            layers: list[Tensor] = []

            def remember(_: int, preactivations: Tensor, layers: list[Tensor] = layers) -> Tensor:
                layers.append(preactivations)
                return self.phi.function(preactivations)

            layers.append(network.only(inputs, remember))
            networks.append(layers)
        return [torch.stack(layers) for layers in zip(*networks, strict=True)]

    def logits(
        self, inputs: Float[Tensor, "samples *features"]
    ) -> Float[Tensor, "networks samples classes"]:
        """Logits of every network for one batch of inputs."""
        images = as_images(inputs, self.architecture)
        activate = self.phi.in_place
        return torch.stack([
            network.only(images, lambda _, preactivations: activate(preactivations))
            for network in self.folded()
        ])

    def only(
        self, inputs: Float[Tensor, "samples *features"], hidden: Callable[[int, Tensor], Tensor]
    ) -> Float[Tensor, "samples classes"]:
        """Logits of a stack of one, without normalizations but those that ``hidden`` has."""
        weights = [weight[0] for weight in self.weights]
        biases = [bias[0] for bias in self.biases]
        images = as_images(inputs, self.architecture)
        return through_layers(self.architecture, images, weights, biases, hidden)


def as_images(
    inputs: Float[Tensor, "samples *features"], architecture: Architecture
) -> Float[Tensor, "samples channels height width"]:
    """Inputs as convolutions take them fastest on a CPU: channels last in memory."""
    images = inputs.reshape(len(inputs), *architecture.image)
    return images.contiguous(memory_format=torch.channels_last)


def through_layers(
    architecture: Architecture,
    images: Float[Tensor, "samples channels height width"],
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    hidden: Callable[[int, Tensor], Tensor],
) -> Float[Tensor, "samples classes"]:
    """Logits of one network.

    Args:
        architecture: Of the network.
        images: One batch.
        weights: Without a network axis.
        biases: One per weight, or nothing.
        hidden: From the number of a hidden layer, from 0, and what it gives, to activations.
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
    *,
    init_scale: float = 1.0,
    biases: bool = False,
    initialization: str = "normal",
    normalized: bool = False,
) -> ConvolutionalNetworks:
    """Networks before training, the fan-in of a convolution being channels in · height · width.

    Args:
        architecture: Of the networks.
        activation: A name of ``ACTIVATION_FUNCTIONS``; it sets the gain.
        generators: One per network, so that a network does not depend on its neighbors.
        init_scale: Factor on all that is drawn.
        biases: Whether there are biases.
        initialization: A name of ``INITIALIZATIONS``.
        normalized: Whether hidden layers are normalized.

    Returns:
        A float32 stack of ``len(generators)`` networks on the CPU.
    """
    shapes = [layer.weight_shape for layer in architecture.weighted]
    weights, drawn = initial_layers(
        shapes, activation, generators, init_scale=init_scale, initialization=initialization
    )
    return ConvolutionalNetworks(
        architecture=architecture,
        weights=tuple(weights),
        activation=activation,
        biases=tuple(drawn) if biases else (),
        normalizations=tuple(
            BatchNormalization.initial(len(generators), units)
            for units, *_ in shapes[:-1]
            if normalized
        ),
    )

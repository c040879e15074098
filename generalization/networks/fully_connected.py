"""Fully connected networks, stacked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS, ActivationFunction
from generalization.networks.batch_normalization import BatchNormalization
from generalization.networks.initial_layers import INITIALIZATIONS

# Name in files → attribute, of the parts of a normalization.
NORM = {f"norm.{field.name}": field.name for field in fields(BatchNormalization)}


@dataclass(frozen=True)
class FullyConnectedNetworks:
    """A stack of fully connected networks of one architecture.

    With ``L`` weight layers, preactivations are ``z_l = W_l a_{l-1} + b_l``, activations
    ``a_l = φ(z_l)`` with ``a_0`` the flattened input, and logits ``z_L``. With normalizations, the
    hidden ``z_l`` are normalized, here always in eval mode; what reads weights takes ``folded()``.

    Attributes:
        weights: ``L`` tensors of shape (networks, fan_out, fan_in).
        activation: A name of ``ACTIVATION_FUNCTIONS``.
        biases: ``L`` tensors of shape (networks, fan_out), or nothing.
        normalizations: ``L - 1``, of the hidden layers, or nothing.
    """

    weights: tuple[Float[Tensor, "networks _ _"], ...]
    activation: str
    biases: tuple[Float[Tensor, "networks _"], ...] = ()
    normalizations: tuple[BatchNormalization, ...] = ()

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Tensor], activation: str) -> FullyConnectedNetworks:
        """A stack from what ``tensors`` of another one gives, changed or not."""

        def layers(kind: str) -> tuple[Tensor, ...]:
            names = (f"layers.{layer}.{kind}" for layer in range(len(tensors)))
            return tuple(tensors[name] for name in names if name in tensors)

        parts = zip(*(layers(kind) for kind in NORM), strict=True)
        normalizations = tuple(BatchNormalization(*of_layer) for of_layer in parts)
        return cls(layers("weight"), activation, layers("bias"), normalizations)

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
        return (self.weights[0].shape[-1], *(weight.shape[-2] for weight in self.weights))

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """What is trained: weights, then biases, then scales and then shifts of normalizations."""
        scales = tuple(one.scale for one in self.normalizations)
        shifts = tuple(one.shift for one in self.normalizations)
        return self.weights + self.biases + scales + shifts

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All that the stack consists of, trained or not, by the names that it has in files."""
        kinds = {"weight": self.weights, "bias": self.biases}
        for kind, part in NORM.items():
            kinds[kind] = tuple(getattr(one, part) for one in self.normalizations)
        return {
            f"layers.{layer}.{kind}": tensor
            for kind, layers in kinds.items()
            for layer, tensor in enumerate(layers)
        }

    def __len__(self) -> int:
        return len(self.weights[0])

    def __getitem__(self, members: slice | Sequence[int]) -> FullyConnectedNetworks:
        """A smaller stack.

        Raises:
            TypeError: If one integer is given: one network is a stack of one, ``[i:i + 1]``.
        """
        if isinstance(members, int):
            raise TypeError(f"members must be a slice or a list of positions, not {members!r}.")
        return self.map(lambda tensor: tensor[members])

    def __iter__(self) -> Iterator[FullyConnectedNetworks]:
        """The networks, each as a stack of one."""
        return (self[position : position + 1] for position in range(len(self)))

    def map(self, function: Callable[[Tensor], Tensor]) -> FullyConnectedNetworks:
        """The stack with each of its tensors passed through a function."""
        changed = {name: function(tensor) for name, tensor in self.tensors.items()}
        return FullyConnectedNetworks.of_tensors(changed, self.activation)

    def to(self, *arguments, **settings) -> FullyConnectedNetworks:
        """The stack with another dtype or on another device, as ``torch.Tensor.to``."""
        return self.map(lambda tensor: tensor.to(*arguments, **settings))

    def folded(self) -> FullyConnectedNetworks:
        """The same functions without normalizations, which become a part of weights and biases."""
        if not self.normalizations:
            return self
        biases = self.biases or tuple(weight.new_zeros(weight.shape[:2]) for weight in self.weights)
        *hidden, last = zip(self.weights, biases, strict=True)
        layers = [
            normalization.fold(*layer)
            for normalization, layer in zip(self.normalizations, hidden, strict=True)
        ]
        weights, biases = zip(*layers, last, strict=True)
        return FullyConnectedNetworks(weights, self.activation, biases)

    def affine(self, layer: int, activations: Tensor) -> Tensor:
        """Preactivations of a layer, before normalization, from the activations below it.

        Args:
            layer: From 0 to depth − 1.
            activations: (networks, samples, units), or (samples, units) shared by all networks.

        Returns:
            (networks, samples, units of the layer).
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
        """Preactivations of every layer, the logits last.

        Args:
            inputs: One batch for all networks, in the dtype of the weights; flattened here.

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
        """Logits of every network for one batch of inputs."""
        folded, activations = self.folded(), inputs.flatten(1)
        for layer in range(self.depth - 1):
            activations = self.phi.in_place(folded.affine(layer, activations))
        return folded.affine(self.depth - 1, activations)


def initialize_fully_connected(
    widths: Sequence[int],
    activation: str,
    generators: Sequence[torch.Generator],
    *,
    init_scale: float = 1.0,
    biases: bool = False,
    initialization: str = "normal",
    normalized: bool = False,
) -> FullyConnectedNetworks:
    """Networks before training.

    Args:
        widths: Units per layer: input, hidden layers, logits.
        activation: A name of ``ACTIVATION_FUNCTIONS``; it sets the gain.
        generators: One per network, so that a network does not depend on its neighbours.
        init_scale: Factor on all that is drawn.
        biases: Whether there are biases.
        initialization: A name of ``INITIALIZATIONS``.
        normalized: Whether hidden layers are normalized.

    Returns:
        A float32 stack of ``len(generators)`` networks on the CPU.
    """
    draw, gain = INITIALIZATIONS[initialization], ACTIVATION_FUNCTIONS[activation].gain
    networks = [
        [draw(*fans, generator, gain=gain, scale=init_scale) for fans in pairwise(widths)]
        for generator in generators
    ]
    layers = [
        [torch.stack(parts) for parts in zip(*of_layer, strict=True)]
        for of_layer in zip(*networks, strict=True)
    ]
    return FullyConnectedNetworks(
        weights=tuple(weight for weight, _ in layers),
        activation=activation,
        biases=tuple(bias for _, bias in layers if biases),
        normalizations=tuple(
            BatchNormalization.initial(len(networks), units) for units in widths[1:-1] if normalized
        ),
    )

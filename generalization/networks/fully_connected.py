"""Fully connected networks, stacked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS, ActivationFunction
from generalization.networks.batch_normalization import BatchNormalization, folded_layers
from generalization.networks.initial_layers import initial_layers
from generalization.networks.named_tensors import named_tensors, parts_of, trained_parts


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
        weights, biases, normalizations = parts_of(tensors)
        return cls(weights, activation, biases, normalizations)

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
    def architecture(self) -> tuple[int, ...]:
        """What stacks that differ in numbers only have in common: the widths."""
        return self.widths

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
        weights, biases = folded_layers(self.weights, self.biases, self.normalizations)
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
    weights, drawn = initial_layers(
        [(fan_out, fan_in) for fan_in, fan_out in pairwise(widths)],
        activation,
        generators,
        init_scale=init_scale,
        initialization=initialization,
    )
    return FullyConnectedNetworks(
        weights=tuple(weights),
        activation=activation,
        biases=tuple(drawn) if biases else (),
        normalizations=tuple(
            BatchNormalization.initial(len(generators), units)
            for units in widths[1:-1]
            if normalized
        ),
    )

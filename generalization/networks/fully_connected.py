"""Fully connected networks, stacked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS, ActivationFunction


@dataclass(frozen=True)
class FullyConnectedNetworks:
    """A stack of fully connected networks of one architecture.

    With ``L`` weight layers, preactivations are ``z_l = W_l a_{l-1} + b_l``, activations
    ``a_l = φ(z_l)`` with ``a_0`` the flattened input, and logits ``z_L``.

    Attributes:
        weights: ``L`` tensors of shape (networks, fan_out, fan_in).
        activation: A name of ``ACTIVATION_FUNCTIONS``.
        biases: ``L`` tensors of shape (networks, fan_out), or nothing.
    """

    weights: tuple[Float[Tensor, "networks _ _"], ...]
    activation: str
    biases: tuple[Float[Tensor, "networks _"], ...] = ()

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
        """Weights, then biases."""
        return self.weights + self.biases

    def __len__(self) -> int:
        return len(self.weights[0])

    def __getitem__(self, members: slice | Sequence[int]) -> FullyConnectedNetworks:
        """A smaller stack.

        Raises:
            TypeError: If one integer is given: one network is a stack of one, ``[i:i + 1]``.
        """
        if isinstance(members, int):
            raise TypeError(f"members must be a slice or a list of positions, not {members!r}.")
        return self.map(lambda parameter: parameter[members])

    def __iter__(self) -> Iterator[FullyConnectedNetworks]:
        """The networks, each as a stack of one."""
        return (self[position : position + 1] for position in range(len(self)))

    def map(self, function: Callable[[Tensor], Tensor]) -> FullyConnectedNetworks:
        """The stack with every weight and bias passed through a function."""
        return FullyConnectedNetworks(
            weights=tuple(function(weight) for weight in self.weights),
            activation=self.activation,
            biases=tuple(function(bias) for bias in self.biases),
        )

    def to(self, *arguments, **settings) -> FullyConnectedNetworks:
        """The stack with another dtype or on another device, as ``torch.Tensor.to``."""
        return self.map(lambda parameter: parameter.to(*arguments, **settings))

    def affine(self, layer: int, activations: Tensor) -> Tensor:
        """Preactivations of a layer from the activations below it.

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
        layers = [self.affine(0, inputs.flatten(1))]
        for layer in range(1, self.depth):
            layers.append(self.affine(layer, self.phi.function(layers[-1])))
        return layers

    def logits(
        self, inputs: Float[Tensor, "samples *features"]
    ) -> Float[Tensor, "networks samples classes"]:
        """Logits of every network for one batch of inputs."""
        activations = inputs.flatten(1)
        for layer in range(self.depth - 1):
            activations = self.phi.in_place(self.affine(layer, activations))
        return self.affine(self.depth - 1, activations)


def initialize_fully_connected(
    widths: Sequence[int],
    activation: str,
    generators: Sequence[torch.Generator],
    *,
    init_scale: float = 1.0,
    biases: bool = False,
) -> FullyConnectedNetworks:
    """Networks as Novak et al. 2018, §A.5, begin them: W ~ N(0, gain / fan_in), no biases.

    Args:
        widths: Units per layer: input, hidden layers, logits.
        activation: A name of ``ACTIVATION_FUNCTIONS``; it sets the gain.
        generators: One per network, so that a network does not depend on its neighbours.
        init_scale: Factor on the standard deviation of every weight.
        biases: Whether there are biases. They begin at zero.

    Returns:
        A float32 stack of ``len(generators)`` networks on the CPU.
    """
    gain = ACTIVATION_FUNCTIONS[activation].gain
    networks = [
        [
            torch.randn(fan_out, fan_in, generator=generator)
            * (init_scale * (gain / fan_in) ** 0.5)
            for fan_in, fan_out in pairwise(widths)
        ]
        for generator in generators
    ]
    return FullyConnectedNetworks(
        weights=tuple(torch.stack(layer) for layer in zip(*networks, strict=True)),
        activation=activation,
        biases=tuple(torch.zeros(len(networks), units) for units in widths[1:] if biases),
    )

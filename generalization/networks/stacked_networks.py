"""Base class of stacks of networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from jaxtyping import Float
from torch import Tensor

from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS, ActivationFunction
from generalization.networks.batch_normalization import BatchNormalization, folded_layers

# Name in files → attribute, for the parts of a normalization.
NORM = {f"norm.{field.name}": field.name for field in fields(BatchNormalization)}


class TensorStack:
    """Networks with a leading network axis on every one of their named ``tensors``.

    Subclasses add ``tensors``, ``with_tensors`` and ``__len__``.
    """

    def __getitem__(self, members: slice | Sequence[int]) -> Self:
        """Select networks as a smaller stack.

        Raises:
            TypeError: If one integer is given: one network is a stack of one, ``[i:i + 1]``.
        """
        if isinstance(members, int):
            raise TypeError(f"members must be a slice or a list of positions, not {members!r}.")
        return self.map(lambda tensor: tensor[members])

    def __iter__(self) -> Iterator[Self]:
        """Iterate over the networks, each a stack of one."""
        return (self[position : position + 1] for position in range(len(self)))

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Return the stack with a function applied to each of its tensors."""
        return self.with_tensors({name: function(part) for name, part in self.tensors.items()})

    def to(self, *arguments, **settings) -> Self:
        """Return the stack with another dtype or on another device, as ``torch.Tensor.to``."""
        return self.map(lambda tensor: tensor.to(*arguments, **settings))


@dataclass(frozen=True)
class StackedNetworks(TensorStack):
    """Networks of one architecture, with a leading network axis on every tensor.

    With ``L`` weight layers and ``a_0`` the input, preactivations are ``z_l = W_l a_{l-1} + b_l``
    and activations ``a_l = φ(z_l)``; the last preactivations are the logits. With normalizations,
    the hidden ``z_l`` are normalized, here always in eval mode; code that reads weights uses
    ``folded()``. Subclasses add ``architecture``, ``widths``, ``preactivations`` and ``logits``.

    Attributes:
        weights: ``L`` tensors of shape (networks, fan_out, …).
        activation: Name of an activation function in ``ACTIVATION_FUNCTIONS``.
        biases: ``L`` tensors of shape (networks, fan_out), or none.
        normalizations: ``L - 1`` normalizations of the hidden layers, or none.
    """

    weights: tuple[Float[Tensor, "networks _fan_out *_"], ...]
    activation: str
    biases: tuple[Float[Tensor, "networks _fan_out"], ...] = ()
    normalizations: tuple[BatchNormalization, ...] = ()

    @property
    def phi(self) -> ActivationFunction:
        """The activation function."""
        return ACTIVATION_FUNCTIONS[self.activation]

    @property
    def depth(self) -> int:
        """Number of weight layers."""
        return len(self.weights)

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """Trained tensors: all weights, then biases, then scales, then shifts of normalizations."""
        scales = tuple(one.scale for one in self.normalizations)
        shifts = tuple(one.shift for one in self.normalizations)
        return (*self.weights, *self.biases, *scales, *shifts)

    @property
    def layers_of_parameters(self) -> tuple[int, ...]:
        """Index of the layer, from 0, that each of the ``parameters`` belongs to."""
        kinds = self.weights, self.biases, self.normalizations, self.normalizations
        return tuple(layer for kind in kinds for layer in range(len(kind)))

    @property
    def needs_whole_batches(self) -> bool:
        """Whether a batch cannot be processed in parts: its statistics are those of the whole."""
        return bool(self.normalizations)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All tensors, trained or not, by their names in files: ``layers.<l>.weight`` …."""
        kinds = {"weight": self.weights, "bias": self.biases}
        for kind, part in NORM.items():
            kinds[kind] = [getattr(one, part) for one in self.normalizations]
        return {
            f"layers.{layer}.{kind}": tensor
            for kind, layers in kinds.items()
            for layer, tensor in enumerate(layers)
        }

    def __len__(self) -> int:
        return len(self.weights[0])

    def with_tensors(self, tensors: Mapping[str, Tensor]) -> Self:
        """Return a stack of the same architecture with other ``tensors``."""
        return replace(self, **parts_by_name(tensors))

    def folded(self) -> Self:
        """Return an equivalent stack with normalizations folded into weights and biases."""
        if not self.normalizations:
            return self
        weights, biases = folded_layers(self.weights, self.biases, self.normalizations)
        return replace(self, weights=weights, biases=biases, normalizations=())


def parts_by_name(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the attributes of a stack from its ``tensors``, modified or not."""

    def layers(kind: str) -> tuple[Tensor, ...]:
        names = (f"layers.{layer}.{kind}" for layer in range(len(tensors)))
        return tuple(tensors[name] for name in names if name in tensors)

    normalizations = zip(*(layers(kind) for kind in NORM), strict=True)
    return {
        "weights": layers("weight"),
        "biases": layers("bias"),
        "normalizations": tuple(BatchNormalization(*of_layer) for of_layer in normalizations),
    }

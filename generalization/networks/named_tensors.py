"""The tensors of a stack of networks, whatever its layers, and their names in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

from torch import Tensor

from generalization.networks.batch_normalization import BatchNormalization

# Name in files → attribute, of the parts of a normalization.
NORM = {f"norm.{field.name}": field.name for field in fields(BatchNormalization)}

Tensors = tuple[Tensor, ...]


def named_tensors(
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    normalizations: Sequence[BatchNormalization],
) -> dict[str, Tensor]:
    """``layers.<l>.weight``, ``.bias``, ``.norm.scale`` …, kind by kind, layer by layer."""
    kinds = {"weight": weights, "bias": biases}
    for kind, part in NORM.items():
        kinds[kind] = [getattr(one, part) for one in normalizations]
    return {
        f"layers.{layer}.{kind}": tensor
        for kind, layers in kinds.items()
        for layer, tensor in enumerate(layers)
    }


def parts_of(
    tensors: Mapping[str, Tensor],
) -> tuple[Tensors, Tensors, tuple[BatchNormalization, ...]]:
    """Weights, biases and normalizations, from what ``named_tensors`` makes of them."""

    def layers(kind: str) -> Tensors:
        names = (f"layers.{layer}.{kind}" for layer in range(len(tensors)))
        return tuple(tensors[name] for name in names if name in tensors)

    parts = zip(*(layers(kind) for kind in NORM), strict=True)
    normalizations = tuple(BatchNormalization(*of_layer) for of_layer in parts)
    return layers("weight"), layers("bias"), normalizations


def trained_parts(
    weights: Tensors, biases: Tensors, normalizations: Sequence[BatchNormalization]
) -> Tensors:
    """What is trained: weights, then biases, then scales and then shifts of normalizations."""
    scales = tuple(one.scale for one in normalizations)
    shifts = tuple(one.shift for one in normalizations)
    return weights + biases + scales + shifts

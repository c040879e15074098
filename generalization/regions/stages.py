"""Stages of the propagation of polylines through a sequence of layers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from generalization.networks.activation_functions import activation_module, unit_thresholds
from generalization.networks.linearized_layers import flat_layers, is_sequence_of_known_layers


@dataclass(frozen=True)
class Stage:
    """A layer that values are passed through, whose crossings are counted, or both.

    Attributes:
        layer: The layer.
        bends: Whether values are passed through the layer and it adds breakpoints.
        number: Index of the activation whose crossings are counted here; None if none are. If the
            stage does not bend, values are then not passed through the layer.
    """

    layer: nn.Module
    bends: bool = False
    number: int | None = None

    @property
    def passes(self) -> bool:
        """Whether values are passed through the layer."""
        return self.bends or self.number is None


def can_be_followed(module: nn.Module) -> bool:
    """Return whether a module is a sequence of layers that are continuous and piecewise affine."""
    activations = filter(None, map(activation_module, flat_layers(module)))
    return is_sequence_of_known_layers(module) and all(one.continuous for one in activations)


def polyline_stages(module: nn.Module) -> list[Stage]:
    """List the stages of a module in order.

    Max-pooling is moved before a nondecreasing activation, φ(max z) = max φ(z), so that the layers
    above get the breakpoints of one unit per window instead of all. The crossings of the activation
    are still counted before pooling, for all units.
    """
    stages: list[Stage] = []
    number = 0
    for layer in flat_layers(module):
        pools = isinstance(layer, nn.MaxPool2d)
        if unit_thresholds(layer):
            stages.append(Stage(layer, bends=True, number=number))
            number += 1
        elif pools and stages and _rises(stages[-1].layer):
            above = stages.pop()
            if above.number is not None:
                stages.append(replace(above, bends=False))
            stages += [Stage(layer, bends=True), Stage(above.layer, bends=True)]
        else:
            stages.append(Stage(layer, bends=pools))
    return stages


def _rises(layer: nn.Module) -> bool:
    """Return whether a layer is a nondecreasing activation function with thresholds."""
    return bool(unit_thresholds(layer)) and not activation_module(layer).falls(layer)


def constant_up_to(stages: Sequence[Stage]) -> float:
    """Return the value up to which the next stage is constant, 0 for ReLU; −∞ if it is not."""
    activation = activation_module(stages[0].layer) if stages else None
    thresholds = unit_thresholds(stages[0].layer) if activation and activation.flat_below else ()
    return thresholds[0] if thresholds else -torch.inf

"""Steps of polylines through a sequence of layers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from generalization.networks.activation_functions import activation_module, unit_thresholds
from generalization.networks.linearized_layers import flat_layers, is_sequence_of_known_layers


@dataclass(frozen=True)
class Step:
    """A layer to pass through, or whose crossings to count, or both.

    Attributes:
        layer: The layer.
        bends: Whether values pass through it and have more breakpoints then.
        number: Of the activation, from 0, if crossings are counted here. If it does not bend then,
            values do not pass.
    """

    layer: nn.Module
    bends: bool = False
    number: int | None = None

    @property
    def passes(self) -> bool:
        """Whether values pass through the layer."""
        return self.bends or self.number is None


def can_be_followed(module: nn.Module) -> bool:
    """Return whether a module is a sequence of layers that are continuous and piecewise affine."""
    activations = filter(None, map(activation_module, flat_layers(module)))
    return is_sequence_of_known_layers(module) and all(one.continuous for one in activations)


def polyline_steps(module: nn.Module) -> list[Step]:
    """List the steps through a module, one after the other.

    Maxima of windows are taken before an activation that does not fall: φ(max z) = max φ(z). The
    layers above see the breakpoints of one unit per window instead of those of all. Its crossings
    are counted before, of all units.
    """
    steps: list[Step] = []
    number = 0
    for layer in flat_layers(module):
        pools = isinstance(layer, nn.MaxPool2d)
        if unit_thresholds(layer):
            steps.append(Step(layer, bends=True, number=number))
            number += 1
        elif pools and steps and _rises(steps[-1].layer):
            above = steps.pop()
            if above.number is not None:
                steps.append(replace(above, bends=False))
            steps += [Step(layer, bends=True), Step(above.layer, bends=True)]
        else:
            steps.append(Step(layer, bends=pools))
    return steps


def _rises(layer: nn.Module) -> bool:
    """Return whether it is an activation function that does not fall."""
    return bool(unit_thresholds(layer)) and not activation_module(layer).falls(layer)


def constant_up_to(steps: Sequence[Step]) -> float:
    """Number up to which the next step is constant, as ReLU is up to 0; −∞ if there is none."""
    activation = activation_module(steps[0].layer) if steps else None
    thresholds = unit_thresholds(steps[0].layer) if activation and activation.flat_below else ()
    return thresholds[0] if thresholds else -torch.inf

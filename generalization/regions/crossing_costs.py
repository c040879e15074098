"""Cost of following the loop of an image exactly, by which it is followed or sampled.

Imports no torch: the workflow plans with it.

Args:
    widths: Units per layer, from inputs to logits.
    translations: Edges of the loop, the width of an image in pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

# ASSUME: on average a unit crosses a threshold 0.3 times per translation. White images give 0.5
# at initialization (Crofton's formula for a right angle), images of MNIST 0.2, and more later.
CROSSINGS_PER_TRANSLATION = 0.3
# ASSUME: a loop of more work than this is sampled: 10 s at 10¹¹ operations a second.
MOST_WORK = 1e12
# Operations of a product for which one number is moved: 6 ns at 10¹¹ a second.
WORK_PER_NUMBER = 600


# Activation functions without linear pieces. A test holds them against ``activation_functions``,
# which imports torch.
SMOOTH_FUNCTIONS = {"tanh"}


class LoopCosts(NamedTuple):
    """Cost of following the loop of one image, for one threshold.

    Attributes:
        flops: Operations of matrix products.
        numbers: Numbers that are interpolated, compared and activated.
    """

    flops: float
    numbers: float

    @property
    def work(self) -> float:
        """Both in operations of products."""
        return self.flops + WORK_PER_NUMBER * self.numbers


def loop_costs(widths: Sequence[int], translations: int) -> LoopCosts:
    """Return the cost of solving for all crossings on a loop.

    Every crossing is a breakpoint that all layers above its own have to be evaluated at: the cost
    grows with the cube of the width and the square of the depth.
    """
    layers = pairwise(widths[:-1])
    return costs_of_layers(((2 * below * units, units) for below, units in layers), translations)


def costs_of_layers(layers: Iterable[Sequence[float]], translations: int) -> LoopCosts:
    """Return the cost of solving for all crossings of layers of any kind.

    Args:
        layers: Operations of products for one input, and units, of each layer.
    """
    breakpoints, flops, numbers = float(translations), 0.0, 0.0
    for products, units in layers:
        flops += breakpoints * products
        numbers += breakpoints * units
        breakpoints += CROSSINGS_PER_TRANSLATION * translations * units
    return LoopCosts(flops, numbers)


def is_followed(widths: Sequence[int], translations: int, activation: str) -> bool:
    """Return whether crossings are solved for: of piecewise-linear networks that are not too large.

    It depends on the architecture alone, so that it is the same on every machine.

    Args:
        activation: Name of the activation function.
    """
    followed = activation not in SMOOTH_FUNCTIONS
    return followed and loop_costs(widths, translations).work <= MOST_WORK

"""Cost of following the loop of an image exactly, by which it is followed or sampled.

Imports no torch: the workflow plans with it.

Args:
    widths: Units per layer, from inputs to logits.
    translations: Edges of the loop, the width of an image in pixels.
    layers: Operations of products for one input, and units, of each layer that adds breakpoints.
    most_work: Operations for one image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import prod
from typing import NamedTuple

from generalization.networks.architectures import Architecture, Pooling

# ASSUME: on average a unit crosses a threshold 0.3 times per translation. White images give 0.5
# at initialization (Crofton's formula for a right angle), images of MNIST 0.2, and more later.
CROSSINGS_PER_TRANSLATION = 0.3
# ASSUME: a loop of more work than this is sampled: 10 s at 10¹¹ operations a second.
MOST_WORK = 1e12
# A sequence of layers is followed this many times more slowly than a stack of the same shape: its
# feature maps, a few channels at few breakpoints, are far from the rate of large products. Ratio of
# measured to estimated seconds of one loop of white noise through perceptrons 784-200⁴-10 and
# 784-500⁴-10: 0.9 and 0.5; LeNet-5: 1.0; two padded convolutions of 4 and 8 channels with
# max-pooling on 3×32×32: 1.7; three convolutions of 4 channels with a hidden layer: 0.7. The
# factor was chosen by these networks, on a busy machine.
MODULES_SLOWER = 15
# ASSUME: a loop through a module is sampled if it takes more than 100 s at that rate. A study of
# convolutional networks is computed exactly up to there.
MOST_MODULE_WORK = 1e13
# ASSUME: its curvature, which needs the Jacobian in every region, is sampled beyond three hours.
MOST_CURVATURE_WORK = 1e15
# Operations for which one activation is computed and compared: 1 ns at 10¹¹ a second.
WORK_PER_ACTIVATION = 100
# Jacobians of convolutional networks at a few hundred points are as many times slower. Ratio of
# measured to estimated seconds of the curvature on one loop: 1.0 for a perceptron 784-200⁴-10; 1.6
# for one convolution of one channel on 28×28 and 2.4 for one of 4 with max-pooling on 8×8; 1.5 for
# LeNet-5. The factor was chosen by these networks, on a busy machine.
CONVOLUTIONS_SLOWER = 20
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
        regions: Linear regions that the loop passes.
    """

    flops: float
    numbers: float
    regions: float

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
    """Return the cost of solving for all crossings of layers of any kind."""
    breakpoints, flops, numbers = float(translations), 0.0, 0.0
    for products, units in layers:
        flops += breakpoints * products
        numbers += breakpoints * units
        breakpoints += CROSSINGS_PER_TRANSLATION * translations * units
    return LoopCosts(flops, numbers, breakpoints)


def convolutional_layers(architecture: Architecture) -> Iterator[tuple[float, float]]:
    """Yield operations and units of hidden layers of a convolutional network.

    Where ``polyline_stages`` moves max-pooling before an activation, the windows and what is left
    of the units are two layers.

    Args:
        architecture: Layers with an activation function that has thresholds.
    """
    shape, products, hidden = architecture.image, 0.0, len(architecture.weighted) - 1
    activates = False  # The units of the layer below, which wait for a max-pooling.
    for layer in architecture.layers:
        units, shape = prod(shape), layer.shape_of(shape)
        if activates and isinstance(layer, Pooling) and layer.kind == "max":
            units = prod(shape)
            yield products, units
            products = 0.0
        if activates:
            yield products, units
        activates = not isinstance(layer, Pooling) and hidden > 0
        if activates:
            products = 2.0 * prod(layer.weight_shape) * prod(shape[1:])
            hidden -= 1


def are_layers_followed(
    layers: Sequence[Sequence[float]], translations: int, most_work: float
) -> bool:
    """Return whether crossings of a sequence of layers are solved for, at a bearable cost."""
    return MODULES_SLOWER * costs_of_layers(layers, translations).work <= most_work


def is_curvature_followed(
    layers: Sequence[Sequence[float]],
    translations: int,
    classes: int,
    most_work: float,
    *,
    convolves: bool,
) -> bool:
    """Return whether the Jacobian is computed in every region of a loop, at a bearable cost.

    Args:
        classes: Number of rows of a Jacobian.
        convolves: Whether some layers are convolutions.
    """
    costs = costs_of_layers(layers, translations)
    # The input and the output of an activation function are computed.
    evaluation = sum(products + 2 * WORK_PER_ACTIVATION * units for products, units in layers)
    slower = CONVOLUTIONS_SLOWER if convolves else 1
    jacobians = slower * costs.regions * (1 + 2 * classes) * evaluation
    return MODULES_SLOWER * costs.work + jacobians <= most_work


def is_followed(widths: Sequence[int], translations: int, activation: str) -> bool:
    """Return whether crossings are solved for: of piecewise-linear networks that are not too large.

    It depends on the architecture alone, so that it is the same on every machine.

    Args:
        activation: Name of the activation function.
    """
    followed = activation not in SMOOTH_FUNCTIONS
    return followed and loop_costs(widths, translations).work <= MOST_WORK

"""FLOPs of training, by layer. Does not import torch, since the workflow plans with it.

A multiplication and an addition are one FLOP each; only products with weights count.

Args:
    products: Multiplications by weights of each layer in a forward pass of one sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from math import prod

from generalization.hyperparameters import Hyperparameters, freezing_steps
from generalization.networks.architectures import Convolution, architecture_of


def layer_products(
    one: Hyperparameters, image: tuple[int, int, int], classes: int
) -> tuple[int, ...]:
    """Return the ``products`` of networks of a built-in architecture, as of ``architecture_of``."""
    if one.architecture == "fully_connected":
        widths = prod(image), *[one.width] * (one.depth - 1), classes
        return tuple(below * above for below, above in pairwise(widths))
    found = architecture_of(one, image, classes)
    return tuple(
        prod(layer.weight_shape) * (prod(shape[1:]) if isinstance(layer, Convolution) else 1)
        for layer, shape in zip(found.weighted, found.shapes, strict=True)
    )


def step_flops(products: Sequence[int], frozen: int = 0) -> int:
    """Return the FLOPs of a training step per sample.

    Every layer has a product forward, every layer that learns one for the gradient of its weights,
    and every layer above the lowest of these one for the gradient of the activations below it: of
    L equal layers k of which are frozen, 2 (3 L − 2 k − 1) per multiplication of a layer.

    Args:
        frozen: Number of layers, from the lowest, that do not learn.
    """
    return 2 * (sum(products) + sum(products[frozen:]) + sum(products[frozen + 1 :]))


def training_flops(one: Hyperparameters, products: Sequence[int], steps: int) -> int:
    """Return the FLOPs of so many training steps of one network, each with a whole batch.

    Args:
        one: Hyper-parameters, of which batch size and freezing are used.
        steps: Steps from the first on.
    """
    borders = [0, *freezing_steps(one, len(products)), math.inf]
    per_sample = sum(
        max(0, min(end, steps) - begin) * step_flops(products, frozen)
        for frozen, (begin, end) in enumerate(pairwise(borders))
    )
    return one.batch_size * per_sample

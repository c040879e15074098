"""Random initialization of weights and biases."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS
from generalization.networks.batch_normalization import BatchNormalization

Layer = tuple[Float[Tensor, "fan_out fan_in"], Float[Tensor, "fan_out"]]


def normal_layer(
    fan_in: int, fan_out: int, generator: Generator, *, gain: float, scale: float
) -> Layer:
    """Draw W ~ N(0, gain / fan_in) times scale, with b = 0, as in Novak et al. 2018, §A.5."""
    weight = torch.randn(fan_out, fan_in, generator=generator)
    return weight * (scale * (gain / fan_in) ** 0.5), torch.zeros(fan_out)


def uniform_layer(
    fan_in: int, fan_out: int, generator: Generator, *, gain: float, scale: float
) -> Layer:
    """Draw W, b ~ U(−1/√fan_in, 1/√fan_in) times scale, as ``torch.nn.Linear``, for any gain."""
    bound = scale * fan_in**-0.5
    weight, bias = torch.empty(fan_out, fan_in), torch.empty(fan_out)
    return tuple(part.uniform_(-bound, bound, generator=generator) for part in (weight, bias))


def standard_normal_layer(
    fan_in: int, fan_out: int, generator: Generator, *, gain: float, scale: float
) -> Layer:
    """Draw W, b ~ N(0, 1) times scale, ``SN`` of Forouzesh et al. 2021, for any fan-in and gain."""
    weight = torch.randn(fan_out, fan_in, generator=generator)
    return weight * scale, torch.randn(fan_out, generator=generator) * scale


INITIALIZATIONS = {
    "normal": normal_layer,
    "uniform": uniform_layer,
    "standard_normal": standard_normal_layer,
}


def initial_parts(
    shapes: Sequence[tuple[int, ...]],
    activation: str,
    generators: Sequence[Generator],
    *,
    init_scale: float = 1.0,
    biases: bool = False,
    initialization: str = "normal",
    normalized: bool = False,
) -> dict[str, Any]:
    """Initialize the attributes of a stack of networks.

    Args:
        shapes: Shapes of weights: fan-out, then axes whose product is the fan-in.
        init_scale: Factor on all random numbers.
        biases: Whether layers have biases.
        initialization: Name of a distribution in ``INITIALIZATIONS``.
        normalized: Whether hidden layers are normalized.

    Returns:
        ``activation``, ``weights``, ``biases`` and ``normalizations``, in float32 on the CPU.
    """
    draw, gain = INITIALIZATIONS[initialization], ACTIVATION_FUNCTIONS[activation].gain
    # Biases are always drawn, so that weights do not depend on whether there are biases.
    networks = [
        [draw(prod(one[1:]), one[0], generator, gain=gain, scale=init_scale) for one in shapes]
        for generator in generators
    ]
    layers = [
        [torch.stack(parts) for parts in zip(*layer, strict=True)]
        for layer in zip(*networks, strict=True)
    ]
    return {
        "activation": activation,
        "weights": tuple(
            weight.unflatten(2, one[1:]) for one, (weight, _) in zip(shapes, layers, strict=True)
        ),
        "biases": tuple(bias for _, bias in layers if biases),
        "normalizations": tuple(
            BatchNormalization.initial(len(generators), units)
            for units, *_ in shapes[:-1]
            if normalized
        ),
    }

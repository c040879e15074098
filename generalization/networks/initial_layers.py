"""How layers begin: their weights and their biases, drawn."""

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from generalization.networks.activation_functions import ACTIVATION_FUNCTIONS

Layer = tuple[Float[Tensor, "fan_out fan_in"], Float[Tensor, "fan_out"]]


def normal_layer(
    fan_in: int, fan_out: int, generator: Generator, *, gain: float, scale: float
) -> Layer:
    """W ~ N(0, gain / fan_in) and b = 0, as Novak et al. 2018, §A.5; W is multiplied by scale."""
    weight = torch.randn(fan_out, fan_in, generator=generator)
    return weight * (scale * (gain / fan_in) ** 0.5), torch.zeros(fan_out)


def uniform_layer(
    fan_in: int, fan_out: int, generator: Generator, *, gain: float, scale: float
) -> Layer:
    """W, b ~ U(−1/√fan_in, 1/√fan_in) as ``torch.nn.Linear``, times scale, whatever the gain."""
    bound = scale * fan_in**-0.5
    weight, bias = torch.empty(fan_out, fan_in), torch.empty(fan_out)
    return tuple(part.uniform_(-bound, bound, generator=generator) for part in (weight, bias))


def standard_normal_layer(
    fan_in: int, fan_out: int, generator: Generator, *, gain: float, scale: float
) -> Layer:
    """W, b ~ N(0, 1) times scale, the ``SN`` of Forouzesh et al. 2021, whatever fan-in and gain."""
    weight = torch.randn(fan_out, fan_in, generator=generator)
    return weight * scale, torch.randn(fan_out, generator=generator) * scale


INITIALIZATIONS = {
    "normal": normal_layer,
    "uniform": uniform_layer,
    "standard_normal": standard_normal_layer,
}


def initial_layers(
    shapes: Sequence[tuple[int, ...]],
    activation: str,
    generators: Sequence[Generator],
    *,
    init_scale: float,
    initialization: str,
) -> tuple[list[Float[Tensor, "networks ..."]], list[Float[Tensor, "networks fan_out"]]]:
    """Weights and biases of the layers of a stack, layer by layer.

    Args:
        shapes: Of weights: fan-out first, all others make the fan-in.
        activation: A name of ``ACTIVATION_FUNCTIONS``; it sets the gain.
        generators: One per network, so that a network does not depend on its neighbors.
        init_scale: Factor on all that is drawn.
        initialization: A name of ``INITIALIZATIONS``.
    """
    draw, gain = INITIALIZATIONS[initialization], ACTIVATION_FUNCTIONS[activation].gain
    networks = [
        [draw(prod(one[1:]), one[0], generator, gain=gain, scale=init_scale) for one in shapes]
        for generator in generators
    ]
    weights, biases = [], []
    for one, of_layer in zip(shapes, zip(*networks, strict=True), strict=True):
        weight, bias = (torch.stack(parts) for parts in zip(*of_layer, strict=True))
        weights.append(weight.unflatten(2, one[1:]))
        biases.append(bias)
    return weights, biases

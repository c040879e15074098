"""How a layer begins: its weight and its bias, drawn."""

import torch
from jaxtyping import Float
from torch import Generator, Tensor

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


INITIALIZATIONS = {"normal": normal_layer, "uniform": uniform_layer}

"""Random number: the chance level that a measure must beat."""

import torch
from jaxtyping import Float64
from torch import Generator, Tensor

from generalization.networks.modules import Networks, number_of_networks
from generalization.networks.reading import reads_networks


@reads_networks
def random_number(networks: Networks, generator: Generator) -> Float64[Tensor, "networks"]:
    """Null measure: uniform random numbers from 0 to 1, independent of the networks.

    Source: this project's own, because chance alone gives some measure a high rank in a league
    of many.

    Args:
        networks: A stack of R networks, or a ``torch.nn.Module``; only their number matters.

    Returns:
        R numbers, on the device of the generator.
    """
    return torch.rand(
        number_of_networks(networks),
        dtype=torch.float64,
        device=generator.device,
        generator=generator,
    )

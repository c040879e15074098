"""Number of parameters of a network: a trivial baseline."""

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from generalization.networks.modules import Networks
from generalization.networks.reading import reads_parameters


@reads_parameters
def number_of_parameters(trained_networks: Networks) -> Float64[Tensor, "networks"]:
    """Number of parameters that training moves, the ω of Jiang et al. 2019, Eq. 20.

    Weights, biases, and scales and shifts of normalizations. Of a weight that a parametrization
    makes of others, such as an adapter, the others count, but for the lengths of weight
    normalization: length and direction are one weight.

    Args:
        trained_networks: A stack of R networks, or a ``torch.nn.Module``, of which a parameter
            that is used twice counts once and buffers do not count.

    Returns:
        R equal counts.
    """
    if isinstance(trained_networks, nn.Module):
        count = sum(part.numel() for part in trained_networks.parameters())
        return torch.tensor([count], dtype=torch.float64)
    count = sum(parameter[0].numel() for parameter in trained_networks.parameters)
    return torch.full((len(trained_networks),), count, dtype=torch.float64)

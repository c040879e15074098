"""How many numbers a network learns: a trivial baseline."""

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from generalization.networks.modules import Networks


def number_of_parameters(networks: Networks) -> Int64[Tensor, "networks"]:
    """Weights and biases of every network, the ω of Jiang et al. 2019.

    Args:
        networks: A stack of R networks, or a ``torch.nn.Module``, of which a parameter that is
            used twice counts once and buffers do not count.

    Returns:
        R equal counts.
    """
    if isinstance(networks, nn.Module):
        return torch.tensor([sum(parameter.numel() for parameter in networks.parameters())])
    count = sum(parameter[0].numel() for parameter in networks.parameters)
    return torch.full((len(networks),), count)

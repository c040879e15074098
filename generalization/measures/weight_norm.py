"""Length of the vector of weights: a trivial baseline."""

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from generalization.networks.modules import Networks


def weight_norm(trained_networks: Networks) -> Float64[Tensor, "networks"]:
    """‖w‖₂ of all weights of a network together (Jiang et al. 2019).

    Biases are left out, and so are the scales and shifts of normalizations, as in the public code
    of Dziugaite et al. 2020.

    Args:
        trained_networks: A stack of R networks, or a ``torch.nn.Module``.

    Returns:
        R norms, summed in float64: a million float32 squares would lose digits.
    """
    return norms_of_stack(weights_of(trained_networks))


def weights_of(networks: Networks) -> list[Float64[Tensor, "networks ..."]]:
    """Weights of every layer in float64, with a leading network axis. Vectors are no weights."""
    if isinstance(networks, nn.Module):
        weights = [
            parameter.unsqueeze(0) for parameter in networks.parameters() if parameter.dim() > 1
        ]
    else:
        weights = list(networks.weights)
    return [weight.detach().double() for weight in weights]


def norms_of_stack(tensors: list[Float64[Tensor, "networks ..."]]) -> Float64[Tensor, "networks"]:
    """ℓ2 norm over everything but the network axis."""
    return torch.stack([tensor.flatten(1).norm(dim=1) for tensor in tensors]).norm(dim=0)

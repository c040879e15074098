"""Length of the vector of weights, and how far training moved it: trivial baselines.

Args:
    trained_networks: The networks after training, as ``networks``.
"""

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from generalization.networks.modules import Networks


def weight_norm(trained_networks: Networks) -> Float64[Tensor, "networks"]:
    """Euclidean norm ‖w‖₂ of all weights of a network (Jiang et al. 2019).

    Biases are left out, and so are the scales and shifts of normalizations, as in the public code
    of Dziugaite et al. 2020.

    Returns:
        R norms, summed in float64: a million float32 squares would lose digits.
    """
    return _norms(_weights(trained_networks))


def distance_from_initialization(
    trained_networks: Networks, initial_networks: Networks
) -> Float64[Tensor, "networks"]:
    """Euclidean distance ‖w − w⁰‖₂ of all weights from their initialization (Jiang et al. 2019).

    Biases are left out, as in ``weight_norm``.

    Args:
        initial_networks: The networks before training.

    Returns:
        R distances. Differences are formed and summed in float64.

    Raises:
        ValueError: If the two have weights of different shapes.
    """
    weights, initial_weights = _weights(trained_networks), _weights(initial_networks)
    shapes = [tuple(weight.shape) for weight in weights]
    initial_shapes = [tuple(weight.shape) for weight in initial_weights]
    if shapes != initial_shapes:
        raise ValueError(
            f"initial_networks must have weights of shapes {shapes}, not {initial_shapes}."
        )
    return _norms([w - w0 for w, w0 in zip(weights, initial_weights, strict=True)])


def _weights(networks: Networks) -> list[Float64[Tensor, "networks ..."]]:
    """Weights of every layer in float64, with a leading network axis. Vectors are not weights."""
    if isinstance(networks, nn.Module):
        weights = [
            parameter.unsqueeze(0) for parameter in networks.parameters() if parameter.dim() > 1
        ]
    else:
        weights = list(networks.weights)
    return [weight.detach().double() for weight in weights]


def _norms(tensors: list[Float64[Tensor, "networks ..."]]) -> Float64[Tensor, "networks"]:
    """ℓ2 norm over everything but the network axis."""
    return torch.stack([tensor.flatten(1).norm(dim=1) for tensor in tensors]).norm(dim=0)

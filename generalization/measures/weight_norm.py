"""Norm of the weights and their distance from initialization: trivial baselines.

Args:
    trained_networks: The trained networks: a stack of R networks, or a module.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.networks.layer_weights import Weights, layer_weights, weight_changes
from generalization.networks.modules import Networks
from generalization.networks.reading import reads_networks


@reads_networks
def weight_norm(trained_networks: Networks) -> Float64[Tensor, "networks"]:
    """Euclidean norm ‖w‖₂ of all weights of a network (Jiang et al. 2019, Eq. 42).

    Biases and the scales and shifts of normalizations are omitted, as in the public code of
    Dziugaite et al. 2020. Weights are those that the network computes with: what parametrizations
    or hooks make, as spectral normalization does, not what it is made of.

    Returns:
        R norms, accumulated in float64, since a sum of a million float32 squares loses digits.

    Example:
        >>> network = torch.nn.Linear(2, 2)
        >>> _ = torch.nn.init.constant_(network.weight, 1.5)
        >>> weight_norm(network)
        tensor([3.], dtype=torch.float64)
    """
    return _norms(layer_weights(trained_networks))


@reads_networks
def distance_from_initialization(
    trained_networks: Networks, initial_networks: Networks
) -> Float64[Tensor, "networks"]:
    """Euclidean distance ‖w − w⁰‖₂ of all weights from their initialization.

    Source: Jiang et al. 2019, Eq. 40.

    Biases are omitted, and weights are those that the networks compute with, as in
    ``weight_norm``.

    Returns:
        R distances, computed in float64.

    Raises:
        ValueError: If the two have weights of different shapes.
    """  # noqa: DOC502
    return _norms(weight_changes(trained_networks, initial_networks))


def _norms(weights: Weights) -> Float64[Tensor, "networks"]:
    """Euclidean norm over all axes but that of the networks."""
    return torch.stack([weight.flatten(1).norm(dim=1) for weight in weights]).norm(dim=0)

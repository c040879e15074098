"""How far training moved the weights: a trivial baseline."""

from jaxtyping import Float64
from torch import Tensor

from generalization.measures.weight_norm import norms_of_stack, weights_of
from generalization.networks.modules import Networks


def distance_from_initialization(
    trained_networks: Networks, initial_networks: Networks
) -> Float64[Tensor, "networks"]:
    """‖w − w⁰‖₂ of all weights of a network together (Jiang et al. 2019).

    Biases are left out, as in ``weight_norm``.

    Args:
        trained_networks: A stack of R networks, or a ``torch.nn.Module``.
        initial_networks: The same before training.

    Returns:
        R distances. Differences are taken and summed in float64.

    Raises:
        ValueError: The two have weights of different shapes.
    """
    weights, initial_weights = weights_of(trained_networks), weights_of(initial_networks)
    shapes = [tuple(weight.shape) for weight in weights]
    initial_shapes = [tuple(weight.shape) for weight in initial_weights]
    if shapes != initial_shapes:
        raise ValueError(
            f"initial_networks must have weights of shapes {shapes}, not {initial_shapes}."
        )
    return norms_of_stack([w - w0 for w, w0 in zip(weights, initial_weights, strict=True)])

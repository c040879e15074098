"""Norm of the input-output Jacobian at training points."""

from jaxtyping import Float, Float64
from torch import Tensor

from generalization.measures.jacobian_norm import jacobian_norm
from generalization.networks.modules import Networks


def train_jacobian_norm(
    networks: Networks,
    train_inputs: Float[Tensor, "samples *features"],
    *,
    points: int = 1000,
) -> Float64[Tensor, "networks points"]:
    """‖∂σ(f(x))/∂xᵀ‖_F at the first training inputs, σ the softmax.

    Novak et al. 2018, §3, measure it at test points, and find it smaller near training points than
    away from them (§4.1): with ``jacobian_norm`` and ``gaussian_jacobian_norm`` this tells by how
    much. It is computed as ``jacobian_norm`` is.

    Args:
        networks: A stack of R networks, or a ``torch.nn.Module`` that maps inputs to logits.
        train_inputs: N training inputs, in the dtype of the weights.
        points: How many of them, if there are so many.

    Returns:
        R × min(points, N) norms, in probability per unit of input.

    Raises:
        ValueError: If there are to be no points.
    """
    if points < 1:
        raise ValueError(f"points must be at least 1, not {points!r}.")
    return jacobian_norm(networks, train_inputs[:points])

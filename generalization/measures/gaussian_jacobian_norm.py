"""Norm of the input-output Jacobian at points that have nothing to do with the data."""

import torch
from jaxtyping import Float, Float64
from torch import Generator, Tensor

from generalization.measures.jacobian_norm import jacobian_norm
from generalization.networks.modules import Networks


def gaussian_jacobian_norm(
    networks: Networks,
    train_inputs: Float[Tensor, "samples *features"],
    generator: Generator,
    *,
    points: int = 1000,
) -> Float64[Tensor, "networks points"]:
    """‖∂σ(f(x))/∂xᵀ‖_F at points x ~ N(0, I), σ the softmax.

    That is the law of every point a cos θ + b sin θ of the random ellipses of Novak et al. 2018,
    §A.5.2, with a and b ~ N(0, I): the mean over points estimates the mean over such ellipses.
    Inputs that are normalized to mean 0 and variance 1 have the same mean square length. The norm
    is computed as ``jacobian_norm`` is.

    Args:
        networks: A stack of R networks, or a ``torch.nn.Module`` that maps inputs to logits.
        train_inputs: Of whose shape, dtype and device the points are.
        generator: Of the points, on the CPU. All networks see the same ones.
        points: How many.

    Returns:
        R × points norms, in probability per unit of input.

    Raises:
        ValueError: If there are to be no points.
    """
    if points < 1:
        raise ValueError(f"points must be at least 1, not {points!r}.")
    inputs = torch.randn(points, *train_inputs.shape[1:], generator=generator)
    return jacobian_norm(networks, inputs.to(train_inputs))

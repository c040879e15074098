"""Curvature by the sum of Novak et al. 2018, which is half of the integral that it stands for."""

from jaxtyping import Float, Float64
from torch import Tensor

from generalization.measures.curvature import curvature as total_variation
from generalization.networks.modules import Networks


def discrete_curvature(
    networks: Networks,
    inputs: Float[Tensor, "samples channels height width"],
    *,
    curvature: Float64[Tensor, "networks samples"] | None = None,
    points: int = 4096,
) -> Float64[Tensor, "networks samples"]:
    """``½ Σ_i ‖f'(z_i) − f'(z_{i+1 mod k})‖_F`` in the limit of many points, half of ``curvature``.

    The paper takes this sum for its integral ``∮ ‖∂f'(z)/∂(dz)‖_F dz`` (Novak et al. 2018, §3,
    "Interpretation"). The integral is the sum without the factor ½: around the closed curve
    −1 → 1 → −1 the slope of a ReLU goes from 0 to 1 and back, which is 2, and the sum is 1. It is
    here for comparison with the print; whatever ranks networks ranks them alike by both.

    Args:
        networks: R networks, with or without biases, or a module from images to logits (R = 1).
        inputs: N images.
        curvature: What ``curvature`` gives for them, if it is known already.
        points: Points on a loop where ``curvature`` is sampled; else there are none.

    Returns:
        R × N sums, in logits per unit of input; NaN where the logits are not finite.

    Raises:
        InputError: If a module normalizes by the statistics of a batch.
        ValueError: If the inputs are not images, or if there are fewer than 2 points.
    """  # noqa: DOC502
    if curvature is None:
        curvature = total_variation(networks, inputs, points=points)
    return curvature / 2

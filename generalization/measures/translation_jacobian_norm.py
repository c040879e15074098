"""Norm of the input-output Jacobian around the translations of images."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from generalization.devices import items_at_once
from generalization.measures.jacobian_norm import jacobian_norm
from generalization.networks.modules import Networks
from generalization.regions.trajectories import equidistant_points, translation_loops


def translation_jacobian_norm(
    networks: Networks,
    inputs: Float[Tensor, "samples channels height width"],
    *,
    points: int = 56,
) -> Float64[Tensor, "networks samples"]:
    """Mean of ‖∂σ(f(z))/∂zᵀ‖_F over points z around each image's horizontal-translation loop.

    The loop is that along which ``transitions`` are counted (Novak et al. 2018, §3): it stays close
    to translated data, as the second trajectory of §4.1 does. The norm is computed as
    ``jacobian_norm`` is, for some images at a time.

    Args:
        networks: A stack of R networks, or a ``torch.nn.Module`` that maps images to logits.
        inputs: N images, in the dtype of the weights.
        points: Equidistant points on each loop, the image being the first. Every point of twice the
            width of the images is a translation or the middle between two.

    Returns:
        R × N means, in probability per unit of input.

    Raises:
        ValueError: If there are to be no points, or the inputs are not images.
    """
    # ASSUME: 56 points, two for each of the 28 translations of a digit.
    if points < 1:
        raise ValueError(f"points must be at least 1, not {points!r}.")
    numbers_per_image = points * inputs.shape[1:].numel()
    images = items_at_once("loop_points", numbers_per_image, inputs.device)
    means = []
    for some in inputs.split(images):
        on_loops = equidistant_points(translation_loops(some), points, 0, points)
        norms = jacobian_norm(networks, on_loops.flatten(0, 1))
        means.append(norms.unflatten(1, (len(some), points)).mean(2))
    return torch.cat(means, dim=1)

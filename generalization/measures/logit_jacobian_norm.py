"""Norm of the input-logit Jacobian."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from generalization.derivatives.input_jacobian import input_jacobian_norm
from generalization.networks.modules import Networks


def logit_jacobian_norm(
    networks: Networks, inputs: Float[Tensor, "samples *features"]
) -> Float64[Tensor, "networks samples"]:
    """‖∂f(x)/∂xᵀ‖_F at every point, f the logits (Novak et al. 2018, §3, as a companion).

    The measure of a network is the mean over points. See ``input_jacobian_norm`` for how it is
    computed, and in which precision.

    Args:
        networks: A stack of R networks, or a ``torch.nn.Module`` that maps inputs to logits.
        inputs: N points, in the dtype of the weights.

    Returns:
        R × N norms, in logits per unit of input.
    """
    return input_jacobian_norm(networks, inputs, _every_logit)


def _every_logit(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The identity matrix at every point, unscaled."""
    identity = torch.eye(logits.shape[-1], dtype=logits.dtype, device=logits.device)
    scale = torch.ones(logits.shape[:-1], dtype=torch.float64, device=logits.device)
    return identity.expand(*logits.shape, -1), scale

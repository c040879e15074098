"""Norm of the input-output Jacobian of the softmax."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from generalization.derivatives.input_jacobian import input_jacobian_norm
from generalization.networks.modules import Networks


def jacobian_norm(
    networks: Networks, inputs: Float[Tensor, "samples *features"]
) -> Float64[Tensor, "networks samples"]:
    """‖∂σ(f(x))/∂xᵀ‖_F at every point, σ the softmax (Novak et al. 2018, §3).

    The measure of a network is the mean over points. See ``input_jacobian_norm`` for how it is
    computed and ``softmax_jacobian_rows`` for why it is right where σ is saturated. Results are
    float64: a confident network has norms near e^-margin, which float32 rounds to 0 from a margin
    of 104 on.

    Args:
        networks: A stack of R networks, or a ``torch.nn.Module`` that maps inputs to logits.
        inputs: N points, in the dtype of the weights.

    Returns:
        R × N norms, in probability per unit of input.
    """
    return input_jacobian_norm(networks, inputs, softmax_jacobian_rows)


def softmax_jacobian_rows(
    logits: Float[Tensor, "*batch classes"],
) -> tuple[Float[Tensor, "*batch rows classes"], Float64[Tensor, "*batch"]]:
    """Rows with the norm of the softmax's Jacobian C = diag(σ) − σσᵀ, whatever they multiply.

    C_kk = σ_k Σ_{j≠k} σ_j, which is σ_k (1 − σ_k) without its cancellation: where σ_k rounds to 1,
    the latter is 0 and every norm built on it is wrong. For the same reason C is formed in float64,
    and divided by its largest entry before it is rounded.

    C has one row too many: its rows sum to zero, so that 1ᵀA = 0 for every A = CM, and

        ‖A‖_F² = Σ_{i>0} ‖A_i − A_0 / (1 + √K)‖²,

    the norm of A in an orthonormal basis of what is orthogonal to 1. (Expand the square with
    Σ_{i>0} A_i = −A_0.) That saves a K-th of the work, the half of it for two classes.

    Args:
        logits: f, of any batch.

    Returns:
        K − 1 rows C_i − C_0 / (1 + √K), divided by the scale, in the dtype of the logits; and the
        scale, the largest entry of C, which is on its diagonal.
    """
    classes = logits.shape[-1]
    probabilities = logits.double().softmax(-1)
    others = probabilities @ (1 - torch.eye(classes, device=logits.device, dtype=torch.float64))
    diagonal = probabilities * others
    scale = diagonal.amax(-1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    jacobian = -probabilities.unsqueeze(-1) * (probabilities / scale).unsqueeze(-2)
    jacobian.diagonal(dim1=-2, dim2=-1).copy_(diagonal / scale)
    jacobian = jacobian.to(logits.dtype)
    rows = jacobian[..., 1:, :] - jacobian[..., :1, :] / (1 + classes**0.5)
    return rows, scale.squeeze(-1)

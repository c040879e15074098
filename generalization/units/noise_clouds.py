"""Clouds of noisy copies of one image, in hidden layers, and their singular values."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from generalization.networks.hidden_layers import hidden_activations
from generalization.networks.modules import Networks


def squared_singular_values(
    matrices: Float[Tensor, "*batch rows columns"],
) -> Float64[Tensor, "*batch smaller"]:
    """s_i² of matrices, not centered, descending.

    They are the eigenvalues of HᵀH and of HHᵀ, of which the smaller one is formed, in float64: that
    takes two thirds of the time of a singular value decomposition, and leaves to a share of s_1²
    the digits that float32 activations have.
    """
    matrices = matrices.double()
    rows, columns = matrices.shape[-2:]
    gram = matrices.mT @ matrices if columns <= rows else matrices @ matrices.mT
    return torch.linalg.eigvalsh(gram).clamp_min(0).flip(-1)


@torch.no_grad()
def cloud_spectra(
    networks: Networks,
    image: Float[Tensor, "*features"],
    noise: Float[Tensor, "copies *features"],
    noise_scales: Sequence[float],
) -> list[Float64[Tensor, "networks noise_scales _components"]]:
    """Squared singular values of the copies x + σξ of an image in every hidden layer.

    Args:
        networks: A stack, or an ``nn.Sequential``, taken in eval mode.
        image: x, in the dtype of the weights.
        noise: ξ of every copy: the same for all σ and networks, so that they can be compared.
        noise_scales: σ, in units of the input.

    Returns:
        One tensor per hidden layer, s_i² descending.
    """
    copies = torch.cat([image + scale * noise for scale in noise_scales])
    clouds = (len(noise_scales), len(noise))
    return [
        squared_singular_values(layer.flatten(2).unflatten(1, clouds))
        for layer in hidden_activations(networks, copies)
    ]


def explained_variance(
    spectrum: Float64[Tensor, "*batch components"],
) -> tuple[Float64[Tensor, "*batch"], Float64[Tensor, "*batch"], Float64[Tensor, "*batch"]]:
    """EV_1, EV_2 and the rest, EV_i = s_i² / Σ_j s_j²; NaN where all is zero.

    Each is a sum of positive terms, so that a small rest is right to its last digits.
    """
    shares = torch.nn.functional.pad(spectrum / spectrum.sum(-1, keepdim=True), (0, 1))
    return shares[..., 0], shares[..., 1], shares[..., 2:].sum(-1)

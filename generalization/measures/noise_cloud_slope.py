"""How much of the noise at the input is left in the last hidden layer, by sampling."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from generalization.networks.modules import Networks
from generalization.units.cloud_spectra import cloud_spectra, explained_variance, noisy_copies


def noise_cloud_slope(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    generator: torch.Generator,
    *,
    noise_scale: float = 0.1,
    copies: int = 256,
) -> Float64[Tensor, "networks samples"]:
    """(ln ν_L − ln ν_0) / L, ν_l = 1 − EV_1 of noisy copies of a point in the l-th hidden layer.

    ν_l is the share of the squares of activations that is noise, after Graham, *From Generalization
    to Inner Activations*: negative slopes are what the blog hopes for, a network that filters noise
    out. For small σ, ν_l = ρ_l σ² with ρ_l = (‖A_l‖_F² − ‖ĥᵀA_l‖²) / ‖h‖² (see ``LayerNoise``), so
    that ln ν_L − ln ν_0 knows σ no more. It is the sum of what every layer adds to the logarithm,
    Σ_l ln(ν_l / ν_{l-1}); divided by their number L, networks of all depths can be compared. The
    last layer is what the classes are told from, and no scale of a layer changes it. Of the input,
    d numbers, ν_0 = (d − 1)σ² / (‖x‖² + dσ²) in expectation, without sampling.

    ``noise_to_signal_slope`` is its limit for small σ and many copies.

    Args:
        networks: A stack, or an ``nn.Sequential`` with a hidden layer, taken in eval mode.
        inputs: Points, in the dtype of the weights.
        generator: Of the noise, the same for all networks.
        noise_scale: σ, in units of the inputs.
        copies: Of every point.

    Returns:
        R × N slopes per layer; NaN where no unit of the last hidden layer is active.
    """
    slopes = []
    for point in inputs:
        cloud = noisy_copies(point.unsqueeze(0), generator, [noise_scale], copies)[0]
        spectra = cloud_spectra(networks, cloud)
        _, second, rest = explained_variance(spectra[-1][:, 0])
        features, square = point.numel(), point.double().square().sum()
        at_input = (features - 1) * noise_scale**2 / (square + features * noise_scale**2)
        slopes.append(((second + rest).log() - at_input.log()) / len(spectra))
    return torch.stack(slopes, dim=1)

"""Share of input noise that reaches the last hidden layer, estimated by sampling."""

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.errors import warn_of_no_value
from generalization.networks.hidden_layers import last_hidden_layer, number_of_hidden_layers
from generalization.networks.modules import Networks
from generalization.networks.reading import reads_networks
from generalization.samples import Inputs
from generalization.units.cloud_spectra import (
    explained_variance,
    noisy_copies,
    squared_singular_values,
)


@reads_networks
def noise_cloud_slope(
    networks: Networks,
    inputs: Inputs,
    generator: torch.Generator,
    *,
    noise_std: float = 0.1,
    copies: int = 256,
) -> Float64[Tensor, "networks samples"]:
    """Slope (ln ν_L − ln ν_0) / L of the share of noise ν_l over the hidden layers.

    ν_l = 1 − EV_1 of noisy copies of an input in the l-th hidden layer is the share of the squared
    activations that is noise (Graham, *From Generalization to Inner Activations*). A negative
    slope, the hypothesis of that post, means that the network filters noise out. For small σ,
    ν_l = ρ_l σ² with ρ_l = (‖A_l‖_F² − ‖ĥᵀA_l‖²) / ‖h‖² (see ``LayerNoise``), so that
    ln ν_L − ln ν_0 no longer depends on σ. It is the sum of the layers' contributions
    Σ_l ln(ν_l / ν_{l-1}); dividing it by the number L of layers makes depths comparable. The last
    layer is used because it separates the classes, and is what enters the last linear layer, see
    ``entering_head``; rescaling a layer does not change ν_L. An input
    of d numbers has ν_0 = (d − 1)σ² / (‖x‖² + dσ²) in expectation, which needs no sampling.

    ``noise_to_signal_slope`` is its limit for small σ and many copies.

    Source: this project's own summary of the shares that Graham, *From Generalization to Inner
    Activations*, draws layer by layer, because the league needs one number per network.

    Args:
        generator: Source of the noise, which all networks share.
        noise_std: Standard deviation σ of the noise, in units of the inputs.
        copies: Number of noisy copies per input.

    Returns:
        R × N slopes per layer; NaN, with a warning, where the last hidden layer has no active unit.
    """
    slopes, layers = [], number_of_hidden_layers(networks, inputs)
    for point in inputs:
        cloud = noisy_copies(point.unsqueeze(0), generator, [noise_std], copies)[0]
        spectra = squared_singular_values(last_hidden_layer(networks, cloud[0]))
        _, second, rest = explained_variance(spectra)
        features, square = point.numel(), point.double().square().sum()
        at_input = (features - 1) * noise_std**2 / (square + features * noise_std**2)
        slopes.append(((second + rest).log() - at_input.log()) / layers)
    found = torch.stack(slopes, dim=1)
    lost = ~found.isfinite()
    reason = f"noise does not reach the last hidden layer at {lost.sum()} of {lost.numel()} inputs"
    warn_of_no_value(reason, lost.any(1).tolist())
    return found

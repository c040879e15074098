"""Share of small input noise that reaches the last hidden layer, in closed form."""

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.derivatives.layer_noise import layer_noise
from generalization.errors import warn_of_no_value
from generalization.networks.hidden_layers import number_of_hidden_layers
from generalization.networks.modules import Networks
from generalization.networks.reading import reads_networks
from generalization.samples import Inputs
from generalization.standard_errors import tell_standard_error


@reads_networks
def noise_to_signal_slope(
    networks: Networks, inputs: Inputs
) -> Float64[Tensor, "networks samples"]:
    """Slope (ln ρ_L − ln ρ_0) / L of the noise-to-signal ratio ρ_l over the hidden layers.

    ρ_l = (‖A_l‖_F² − ‖ĥᵀA_l‖²) / ‖h_l‖² with A_l = ∂h_l/∂x: the squared norm of the Jacobian of a
    hidden layer, without its component along the activations h_l, relative to h_l. For small noise
    it is the limit of ``noise_cloud_slope`` in closed form. An input of d numbers has
    ρ_0 = (d − 1) / ‖x‖².

    Source: this project's own, because noise_cloud_slope is sampled and this limit of it is
    exact.

    Where some inputs have none, the standard error that is told is that of the others alone.

    Returns:
        R × N slopes per layer. Inputs with fewer than two active units in the last hidden layer
        have none, as often in narrow networks: there stands the mean over all other inputs, so that
        the mean over inputs is that over inputs with a slope; NaN if no input has one.
    """
    ratios = layer_noise(networks, inputs, last=True).noise_to_signal[..., 0]
    layers = number_of_hidden_layers(networks, inputs)
    points = inputs.flatten(1).double()
    at_input = (points.shape[1] - 1) / points.square().sum(1)
    slopes = (ratios.log() - at_input.log()) / layers
    defined = slopes.isfinite()
    without = (~defined.any(-1)).tolist()
    warn_of_no_value("no input has two active units in the last hidden layer", without)
    known = slopes.where(defined, torch.nan)
    means = known.nanmean(-1, keepdim=True)
    if not defined.all():
        # What stands in the place of others adds nothing to what is known of the mean.
        count = defined.sum(-1)
        variances = (known - means).square().nansum(-1) / (count * (count - 1))
        tell_standard_error(variances.sqrt())
    return slopes.where(defined, means)

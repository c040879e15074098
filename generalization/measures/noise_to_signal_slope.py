"""How much of small noise at the input is left in the last hidden layer."""

from jaxtyping import Float, Float64
from torch import Tensor

from generalization.derivatives.layer_noise import layer_noise
from generalization.networks.modules import Networks


def noise_to_signal_slope(
    networks: Networks, inputs: Float[Tensor, "samples *features"]
) -> Float64[Tensor, "networks samples"]:
    """(ln ρ_L − ln ρ_0) / L, ρ_l = (‖A_l‖_F² − ‖ĥᵀA_l‖²) / ‖h_l‖², A_l = ∂h_l/∂x.

    What ``noise_cloud_slope`` samples, for small noise and in closed form: the Jacobian of the last
    of L hidden layers, without what only makes h longer or shorter, relative to h. Of the input, d
    numbers, ρ_0 = (d − 1) / ‖x‖².

    Args:
        networks: A stack, or an ``nn.Sequential`` with a hidden layer, taken in eval mode.
        inputs: Points, in the dtype of the weights.

    Returns:
        R × N slopes per layer; NaN where no unit of the last hidden layer is active.
    """
    ratios = layer_noise(networks, inputs).noise_to_signal
    points = inputs.flatten(1).double()
    at_input = (points.shape[1] - 1) / points.square().sum(1)
    return (ratios[..., -1].log() - at_input.log()) / ratios.shape[-1]

"""Variance of the change of outputs under input noise, for four choices of the outputs.

All measures share the arguments and errors of ``output_sensitivity``.
"""

from jaxtyping import Float64
from torch import Generator, Tensor

from generalization.derivatives.output_changes import (
    PixelNoise,
    centered_logits,
    mean_logit,
    output_variance,
    probabilities,
    single_logits,
)
from generalization.networks.differentiability import needs_logits
from generalization.networks.modules import Networks
from generalization.networks.reading import reads_networks
from generalization.samples import Inputs


@reads_networks
def output_sensitivity(
    networks: Networks,
    inputs: Inputs,
    pixel_deviations: Float64[Tensor, "samples"],
    shared_generator: Generator,
    *,
    pixel_noise_std: float = 0.1,
    draws: int = 1,
) -> Float64[Tensor, "networks"]:
    """Variance of the mean logit's change, S = Var[(1/K) Σ_k f_k(x + ε) − f_k(x)].

    As the authors compute it (Forouzesh et al. 2020): from logits, before the softmax; with one
    draw of ε ~ N(0, σ²I) per input, σ = 0.1 for pixels from 0 to 1; as the population variance over
    test inputs and noise of the mean over outputs. The authors average S over networks. For
    probabilities S would be 0, because they sum to 1.

    S depends only on the mean logit, to which softmax, accuracy and cross-entropy are invariant:
    adding the same function of x to all logits changes S and nothing else. The gradient of the
    cross-entropy has no component along it, so that SGD without weight decay leaves the sum of the
    rows of the last layer at its initial value. ``centered_output_sensitivity`` measures the
    complement.

    Args:
        shared_generator: Source of the noise, on the CPU, which all networks share.

    Returns:
        R variances, in squared logits; see ``output_variance`` for standard errors.

    Raises:
        ValueError: If there are no draws, or no noise.
    """  # noqa: DOC502
    needs_logits()
    noise = PixelNoise(pixel_deviations, shared_generator, pixel_noise_std, draws)
    return output_variance(networks, inputs, noise, mean_logit)[0]


@reads_networks
def output_sensitivity_per_output(
    networks: Networks,
    inputs: Inputs,
    pixel_deviations: Float64[Tensor, "samples"],
    shared_generator: Generator,
    *,
    pixel_noise_std: float = 0.1,
    draws: int = 1,
) -> Float64[Tensor, "networks"]:
    """Mean over logits of the variance of their change, (1/K) Σ_k Var[f_k(x + ε) − f_k(x)].

    The variance S of Forouzesh et al. 2020 for each output separately, to which their relation with
    the loss applies. For uncorrelated logits it is K times ``output_sensitivity``.

    Returns:
        R variances, in squared logits.
    """
    needs_logits()
    noise = PixelNoise(pixel_deviations, shared_generator, pixel_noise_std, draws)
    return output_variance(networks, inputs, noise, single_logits)[0]


@reads_networks
def centered_output_sensitivity(
    networks: Networks,
    inputs: Inputs,
    pixel_deviations: Float64[Tensor, "samples"],
    shared_generator: Generator,
    *,
    pixel_noise_std: float = 0.1,
    draws: int = 1,
) -> Float64[Tensor, "networks"]:
    """Variance of the centered logits' change, Σ_k Var[e_k − ē] / (K − 1), e = f(x + ε) − f(x).

    The mean ē over logits, whose variance is the S of Forouzesh et al. 2020, is subtracted from
    every change. The value is therefore invariant, like the loss, to a function of x added to all
    logits. For uncorrelated logits it equals ``output_sensitivity_per_output``.

    Returns:
        R variances, in squared logits.
    """
    noise = PixelNoise(pixel_deviations, shared_generator, pixel_noise_std, draws)
    return output_variance(networks, inputs, noise, centered_logits)[0]


@reads_networks
def softmax_output_sensitivity(
    networks: Networks,
    inputs: Inputs,
    pixel_deviations: Float64[Tensor, "samples"],
    shared_generator: Generator,
    *,
    pixel_noise_std: float = 0.1,
    draws: int = 1,
) -> Float64[Tensor, "networks"]:
    """Variance of the probabilities' change, Σ_k Var[σ_k(f(x + ε)) − σ_k(f(x))], σ the softmax.

    The sensitivity of Forouzesh et al. 2020 for probabilities, summed over classes, since their
    mean over classes is constant. For small noise it is s² E‖J‖_F², with s the standard deviation
    of the noise in units of the input and J the Jacobian of the softmax, whose mean norm is
    ``jacobian_norm``.

    Returns:
        R variances, in squared probability.
    """
    noise = PixelNoise(pixel_deviations, shared_generator, pixel_noise_std, draws)
    return output_variance(networks, inputs, noise, probabilities)[0]

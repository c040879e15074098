"""Variance of the outputs' change under noise: four measures that differ in the outputs alone.

Arguments and errors of all of them are those of ``output_sensitivity``.
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
from generalization.networks.modules import Networks
from generalization.samples import Inputs


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

    As the authors compute it (Forouzesh et al. 2020): logits, before the softmax; one draw of
    ε ~ N(0, σ²I) at every point, with σ = 0.1 where pixels are from 0 to 1; the mean over outputs
    first, then the population variance over test points and noise. The authors average S over
    networks. Of the softmax it would be 0, because probabilities sum to 1.

    S depends on the mean logit alone, to which softmax, accuracy and cross-entropy are blind:
    adding the same function of x to all logits changes S and nothing else. Nor does the gradient of
    the cross-entropy have a component along it, so that SGD without weight decay leaves the sum of
    the rows of the last layer at its initial value. ``centered_output_sensitivity`` measures the
    rest.

    Args:
        shared_generator: Source of the noise, on the CPU. All networks see the same noise.
        pixel_noise_std: σ, in pixels.

    Returns:
        R variances, in squared logits. See ``output_variance`` for their standard errors.

    Raises:
        ValueError: If there are no draws, or no noise.
    """  # noqa: DOC502
    noise = PixelNoise(pixel_deviations, shared_generator, pixel_noise_std, draws)
    return output_variance(networks, inputs, noise, mean_logit)[0]


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

    The variance S of Forouzesh et al. 2020 of each output separately, which their relation with the
    loss is about. For uncorrelated logits it is K times that of the mean logit,
    ``output_sensitivity``.

    Returns:
        R variances, in squared logits.
    """
    noise = PixelNoise(pixel_deviations, shared_generator, pixel_noise_std, draws)
    return output_variance(networks, inputs, noise, single_logits)[0]


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
    every change: a function of x that is added to all logits, which the loss does not see, does not
    change the value. For uncorrelated logits it equals ``output_sensitivity_per_output``.

    Returns:
        R variances, in squared logits.
    """
    noise = PixelNoise(pixel_deviations, shared_generator, pixel_noise_std, draws)
    return output_variance(networks, inputs, noise, centered_logits)[0]


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

    The sensitivity of Forouzesh et al. 2020 of probabilities, summed over classes: their mean over
    classes never changes. For little noise it is s² E‖J‖_F², with s the standard deviation of the
    noise in units of the input and J the Jacobian of the softmax, whose mean norm is
    ``jacobian_norm``.

    Returns:
        R variances, in squared probability.
    """
    noise = PixelNoise(pixel_deviations, shared_generator, pixel_noise_std, draws)
    return output_variance(networks, inputs, noise, probabilities)[0]

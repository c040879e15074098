"""Variance of the change under noise of what distinguishes logits."""

from jaxtyping import Float, Float64
from torch import Generator, Tensor

from generalization.derivatives.output_changes import centered_logits, output_variance
from generalization.networks.modules import Networks


def centered_output_sensitivity(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    pixel_deviations: Float64[Tensor, "samples"],
    shared_generator: Generator,
    *,
    noise: float = 0.1,
    draws: int = 1,
) -> Float64[Tensor, "networks"]:
    """Σ_k Var[e_k − ē] / (K − 1) over test points and noise, with e = f(x + ε) − f(x).

    Of every change its mean ē over logits is left out, which Forouzesh et al. 2020, take
    the variance of: a function of x that is added to all logits, which the loss does not see, does
    not change the value. For uncorrelated logits it is the same as
    ``output_sensitivity_per_output``.

    Args:
        networks: A stack of R networks, or a ``torch.nn.Module`` that maps inputs to logits.
        inputs: N points, in the dtype of the weights.
        pixel_deviations: Pixels per unit of input, at every point.
        shared_generator: Of the noise, on the CPU. All networks see the same.
        noise: σ, in pixels.
        draws: Of noise at every point.

    Returns:
        R numbers, in squared logits. See ``output_variance`` for their standard errors.

    Raises:
        ValueError: If there are to be no draws, or no noise.
    """  # noqa: DOC502
    values, _ = output_variance(
        networks,
        inputs,
        pixel_deviations,
        shared_generator,
        centered_logits,
        noise=noise,
        draws=draws,
    )
    return values

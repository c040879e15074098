"""Mean over logits of the variance of their change under noise."""

from jaxtyping import Float, Float64
from torch import Generator, Tensor

from generalization.derivatives.output_changes import output_variance, single_logits
from generalization.networks.modules import Networks


def output_sensitivity_per_output(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    pixel_deviations: Float64[Tensor, "samples"],
    shared_generator: Generator,
    *,
    noise: float = 0.1,
    draws: int = 1,
) -> Float64[Tensor, "networks"]:
    """(1/K) Σ_k Var[f_k(x + ε) − f_k(x)] over test points and noise.

    The variance S of Forouzesh et al. 2020, of every output by itself: the variance that
    their relation with the loss is about. For uncorrelated logits it is K times that of the mean
    logit, ``output_sensitivity``.

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
        single_logits,
        noise=noise,
        draws=draws,
    )
    return values

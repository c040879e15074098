"""Variance of the change of the mean logit under noise."""

from jaxtyping import Float, Float64
from torch import Generator, Tensor

from generalization.derivatives.output_changes import mean_logit, output_variance
from generalization.networks.modules import Networks


def output_sensitivity(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    pixel_deviations: Float64[Tensor, "samples"],
    shared_generator: Generator,
    *,
    noise: float = 0.1,
    draws: int = 1,
) -> Float64[Tensor, "networks"]:
    """S = Var[(1/K) Σ_k f_k(x + ε) − f_k(x)] over test points and noise (Forouzesh et al. 2020).

    As the authors compute it: logits, before the softmax; one draw of ε ~ N(0, σ²I) at every point,
    with σ = 0.1 where pixels are from 0 to 1; the mean over outputs first, then the population
    variance. The authors take the mean over networks of that. Of the softmax it would be 0, because
    probabilities sum to 1.

    S is about the mean logit alone, to which softmax, accuracy and cross-entropy are blind: adding
    the same function of x to all logits changes S and nothing else. Nor does the gradient of the
    cross-entropy have a part along it, so that SGD without weight decay leaves the sum of the rows
    of the last layer as it was drawn. ``centered_output_sensitivity`` is about what is left.

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
        networks, inputs, pixel_deviations, shared_generator, mean_logit, noise=noise, draws=draws
    )
    return values

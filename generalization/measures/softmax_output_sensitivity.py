"""Variance of the change of probabilities under noise."""

from jaxtyping import Float, Float64
from torch import Generator, Tensor

from generalization.derivatives.output_changes import output_variance, probabilities
from generalization.networks.modules import Networks


def softmax_output_sensitivity(
    networks: Networks,
    inputs: Float[Tensor, "samples *features"],
    pixel_deviations: Float64[Tensor, "samples"],
    shared_generator: Generator,
    *,
    noise: float = 0.1,
    draws: int = 1,
) -> Float64[Tensor, "networks"]:
    """Σ_k Var[σ_k(f(x + ε)) − σ_k(f(x))] over test points and noise, σ the softmax.

    The sensitivity of Forouzesh et al. 2020, of probabilities, summed over classes: their
    mean over classes never changes. For little noise it is σ² E‖J‖_F², with J the Jacobian of the
    softmax, of which ``jacobian_norm`` is the mean norm.

    Args:
        networks: A stack of R networks, or a ``torch.nn.Module`` that maps inputs to logits.
        inputs: N points, in the dtype of the weights.
        pixel_deviations: Pixels per unit of input, at every point.
        shared_generator: Of the noise, on the CPU. All networks see the same.
        noise: σ, in pixels.
        draws: Of noise at every point.

    Returns:
        R numbers, in squared probability. See ``output_variance`` for their standard errors.

    Raises:
        ValueError: If there are to be no draws, or no noise.
    """  # noqa: DOC502
    values, _ = output_variance(
        networks,
        inputs,
        pixel_deviations,
        shared_generator,
        probabilities,
        noise=noise,
        draws=draws,
    )
    return values

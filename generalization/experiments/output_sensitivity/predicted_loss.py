"""The test loss that output sensitivity predicts."""

import numpy as np
from jaxtyping import Float


def predicted_loss(
    sensitivity: Float[np.ndarray, "..."] | float,
    ratio: Float[np.ndarray, "..."] | float,
    classes: int,
    *,
    constant: Float[np.ndarray, "..."] | float = 0.0,
) -> Float[np.ndarray, "..."]:
    """L = √(½ · (K−1)/K · (S C + Σ)), Forouzesh, Salehi & Thiran 2020, slides 10 and 11.

    The authors' code plots it without Σ; what the slides have is without (K−1)/K, the share of the
    variance of K uncorrelated logits that is left when their mean is subtracted. It comes from the
    squared loss, √(½ · squared loss), if variance is all of that, and variance is S C + Σ. For the
    latter S has to be that of single outputs, ``output_sensitivity_per_output``; the authors take
    that of the mean output, which for uncorrelated outputs is K times smaller.

    Args:
        sensitivity: S, in squared logits.
        ratio: C = E[x_j²] / σ², of inputs and of noise, see ``output_sensitivities``.
        constant: Σ, what the initial biases add to the variance of a logit.

    Returns:
        The cross-entropy, in nats.
    """
    variance = np.asarray(sensitivity) * ratio + constant
    return np.sqrt((classes - 1) / classes * variance / 2)

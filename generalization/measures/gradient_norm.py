"""Per-sample gradients of the training loss: norms and variance.

All are computed exactly, without forming the gradients, see ``gradient_factors``. Parameters are
the weights and biases of networks whose normalizations are folded into them; losses are
cross-entropies in nats. The measures are invariant to permuting units, but not to rescaling layers
against each other.
"""

from jaxtyping import Float64
from torch import Tensor

from generalization.derivatives.gradient_factors import loss_moments
from generalization.networks.modules import Networks
from generalization.networks.reading import reads_weights
from generalization.networks.sharing import once
from generalization.samples import TrainInputs, TrainLabels, first_samples


@reads_weights
def sample_gradient_norm(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks _"]:
    """Norm ‖∇ℓ‖₂ of the gradient of the loss of every training sample by all parameters.

    Its square is Σ_l ‖δ_l‖² ‖(a_{l-1}, 1)‖² with δ_l the derivative of the loss by z_l.

    Source: this project's own baseline; the mean of its square is the trace of the second
    moment C in the criterion of Takeuchi 1976.

    Returns:
        R × N norms, in nats per unit of the parameters.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    return once(loss_moments, networks, *first).squares.sqrt()


@reads_weights
def gradient_norm(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Norm ‖∇L‖₂ of the gradient of the mean training loss L by all parameters.

    Source: this project's own baseline; its square is the denominator of the noise scale of
    McCandlish et al. 2018, Eq. 2.9.

    Returns:
        R norms, in nats per unit of the parameters.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    return once(loss_moments, networks, *first).square_of_mean.sqrt()


@reads_weights
def gradient_variance(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Trace E‖g‖² − ‖E g‖² of the covariance of the per-sample gradients g.

    Source: this project's own baseline; it is the numerator of the noise scale of McCandlish et
    al. 2018, Eq. 2.9.

    Returns:
        R variances, in squared nats per squared unit of the parameters.
    """
    squares, of_mean = _moments(networks, train_inputs, train_labels, train_samples)
    return (squares - of_mean).clamp_min(0)


@reads_weights
def gradient_noise_scale(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Simple noise scale (E‖g‖² − ‖E g‖²) / ‖E g‖² of gradients (McCandlish et al. 2018, Eq. 2.9).

    It is the batch size at which noise and signal of the batch gradient have equal norm.

    Returns:
        R batch sizes.
    """
    squares, of_mean = _moments(networks, train_inputs, train_labels, train_samples)
    return (squares - of_mean).clamp_min(0) / of_mean


def _moments(
    networks: Networks, inputs: Tensor, labels: Tensor, train_samples: int
) -> tuple[Float64[Tensor, "networks"], Float64[Tensor, "networks"]]:
    """Return the mean squared norm of per-sample gradients, and the squared norm of their mean."""
    moments = once(loss_moments, networks, *first_samples(train_samples, inputs, labels))
    return moments.squares.mean(1), moments.square_of_mean

"""Gradients of the loss at single training samples: norms, variance and distance of their means.

All are exact, where sampling is usual: gradients of single samples are never formed, see
``gradient_factors``. Parameters are the weights and biases of networks whose normalizations are
folded into them, losses are cross-entropies in nats. Permuting units changes nothing; rescaling
layers against each other changes the parameters, hence all of these measures.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.derivatives.gradient_factors import (
    gradient_squares,
    loss_rows,
    squares_and_sum,
)
from generalization.derivatives.gradient_gram import loss_grams
from generalization.networks.modules import Networks
from generalization.samples import TrainInputs, TrainLabels, first_samples


def sample_gradient_norm(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks _"]:
    """Norm ‖∇ℓ‖₂ of the gradient by all parameters of the loss of every training point.

    Its square is Σ_l ‖δ_l‖² ‖(a_{l-1}, 1)‖², δ_l the derivative of the loss by z_l.

    Returns:
        R × N norms, in nats per unit of the parameters.
    """
    inputs, labels = first_samples(train_samples, train_inputs, train_labels)
    return gradient_squares(networks, inputs, loss_rows, labels).sqrt()


def gradient_norm(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Norm ‖∇L‖₂ of the gradient by all parameters of the mean loss L over training points.

    Returns:
        R norms, in nats per unit of the parameters.
    """
    return _moments(networks, train_inputs, train_labels, train_samples)[1].sqrt()


def gradient_variance(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Trace E‖g‖² − ‖E g‖² of the covariance matrix of the gradients g at training points.

    Arguments are those of ``gradient_norm``.

    Returns:
        R variances, in squared nats per squared unit of the parameters.
    """
    squares, of_mean = _moments(networks, train_inputs, train_labels, train_samples)
    return (squares - of_mean).clamp_min(0)


def gradient_noise_scale(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Simple noise scale (E‖g‖² − ‖E g‖²) / ‖E g‖² of gradients (McCandlish et al. 2018, Eq. 2.9).

    It is the batch size at which noise and mean of a batch's gradient are of one size. Arguments
    are those of ``gradient_norm``.

    Returns:
        R numbers of points.
    """
    squares, of_mean = _moments(networks, train_inputs, train_labels, train_samples)
    return (squares - of_mean).clamp_min(0) / of_mean


def gradient_disparity(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
    batch_size: int = 100,
) -> Float64[Tensor, "networks"]:
    """Mean distance ‖ḡ_S − ḡ_T‖₂ of mean gradients of two batches (Forouzesh & Thiran 2021).

    Batches are consecutive training points; a last one that is not full is left out. Distances are
    those of the Gram matrix of the gradients.

    Args:
        batch_size: Points in a batch; half of the points, if there are fewer than two batches.

    Returns:
        R distances, in nats per unit of the parameters.
    """
    # ASSUME: batches of 100 points; the source takes those of the training.
    inputs, labels = first_samples(train_samples, train_inputs, train_labels)
    size = min(batch_size, len(inputs) // 2)
    batches = len(inputs) // size
    used = slice(batches * size)
    pairs = torch.triu_indices(batches, batches, 1)
    found = []
    for gram in loss_grams(networks, inputs[used], labels[used]):
        of_batches = gram.unflatten(2, (batches, size)).unflatten(1, (batches, size)).mean((2, 4))
        squares = of_batches.diagonal(dim1=1, dim2=2)
        distances = squares.unsqueeze(1) + squares.unsqueeze(2) - 2 * of_batches
        found.append(distances[:, pairs[0], pairs[1]].clamp_min(0).sqrt().mean(1))
    return torch.cat(found)


def _moments(
    networks: Networks, inputs: Tensor, labels: Tensor, train_samples: int
) -> tuple[Float64[Tensor, "networks"], Float64[Tensor, "networks"]]:
    """Mean squared norm of gradients at points, and squared norm of their mean."""
    inputs, labels = first_samples(train_samples, inputs, labels)
    squares, total = squares_and_sum(networks, inputs, loss_rows, labels)
    of_total = torch.stack([layer.square().sum((1, 2)) for layer in total]).sum(0)
    return squares.mean(1), of_total / len(inputs) ** 2

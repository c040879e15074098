"""Predicted probabilities: confidence and dispersion on test inputs, calibration on training ones.

All are functions of the logits only, hence invariant to permuting units and to rescaling layers
against each other; scaling up the logits makes predictions more confident.
"""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from generalization.errors import require_positive
from generalization.networks.modules import Networks, logits_of
from generalization.networks.reading import reads_networks
from generalization.networks.sharing import once
from generalization.networks.softmax import softmax
from generalization.networks.softmax_losses import softmax_losses
from generalization.samples import Inputs, TrainInputs, TrainLabels


@reads_networks
def confidence_error(networks: Networks, inputs: Inputs) -> Float64[Tensor, "networks samples"]:
    """Lack of confidence 1 − max_k σ_k at every test input (Hendrycks & Gimpel 2017).

    For a calibrated network its mean is the test error, predicted without labels (Garg et al. 2022,
    "average confidence").

    Returns:
        R × N numbers from 0 to 1 − 1/K, computed as sums over the other classes, free of
        cancellation.
    """
    return _doubts(once(logits_of, networks, inputs))


@reads_networks
def thresholded_confidence_error(
    networks: Networks,
    inputs: Inputs,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    confidence_error: Float64[Tensor, "networks samples"] | None = None,
) -> Float64[Tensor, "networks samples"]:
    """Indicator that the confidence at a test input is below a threshold (ATC, Garg et al. 2022).

    The threshold is chosen such that as many training samples fall below it as are misclassified;
    if none is, it is the smallest confidence. The mean predicts the test error without test labels.

    Args:
        confidence_error: Values of this measure at the test inputs, if already computed.

    Returns:
        R × N numbers, 0 or 1.
    """
    # ASSUME: the threshold is set on the training set; the source uses held-out labels.
    logits = once(logits_of, networks, train_inputs)
    errors = (logits.argmax(-1) != train_labels).sum(1)
    doubts = _doubts(logits).sort(1, descending=True).values
    rank = errors.clamp_max(doubts.shape[1] - 1)
    threshold = doubts.gather(1, rank.unsqueeze(1))
    if confidence_error is None:
        confidence_error = _doubts(once(logits_of, networks, inputs))
    return (confidence_error > threshold).double()


@reads_networks
def prediction_nuclear_norm(networks: Networks, inputs: Inputs) -> Float64[Tensor, "networks"]:
    """Nuclear norm of the matrix of predicted probabilities at test inputs (Deng et al. 2023).

    It is large if predictions are confident and spread over all classes, and is divided by its
    upper bound √(N min(N, K)).

    Returns:
        R numbers from 0 to 1.
    """
    probabilities = softmax(once(logits_of, networks, inputs))
    samples, classes = probabilities.shape[1:]
    bound = (samples * min(samples, classes)) ** 0.5
    return torch.linalg.svdvals(probabilities).sum(1) / bound


@reads_networks
def training_calibration_error(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    confidence_bins: int = 15,
) -> Float64[Tensor, "networks"]:
    """Expected calibration error on the training set (Guo et al. 2017, Eq. 3).

    Σ_b (n_b / m) |accuracy_b − mean confidence_b| over bins (i/B, (i+1)/B] of the confidence.

    Args:
        confidence_bins: Number B of equal-width bins.

    Returns:
        R numbers from 0 to 1.
    """
    require_positive(confidence_bins=confidence_bins)
    logits = once(logits_of, networks, train_inputs)
    doubts = _doubts(logits)
    wrong = (logits.argmax(-1) != train_labels).double()
    bins = ((1 - doubts) * confidence_bins).ceil().long().clamp_min(1) - 1
    excess = doubts.new_zeros(len(doubts), confidence_bins).scatter_add(1, bins, wrong - doubts)
    return excess.abs().sum(1) / doubts.shape[1]


@reads_networks
def training_brier_score(
    networks: Networks, train_inputs: TrainInputs, train_labels: TrainLabels
) -> Float64[Tensor, "networks train_samples"]:
    """Brier score ‖σ − e_y‖² of every training sample (Brier 1950).

    Returns:
        R × N numbers from 0 to 2, computed as sums of positive terms.
    """
    logits = once(logits_of, networks, train_inputs).double()
    return softmax_losses(logits, train_labels)["squared_loss"]


def _doubts(
    logits: Float[Tensor, "networks samples classes"],
) -> Float64[Tensor, "networks samples"]:
    """Return the total probability of all classes but the likeliest."""
    largest = logits.argmax(-1, keepdim=True)
    return softmax(logits).scatter(-1, largest, 0.0).sum(-1)

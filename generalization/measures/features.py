"""Geometry of hidden activations: their rank, and how classes cluster.

Of a feature map, activations are means over positions. Classes are those that the training points
at hand have. Permuting units changes nothing. Nor does any positive factor on the activations of a
layer: rescaling layers against each other, and of ReLU networks without biases scaling the inputs,
change nothing, and the logits play no part where only hidden layers do.
"""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn

from generalization.derivatives.gradient_factors import activations_and_logits
from generalization.measures.margins import normalized_margins
from generalization.networks.hidden_layers import unit_activations
from generalization.networks.modules import SAMPLES_PER_CHUNK, Networks, logits_of
from generalization.samples import Inputs, TrainInputs, TrainLabels, first_samples


def effective_rank(networks: Networks, inputs: Inputs) -> Float64[Tensor, "networks"]:
    """Effective rank of the activations of the last hidden layer (Roy & Vetterli 2007).

    exp(−Σ p_i ln p_i) with p_i = s_i / Σ_j s_j, the shares of the singular values of the matrix of
    activations at test inputs, not centered.

    Returns:
        R numbers from 1 to the number of units; NaN where all activations are 0.
    """
    values = torch.linalg.svdvals(_last_activations(networks, inputs).double())
    shares = values / values.sum(1, keepdim=True)
    return torch.special.entr(shares).sum(1).exp()


def neural_collapse(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Collapse tr(Σ_W Σ_B⁺) / K of classes in the last hidden layer (Papyan et al. 2020, NC1).

    Σ_W is the mean covariance within classes, Σ_B that of the K class means, of rank K − 1. It is 0
    if all points of a class have the same activations.

    Returns:
        R numbers.
    """
    layers, labels = _training_activations(networks, train_inputs, train_labels, train_samples)
    activations, means = _around_class_means(layers[-1], labels)
    centered = means - means.mean(1, keepdim=True)
    _, values, directions = torch.linalg.svd(centered, full_matrices=False)
    # ‖Σ_B^{−1/2} (a − μ_y)‖² with Σ_B = Mᵀ M / K, M the centered means.
    least = values[:, :1] * max(centered.shape[1:]) * torch.finfo(torch.float64).eps
    inverse = values.reciprocal().where(values > least, 0.0)
    along = torch.bmm(activations, directions.mT) * inverse.unsqueeze(1)
    return along.square().sum(2).mean(1)


def davies_bouldin_index(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Davies–Bouldin index of the classes in the first hidden layer (Davies & Bouldin 1979).

    (1/K) Σ_i max_{j≠i} (S_i + S_j) / ‖μ_i − μ_j‖, with S_i the mean distance of the points of class
    i to their mean μ_i. Natekar & Sharma 2020 predict the gap by it, in the first layers.

    Arguments are those of ``neural_collapse``.

    Returns:
        R numbers; infinite where two classes have the same mean.
    """
    layers, labels = _training_activations(networks, train_inputs, train_labels, train_samples)
    return _davies_bouldin(layers[0], labels)


def label_wise_mixup_error(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks _"]:
    """Error at the midpoints of two training inputs of one class (Natekar & Sharma 2020).

    It is a function of the logits' order alone. Arguments are those of ``neural_collapse``.

    Returns:
        R × N numbers, 1 where a midpoint is not classified as both its ends are labelled.
    """
    mixed, labels = _mixups(train_inputs, train_labels, train_samples)
    return (logits_of(networks, mixed).argmax(-1) != labels).double()


def davies_bouldin_mixup(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Davies–Bouldin index times the error of label-wise mixup (Natekar & Sharma 2020).

    It won the competition Predicting Generalization in Deep Learning. Arguments are those of
    ``neural_collapse``.

    Returns:
        R numbers.
    """
    chosen = {"train_samples": train_samples}
    index = davies_bouldin_index(networks, train_inputs, train_labels, **chosen)
    return index * label_wise_mixup_error(networks, train_inputs, train_labels, **chosen).mean(1)


def mixup_margin(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Median of ``normalized_margins`` at midpoints of two training inputs of one class.

    Natekar & Sharma 2020 take margins of augmented data; here the mean over layers. Arguments are
    those of ``neural_collapse``.

    Returns:
        R numbers, without unit.
    """
    mixed, labels = _mixups(train_inputs, train_labels, train_samples)
    return normalized_margins(networks, mixed, labels).nanquantile(0.5, dim=1).mean(1)


def _training_activations(
    networks: Networks, inputs: Tensor, labels: Tensor, train_samples: int
) -> tuple[list[Float64[Tensor, "networks samples _"]], Int64[Tensor, "samples"]]:
    """Activations of hidden layers at the first training inputs, and their labels."""
    inputs, labels = first_samples(train_samples, inputs, labels)
    return [layer.double() for layer in unit_activations(networks, inputs)], labels


@torch.no_grad()
def _last_activations(
    networks: Networks, inputs: Tensor
) -> Float[Tensor, "networks samples units"]:
    """Activations of the last hidden layer; those of other layers of a stack are not kept."""
    if isinstance(networks, nn.Module):
        return unit_activations(networks, inputs)[-1]
    chunks = inputs.split(SAMPLES_PER_CHUNK)
    return torch.cat([activations_and_logits(networks, some)[0][-1] for some in chunks], dim=1)


def _around_class_means(
    activations: Float64[Tensor, "networks samples units"], labels: Int64[Tensor, "samples"]
) -> tuple[Float64[Tensor, "networks samples units"], Float64[Tensor, "networks classes units"]]:
    """Activations less the mean of their class, and these means."""
    _, places, counts = labels.unique(return_inverse=True, return_counts=True)
    sums = activations.new_zeros(len(activations), len(counts), activations.shape[2])
    means = sums.index_add(1, places, activations) / counts.view(-1, 1)
    return activations - means[:, places], means


def _davies_bouldin(
    activations: Float64[Tensor, "networks samples units"], labels: Int64[Tensor, "samples"]
) -> Float64[Tensor, "networks"]:
    around, means = _around_class_means(activations, labels)
    _, places, counts = labels.unique(return_inverse=True, return_counts=True)
    sums = around.new_zeros(len(around), len(counts)).index_add(1, places, around.norm(dim=2))
    spreads = sums / counts
    distances = torch.cdist(means, means, compute_mode="donot_use_mm_for_euclid_dist")
    ratios = (spreads.unsqueeze(1) + spreads.unsqueeze(2)) / distances
    itself = torch.eye(len(counts), dtype=torch.bool, device=labels.device)
    return ratios.masked_fill(itself, -torch.inf).amax(2).mean(1)


def _mixups(
    inputs: TrainInputs, labels: TrainLabels, train_samples: int
) -> tuple[Inputs, Int64[Tensor, "samples"]]:
    """Midpoints of each of the first training inputs and the next one of its class, and labels."""
    # ASSUME: midpoints, as in the public code; each point has the next one of its class, and the
    # last one the first, where the source takes all pairs of a batch.
    inputs, labels = first_samples(train_samples, inputs, labels)
    partners = torch.empty_like(labels)
    for label in labels.unique():
        members = (labels == label).nonzero().squeeze(1)
        partners[members] = members.roll(-1)
    return (inputs + inputs[partners]) / 2, labels

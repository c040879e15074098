"""Geometry of hidden activations: their rank, and the clustering of classes.

The last hidden layer is what enters the last linear layer, of modules whatever has made it, see
``entering_head``; the first is what the first activation function returns, if all else is computed
from it, see ``first_hidden_layer``. Feature maps of the first are averaged over positions. K is the
number of classes that occur among the training samples used. All measures are invariant to
permuting units and to scaling the activations of a layer, hence to rescaling layers against each
other and, for ReLU networks without biases, to scaling the inputs.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn

from generalization.derivatives.gradient_factors import activations_and_logits
from generalization.devices import samples_at_once
from generalization.measures.margins import margins_and_errors, normalized_margins
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.hidden_layers import first_hidden_layer, last_hidden_layer
from generalization.networks.modules import SAMPLES_PER_CHUNK, Networks, logits_of
from generalization.networks.reading import reads_networks
from generalization.networks.sharing import once
from generalization.precision import rounded_to
from generalization.samples import Inputs, TrainInputs, TrainLabels, first_samples


@reads_networks
def effective_rank(networks: Networks, inputs: Inputs) -> Float64[Tensor, "networks"]:
    """Effective rank of the activations of the last hidden layer (Roy & Vetterli 2007).

    exp(−Σ p_i ln p_i) with p_i = s_i / Σ_j s_j, where s_i are the singular values of the uncentered
    matrix of activations at test inputs. These are as given: what rounding has added to small
    singular values counts with its share, whatever the type.

    Returns:
        R numbers from 1 to the number of units; NaN where all activations are 0.
    """
    activations = _last_activations(networks, inputs)
    values = torch.stack([torch.linalg.svdvals(one.double()) for one in activations])
    shares = values / values.sum(1, keepdim=True)
    return torch.special.entr(shares).sum(1).exp()


@reads_networks
def neural_collapse(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Neural collapse tr(Σ_W Σ_B⁺) / K in the last hidden layer (Papyan et al. 2020, NC1).

    Σ_W is the within-class covariance, averaged over all samples; Σ_B is that of the K class means
    around their unweighted mean, of rank K − 1. Papyan et al. center them on the mean of all
    samples, which is the same for classes of one size, the only ones that they use. The measure is
    0 if all samples of a class have the same activations. Directions of class means within rounding
    are left out: that of the type of activations, or of a narrower one that holds them all.

    Returns:
        R numbers.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    if isinstance(networks, nn.Module):
        return once(_collapse_of_last, networks, *first)
    return once(_clustering, networks, *first).neural_collapse


@reads_networks
def davies_bouldin_index(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Davies–Bouldin index of the classes in the first hidden layer (Davies & Bouldin 1979).

    (1/K) Σ_i max_{j≠i} (S_i + S_j) / ‖μ_i − μ_j‖, with S_i the mean distance of the samples of
    class i from their mean μ_i. Natekar & Sharma 2020 use it in the first layers to predict the
    gap. Modules that begin with a gate, with branches beside each other, or with a shortcut past
    the first activation function have no first hidden layer, and are refused.

    Returns:
        R numbers; infinite where two classes have the same mean.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    if isinstance(networks, nn.Module):
        return once(_index_of_first, networks, *first)
    return once(_clustering, networks, *first).davies_bouldin


@reads_networks
def label_wise_mixup_error(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks _"]:
    """Error at the midpoints of two training inputs of one class (Natekar & Sharma 2020).

    It depends only on the order of the logits.

    Returns:
        R × N numbers, 1 where a midpoint is not assigned the label of both its ends.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    if isinstance(networks, nn.Module):
        return once(_module_errors, networks, *first)
    return once(_midpoint_margins, networks, *first).errors


@reads_networks
def davies_bouldin_mixup(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Davies–Bouldin index times the label-wise mixup error (Natekar & Sharma 2020).

    The winning measure of the competition Predicting Generalization in Deep Learning.

    Returns:
        R numbers.
    """
    chosen = {"train_samples": train_samples}
    index = davies_bouldin_index(networks, train_inputs, train_labels, **chosen)
    return index * label_wise_mixup_error(networks, train_inputs, train_labels, **chosen).mean(1)


@reads_networks
def mixup_margin(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Median of ``normalized_margins`` at midpoints of two training inputs of one class.

    Natekar & Sharma 2020 use margins of augmented data; here they are averaged over layers.

    Returns:
        R numbers, without unit.
    """
    first = first_samples(train_samples, train_inputs, train_labels)
    if isinstance(networks, nn.Module):
        margins = normalized_margins(networks, *_mixups(*first))
        return margins.nanquantile(0.5, dim=1).mean(1)
    return once(_midpoint_margins, networks, *first).median


class Clustering(NamedTuple):
    """Neural collapse in the last hidden layer, Davies–Bouldin index of the first, by network."""

    neural_collapse: Float64[Tensor, "networks"]
    davies_bouldin: Float64[Tensor, "networks"]


def _collapse_of_last(module: nn.Module, inputs: Tensor, labels: Tensor) -> Float64[Tensor, "1"]:
    return _neural_collapse([_last_activations(module, inputs)], _classes(labels))


@torch.no_grad()
def _index_of_first(module: nn.Module, inputs: Tensor, labels: Tensor) -> Float64[Tensor, "1"]:
    return _davies_bouldin([first_hidden_layer(module, inputs)], _classes(labels))


@torch.no_grad()
def _clustering(networks: FullyConnectedNetworks, inputs: Tensor, labels: Tensor) -> Clustering:
    """Compute both measures of clustering by one forward pass, network by network."""
    index, of_networks = _classes(labels), []
    for network in networks:
        first, last = [], []
        for some in inputs.split(samples_at_once(SAMPLES_PER_CHUNK)):
            layers = activations_and_logits(network, some)[0][1:]
            first.append(layers[0])
            last.append(layers[-1])
        of_networks.append((_neural_collapse(last, index), _davies_bouldin(first, index)))
    return Clustering(*map(torch.cat, zip(*of_networks, strict=True)))


def _classes(labels: Tensor) -> Int64[Tensor, "samples"]:
    """Return the labels, numbered from 0 among those that occur."""
    return labels.unique(return_inverse=True)[1]


@torch.no_grad()
def _last_activations(
    networks: Networks, inputs: Tensor
) -> Float[Tensor, "networks samples units"]:
    """Return the activations of the last hidden layer, storing no others for a stack."""
    if isinstance(networks, nn.Module):
        return last_hidden_layer(networks, inputs)
    chunks = inputs.split(samples_at_once(SAMPLES_PER_CHUNK))
    return torch.cat([activations_and_logits(networks, some)[0][-1] for some in chunks], dim=1)


def _class_means(
    chunks: Sequence[Float[Tensor, "1 _chunk units"]], index: Int64[Tensor, "samples"]
) -> Float64[Tensor, "1 classes units"]:
    """Return the means over the samples of every class."""
    members = nn.functional.one_hot(index).double()
    shares = (members / members.sum(0)).split([chunk.shape[1] for chunk in chunks])
    parts = [share.mT @ chunk.double() for share, chunk in zip(shares, chunks, strict=True)]
    return torch.stack(parts).sum(0)


def _neural_collapse(
    chunks: Sequence[Float[Tensor, "1 _chunk units"]], index: Int64[Tensor, "samples"]
) -> Float64[Tensor, "1"]:
    means = _class_means(chunks, index)
    centered = means - means.mean(1, keepdim=True)
    _, values, directions = torch.linalg.svd(centered, full_matrices=False)
    # ‖Σ_B^{−1/2} (a − μ_y)‖² with Σ_B = Mᵀ M / K, M the centered means.
    # Independent errors of ten roundings have a spectral norm below that of M times ten eps.
    epsilon = min(torch.finfo(rounded_to(chunk)).eps for chunk in chunks)
    rounding = 10 * epsilon * means.norm(dim=(1, 2)).unsqueeze(1)
    inverse = values.reciprocal().where(values > rounding, 0.0)
    scaled = directions.mT * inverse.unsqueeze(1)
    along = torch.cat([torch.bmm(chunk.double(), scaled) for chunk in chunks], dim=1)
    along -= torch.bmm(means, scaled)[:, index]
    return along.square().sum(2).mean(1)


def _davies_bouldin(
    chunks: Sequence[Float[Tensor, "1 _chunk units"]], index: Int64[Tensor, "samples"]
) -> Float64[Tensor, "1"]:
    means = _class_means(chunks, index)
    classes = index.split([chunk.shape[1] for chunk in chunks])
    distances = [
        torch.linalg.vector_norm(chunk.double() - means[:, some], dim=2, keepdim=True)
        for chunk, some in zip(chunks, classes, strict=True)
    ]
    spreads = _class_means(distances, index)
    between = torch.cdist(means, means, compute_mode="donot_use_mm_for_euclid_dist")
    ratios = (spreads + spreads.mT) / between
    itself = torch.eye(means.shape[1], dtype=torch.bool, device=index.device)
    return ratios.masked_fill(itself, -torch.inf).amax(2).mean(1)


class Midpoints(NamedTuple):
    """Errors at midpoints, and the median of their normalized margins averaged over layers."""

    errors: Float64[Tensor, "networks samples"]
    median: Float64[Tensor, "networks"]


def _midpoint_margins(
    networks: FullyConnectedNetworks, inputs: Tensor, labels: Tensor
) -> Midpoints:
    """Compute errors and margins at the midpoints by one forward pass."""
    margins, errors = margins_and_errors(networks, *_mixups(inputs, labels))
    return Midpoints(errors, margins.nanquantile(0.5, dim=1).mean(1))


def _module_errors(
    module: nn.Module, inputs: Tensor, labels: Tensor
) -> Float64[Tensor, "1 samples"]:
    mixed, labels = _mixups(inputs, labels)
    return (logits_of(module, mixed).argmax(-1) != labels).double()


def _mixups(
    inputs: TrainInputs, labels: TrainLabels
) -> tuple[Inputs, Int64[Tensor, "train_samples"]]:
    """Return midpoints of each training input and the next of its class, and labels.

    The last input of a class is paired with the first.
    """
    # ASSUME: midpoints, as in the public code, of each input and the next one of its class; the
    # source uses all pairs in a batch.
    partners = torch.empty_like(labels)
    for label in labels.unique():
        members = (labels == label).nonzero().squeeze(1)
        partners[members] = members.roll(-1)
    return (inputs + inputs[partners]) / 2, labels

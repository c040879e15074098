"""Margins of training samples, between the logit of the label and the largest other logit.

γ is that of ``margin_percentile``; measures that divide by it are NaN where it is not positive.
"""

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn

from generalization.derivatives.gradient_factors import activations_and_logits
from generalization.devices import SAMPLES_PER_BACKWARD, samples_at_once
from generalization.errors import warn_of_no_value
from generalization.networks.differentiability import needs_derivatives
from generalization.networks.fully_connected import FullyConnectedNetworks
from generalization.networks.hidden_layers import layer_maps
from generalization.networks.modules import Networks, evaluation_mode, logits_of
from generalization.networks.reading import reads_networks
from generalization.networks.sharing import once
from generalization.samples import Inputs, TrainInputs, TrainLabels, first_samples

Margins = Float64[Tensor, "networks train_samples"]


@reads_networks
def training_margin(
    networks: Networks, train_inputs: TrainInputs, train_labels: TrainLabels
) -> Margins:
    """Margin f_y − max_{j≠y} f_j of every training sample.

    The margin is negative for misclassified samples. It is invariant to permuting units and to
    rescaling layers against each other, and proportional to the logits.

    Source: Bartlett et al. 2017, whose bound divides by margins.

    Returns:
        R × N margins, in logits.
    """
    logits = once(logits_of, networks, train_inputs).double()
    return _difference(logits, *_label_and_rival(logits, train_labels))


@reads_networks
def inverse_squared_margin(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    training_margin: Margins | None = None,
) -> Float64[Tensor, "networks"]:
    """Inverse 1/γ² of the squared margin (Jiang et al. 2019, Eq. 22).

    Invariant to permuting units and to rescaling layers against each other; multiplying the logits
    by c divides it by c².

    Returns:
        R numbers, in inverse squared logits.
    """
    return training_gamma(networks, train_inputs, train_labels, training_margin).pow(-2)


@reads_networks
def lower_normalized_margin(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Lower quartile of ``normalized_margins`` over training samples, averaged over layers.

    Arguments, invariances and results are those of ``median_normalized_margin``.

    Source: Jiang et al. 2018, as median_normalized_margin.
    """
    return _quartile(0.25, networks, train_inputs, train_labels, train_samples)


@reads_networks
def median_normalized_margin(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Median of ``normalized_margins`` over training samples, averaged over layers.

    Jiang et al. 2018 regress the gap on the quartiles of each layer; here each quartile is one
    measure, its mean over layers. Invariant to permuting units, to rescaling layers against each
    other, and to scaling the logits, or the inputs of a network without biases.

    Returns:
        R numbers, without unit.
    """
    return _quartile(0.5, networks, train_inputs, train_labels, train_samples)


@reads_networks
def upper_normalized_margin(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Upper quartile of ``normalized_margins`` over training samples, averaged over layers.

    Arguments, invariances and results are those of ``median_normalized_margin``.

    Source: Jiang et al. 2018, as median_normalized_margin.
    """
    return _quartile(0.75, networks, train_inputs, train_labels, train_samples)


def training_gamma(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    margins: Margins | None,
) -> Float64[Tensor, "networks"]:
    """Return γ of the whole training set; its margins are computed unless they are given."""
    if margins is None:
        margins = training_margin(networks, train_inputs, train_labels)
    return margin_percentile(margins)


def margin_percentile(margins: Float64[Tensor, "networks samples"]) -> Float64[Tensor, "networks"]:
    """Return the tenth percentile γ of margins: the ⌊m/10⌋-th smallest of m, at least the smallest.

    It is an order statistic, as in the public code of Dziugaite et al. 2020, not interpolated as by
    NumPy. Where it is not positive, bounds that divide by it are void, and γ is NaN. (The public
    code takes the absolute value, which makes a network that misclassifies a tenth of its training
    set by a wide margin look like one that classifies it well.)
    """
    gamma = margins.kthvalue(max(1, margins.shape[1] // 10), dim=1).values
    reason = "the tenth percentile of training margins is not positive"
    warn_of_no_value(reason, (gamma <= 0).tolist())
    return gamma.where(gamma > 0, torch.nan)


def normalized_margins(
    networks: Networks, inputs: Inputs, labels: Int64[Tensor, "samples"]
) -> Float64[Tensor, "networks samples layers"]:
    """Return the distances of activations to the decision boundary, relative to their spread.

    To first order the distance is (f_y − f_j) / ‖∂(f_y − f_j)/∂a_l‖ with f_j the largest logit
    other than that of the label (Elsayed et al. 2018). It is divided by √ν_l, where ν_l is the
    total variance Σ_i Var a_{l,i} over the samples (Jiang et al. 2018). Layers are the input and
    the hidden layers after the activation function.

    Returns:
        R × N × L ratios; NaN where the logit difference does not depend on a layer, which then has
        no decision boundary.
    """
    if isinstance(networks, nn.Module):
        return torch.stack(_module_margins(networks, inputs, labels), dim=-1)
    return margins_and_errors(networks, inputs, labels)[0]


def margins_and_errors(
    networks: FullyConnectedNetworks, inputs: Inputs, labels: Int64[Tensor, "samples"]
) -> tuple[Float64[Tensor, "networks samples layers"], Float64[Tensor, "networks samples"]]:
    """Return the ``normalized_margins`` of a stack, and 1 where a prediction is wrong, else 0."""
    spread = _spread(inputs.unsqueeze(0))  # The same for all networks.
    found = [_stack_margins(network, inputs, labels, spread) for network in networks]
    margins, errors = (torch.cat(of_networks) for of_networks in zip(*found, strict=True))
    return margins, errors


def _quartile(
    quantile: float, networks: Networks, inputs: Tensor, labels: Tensor, train_samples: int
) -> Float64[Tensor, "networks"]:
    first = first_samples(train_samples, inputs, labels)
    margins = once(normalized_margins, networks, *first)
    return margins.nanquantile(quantile, dim=1).mean(1)


def _label_and_rival(
    logits: Float[Tensor, "networks samples classes"], labels: Int64[Tensor, "samples"]
) -> tuple[Int64[Tensor, "networks samples 1"], Int64[Tensor, "networks samples 1"]]:
    """Return the label y and the class j ≠ y with the largest logit, for each network."""
    labels = labels.expand(logits.shape[:2]).unsqueeze(2)
    return labels, logits.scatter(2, labels, -torch.inf).argmax(2, keepdim=True)


def _difference(logits: Tensor, labels: Tensor, rivals: Tensor) -> Tensor:
    return (logits.gather(2, labels) - logits.gather(2, rivals)).squeeze(2)


@torch.no_grad()
def _stack_margins(
    network: FullyConnectedNetworks,
    inputs: Tensor,
    labels: Tensor,
    spread_of_inputs: Float64[Tensor, "1 1"],
) -> tuple[Float64[Tensor, "1 samples layers"], Float64[Tensor, "1 samples"]]:
    """Return the normalized margins of a stack of one, and its errors.

    The gradient Wᵀδ by the inputs has the norm of Rδ, where Wᵀ = QR: of fewer units than inputs,
    less to compute.
    """
    first = network.weights[0]
    first = _triangular(first) if first.shape[2] > first.shape[1] else first
    spreads = [RunningSpread() for _ in range(network.depth - 1)]
    ratios, errors = [], []
    for some, of_some in zip(
        inputs.split(samples_at_once(SAMPLES_PER_BACKWARD)),
        labels.split(samples_at_once(SAMPLES_PER_BACKWARD)),
        strict=True,
    ):
        activations, logits = activations_and_logits(network, some)
        y, rivals = _label_and_rival(logits, of_some)
        deltas = torch.zeros_like(logits).scatter(2, y, 1.0).scatter(2, rivals, -1.0)
        norms = []
        for weight, layer in zip(network.weights[:0:-1], activations[:0:-1], strict=True):
            gradient = torch.bmm(deltas, weight)
            norms.append(_norms(gradient))
            deltas = network.phi.times_slope(gradient, layer)
        norms.append(_norms(torch.bmm(deltas, first)))
        difference = _difference(logits.double(), y, rivals)
        ratios.append(difference.unsqueeze(2) / torch.stack(norms[::-1], dim=2))
        errors.append((logits.argmax(2) != of_some).double())
        for spread, layer in zip(spreads, activations[1:], strict=True):
            spread.add(layer)
    of_layers = torch.stack([spread_of_inputs, *(one.root() for one in spreads)], dim=2)
    return torch.cat(ratios, dim=1) / of_layers, torch.cat(errors, dim=1)


def _triangular(weight: Float[Tensor, "1 units inputs"]) -> Float[Tensor, "1 units units"]:
    """Return Rᵀ of Wᵀ = QR, rounded once."""
    return torch.linalg.qr(weight.double().mT, mode="r").R.mT.to(weight.dtype)


def _module_margins(
    module: nn.Module, inputs: Tensor, labels: Tensor
) -> list[Float64[Tensor, "1 samples"]]:
    """Return the normalized margins of a sequence of layers, by one backward pass."""
    *pieces, last = layer_maps(module)
    needs_derivatives("inputs")
    layers, ratios = [], []
    with evaluation_mode(module), torch.enable_grad():
        for some, of_some in zip(
            inputs.split(samples_at_once(SAMPLES_PER_BACKWARD)),
            labels.split(samples_at_once(SAMPLES_PER_BACKWARD)),
            strict=True,
        ):
            activations = [some.detach().requires_grad_()]
            for piece in pieces:
                activations.append(piece(activations[-1].clone()))
            logits = last(activations[-1]).unsqueeze(0)
            difference = _difference(logits, *_label_and_rival(logits, of_some))
            gradients = torch.autograd.grad(difference.sum(), activations)
            layers.append([layer.detach().unsqueeze(0) for layer in activations])
            d = difference.detach().double()
            ratios.append([d / _norms(gradient.flatten(1)).unsqueeze(0) for gradient in gradients])
    joined = [torch.cat(parts, dim=1) for parts in zip(*layers, strict=True)]
    of_layers = [torch.cat(parts, dim=1) for parts in zip(*ratios, strict=True)]
    return [r / _spread(a) for r, a in zip(of_layers, joined, strict=True)]


def _norms(vectors: Float[Tensor, "*batch _"]) -> Float64[Tensor, "*batch"]:
    """Return the norms of gradients; NaN where the gradient is 0."""
    norms = torch.linalg.vector_norm(vectors, dim=-1, dtype=torch.float64)
    return norms.where(norms > 0, torch.nan)


class RunningSpread:
    """Root of the total variance of a layer over samples that come in chunks.

    With m the mean of the first chunk, N times the total variance is Σ ‖a − m‖² − N ‖ā − m‖².
    """

    def __init__(self):
        self.center: Tensor | None = None
        self.samples = 0

    def add(self, values: Float[Tensor, "1 samples units"]) -> None:
        """Add a chunk, sample by sample in the order of memory: faster than unit by unit."""
        if self.center is None:
            self.center = values.mean(1, keepdim=True)
            self.squares = values.new_zeros(1, 1, dtype=torch.float64)
            self.total = torch.zeros_like(self.center, dtype=torch.float64)
        centered = values - self.center
        # Sums of squares in single precision stay short.
        self.squares += centered.norm(dim=2).double().square().sum(1, keepdim=True)
        self.total += centered.sum(1, keepdim=True)
        self.samples += values.shape[1]

    def root(self) -> Float64[Tensor, "1 1"]:
        """Return the root of the total variance of all samples added so far."""
        of_mean = self.total.square().sum(2) / self.samples
        return ((self.squares - of_mean).clamp_min(0) / self.samples).sqrt()


def _spread(activations: Float[Tensor, "1 samples *_"]) -> Float64[Tensor, "1 1"]:
    """Return the root of the total variance of a layer over samples."""
    values = activations.flatten(2)
    centered = values - values.mean(1, keepdim=True)
    # Sample by sample, in the order of memory: faster than the variance of every unit, and sums of
    # squares in single precision stay short.
    return centered.norm(dim=2).double().norm(dim=1, keepdim=True) / values.shape[1] ** 0.5

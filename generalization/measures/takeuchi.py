"""Takeuchi's information criterion, and its approximations by traces and by diagonals of matrices.

C = E g gᵀ is the second moment of the per-sample gradients of the training loss, H the Gauss–Newton
matrix. The criterion itself, tr(C H⁺), tells little of overparametrized networks: where N (K − 1)
gradients of the logits of N samples are linearly independent, it is Σ_i (1 − σ_y) / σ_y, a function
of the probabilities only.

Args:
    generator: Source on the CPU of random rows; values are exact without one.
    rows: Number of rows of a root of the curvature in logit space, one backward pass each, that are
        drawn at every sample of a module with more than 128 classes; ``all`` for exact values.
"""

import warnings
from collections.abc import Sequence
from copy import deepcopy

import torch
from jaxtyping import Float64, Int64
from torch import Generator, Tensor, nn

from generalization.derivatives.fisher_sketch import fisher_diagonals, fisher_traces
from generalization.derivatives.gradient_factors import (
    fisher_moments,
    fisher_rows,
    gradient_blocks,
    loss_moments,
)
from generalization.derivatives.gradient_gram import gradient_gram
from generalization.derivatives.row_counts import ROWS
from generalization.derivatives.row_sketch import Rows, jackknifed, tell_error
from generalization.errors import Approximated
from generalization.networks.modules import Networks, logits_of, number_of_networks
from generalization.networks.reading import reads_weights
from generalization.networks.sharing import once
from generalization.networks.softmax import softmax
from generalization.samples import TrainInputs, TrainLabels, first_samples

# ASSUME: in units of the precision; of biases of attention keys, which shift all scores of a query,
# gradients were 0.03 of one.
ROUNDING = 4
MOST_ENTRIES = 2**22  # of a matrix of gradients that is formed where its Gram matrix is singular


@reads_weights
def tic_of_traces(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    generator: Generator | None = None,
    train_samples: int = 1000,
    rows: int | str = ROWS,
) -> Float64[Tensor, "networks"]:
    """Ratio tr C / tr H of Takeuchi's information criterion (Thomas et al. 2020).

    Where rows are drawn, the ratio is freed of the bias of 1 / tr H to first order, its relative
    variance.

    Returns:
        R ratios, in nats.
    """
    inputs, labels = first_samples(train_samples, train_inputs, train_labels)
    seconds = once(loss_moments, networks, inputs, labels).squares.mean(1)
    drawn = fisher_traces(networks, inputs, Rows(rows, generator))
    if drawn is None:
        return seconds / once(fisher_moments, networks, inputs).traces.mean(1)
    traces = drawn.values.mean(1)
    relative = drawn.variances.sum(1).sqrt() / len(inputs) / traces
    ratios = seconds / traces * (1 - relative.square())
    tell_error(ratios, ratios * relative, drawn.how)
    return ratios


@reads_weights
def tic_of_diagonals(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    generator: Generator | None = None,
    train_samples: int = 1000,
    rows: int | str = ROWS,
) -> Float64[Tensor, "networks"]:
    """Sum Σ_p C_pp / H_pp over parameters: Takeuchi's criterion with diagonal matrices.

    Parameters that do not affect the logits have C_pp = H_pp = 0 up to rounding, and are omitted:
    those of which neither is larger than rounding of the largest of the network.
    Invariant to rescaling units against the next layer.

    Source: this project's own approximation of Takeuchi 1976, because it is invariant to
    rescaling units, which tic_of_traces is not.

    Where rows are drawn, the jackknife over four groups of them frees the sum of the bias of
    1 / H_pp to first order, and gives its standard error, with three degrees of freedom.

    Returns:
        R sums, in nats; infinite where H_pp underflows and C_pp does not.
    """
    inputs, labels = first_samples(train_samples, train_inputs, train_labels)
    precision = logits_of(networks, inputs[:1]).dtype
    seconds = once(loss_moments, networks, inputs, labels).diagonal
    drawn = fisher_diagonals(networks, inputs, labels, Rows(rows, generator))
    if drawn is None:
        curvatures = once(fisher_moments, networks, inputs).diagonal
        return _sum_of_ratios(seconds, curvatures, precision)
    left_out = torch.stack([_sum_of_ratios(seconds, one, precision) for one in drawn.left_out])
    whole = _sum_of_ratios(seconds, drawn.total, precision)
    sums, variances = jackknifed(whole, left_out, drawn.dimensions, drawn.drawn)
    tell_error(sums, variances.sqrt(), drawn.how)
    return sums


def _sum_of_ratios(
    seconds: Sequence[Float64[Tensor, "networks _ _"]],
    curvatures: Sequence[Float64[Tensor, "networks _ _"]],
    precision: torch.dtype,
) -> Float64[Tensor, "networks"]:
    """Return Σ_p C_pp / H_pp over the parameters that affect the logits.

    Args:
        precision: Type of the gradients whose squares these are.
    """
    least_c, least_h = (_rounding(one, precision) for one in (seconds, curvatures))
    of_layers = [
        (c / h).where((c > least_c) | (h > least_h), 0.0).sum((1, 2), keepdim=True)
        for c, h in zip(seconds, curvatures, strict=True)
    ]
    return torch.stack(of_layers).sum(0)[:, 0, 0]


def _rounding(
    squares: Sequence[Float64[Tensor, "networks _ _"]], precision: torch.dtype
) -> Float64[Tensor, "networks 1 1"]:
    """Return the squares that gradients have where they are nothing but rounding."""
    largest = torch.stack([layer.amax((1, 2), keepdim=True) for layer in squares]).amax(0)
    return (ROUNDING * torch.finfo(precision).eps) ** 2 * largest


@reads_weights
def takeuchi_criterion(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 50,
) -> Float64[Tensor, "networks"]:
    """Takeuchi's information criterion tr(C H⁺) (Takeuchi 1976; Thomas et al. 2020, Eq. 7).

    With the K − 1 rows R_i of ``fisher_rows``, H is Aᵀ A / N for A of N (K − 1) rows R_i J_i, where
    J_i is the Jacobian of the logits by the parameters; the gradient of the loss is a combination
    c_iᵀ R_i J_i of the rows of its sample. So tr(C H⁺) is Σ_i c_iᵀ Π_ii c_i with Π the projection
    on the range of A, which is that of its Gram matrix A Aᵀ. It is computed in float64, and
    invariant to any linear change of the parameters, such as rescaling units against the next
    layer. Where the Gram matrix is singular and A is small, the range is that of A itself, which
    keeps the digits that the square loses.

    If the rank of A is N (K − 1), then Π is the identity, and a warning says that the value is a
    function of the probabilities alone.

    Args:
        train_samples: Number N of training samples; time grows as N³ (K − 1)³.

    Returns:
        R numbers, in nats; infinite where the probability of a label is 0.
    """
    # ASSUME: 50 samples, since with ten classes their Gram matrix has 450 rows.
    inputs, labels = first_samples(train_samples, train_inputs, train_labels)
    inputs = inputs.double()
    double = deepcopy(networks) if isinstance(networks, nn.Module) else networks
    double = double.to(torch.float64)
    logits = logits_of(double, inputs)
    full, values = [], []
    for member in range(number_of_networks(double)):
        one = double if isinstance(double, nn.Module) else double[[member]]
        (gram,) = gradient_gram(one, inputs, fisher_rows)
        basis = _range_of_gram(gram)
        full.append(basis.shape[1] == len(gram))
        if not full[-1] and len(gram) * _parameters(one) <= MOST_ENTRIES:
            basis = _range(_rows(one, inputs))
        values.append(_projected(logits[member], labels, None if full[-1] else basis))
    if any(full):
        how = "a function of the probabilities of labels alone: all gradients are independent"
        warnings.warn(Approximated(how, full), stacklevel=2)
    return torch.stack(values)


def _parameters(network: Networks) -> int:
    """Return the number of parameters of one network."""
    tensors = network.parameters() if isinstance(network, nn.Module) else network.parameters
    return sum(one.numel() for one in tensors)


def _rows(network: Networks, inputs: Tensor) -> Float64[Tensor, "rows parameters"]:
    """Return A of a network with few parameters."""
    blocks = []
    for block in gradient_blocks(network, inputs, fisher_rows):
        layers = [torch.einsum("npku,npa->pkua", *factors).flatten(2) for factors in block.layers]
        blocks.append(torch.cat(layers, 2) * block.scale[0, :, None, None])
    return torch.cat(blocks).flatten(0, 1)


def _range(rows: Float64[Tensor, "rows parameters"]) -> Float64[Tensor, "rows rank"]:
    """Return an orthonormal basis of the range of A, whose rank is that of rows of norm 1.

    Rows of samples whose label is almost certain are small.
    """
    norms = rows.norm(dim=1)
    left, values, _ = torch.linalg.svd(rows / norms.where(norms > 0, 1.0).unsqueeze(1), False)
    rounding = max(rows.shape) * torch.finfo(torch.float64).eps * values[0]
    return torch.linalg.qr(norms.unsqueeze(1) * left[:, values > rounding]).Q


def _range_of_gram(gram: Float64[Tensor, "rows rows"]) -> Float64[Tensor, "rows rank"]:
    """Return the ``_range`` of A from A Aᵀ, whose condition is the square."""
    norms = gram.diagonal().clamp_min(0).sqrt()
    inverse = norms.reciprocal().where(norms > 0, 0.0)
    values, vectors = torch.linalg.eigh(gram * inverse.unsqueeze(1) * inverse)
    rounding = len(gram) * torch.finfo(torch.float64).eps * values[-1]
    return torch.linalg.qr(norms.unsqueeze(1) * vectors[:, values > rounding]).Q


def _projected(
    logits: Float64[Tensor, "samples classes"],
    labels: Int64[Tensor, "samples"],
    basis: Float64[Tensor, "rows rank"] | None,
) -> Float64[Tensor, ""]:
    """Return Σ_i c_iᵀ Π_ii c_i; Π is the identity without a basis.

    Row k of ``fisher_rows`` is √(σ_k q_k / q_{k−1}) times e_k − E[e_j | j > k], where q_k is
    Σ_{j>k} σ_j. ln σ_y is the sum over k ≤ y of the logarithms of the probabilities of k, or not k,
    among the classes from k on. So c is √(σ_k / (q_k q_{k−1})) at k < y, −√(q_y / (σ_y q_{y−1})) at
    y, and 0 above.
    """
    sigma = softmax(logits)
    of_label = labels.unsqueeze(1)
    if basis is None:
        others = sigma.scatter(1, of_label, 0.0).sum(1)
        return (others / sigma.gather(1, of_label).squeeze(1)).sum()
    from_here = sigma.flip(1).cumsum(1).flip(1)
    before, after, at = from_here[:, :-1], from_here[:, 1:], sigma[:, :-1]
    places = torch.arange(at.shape[1], device=labels.device)
    below = (at / (after * before)).sqrt().where(places < of_label, 0.0)
    factors = below - (after / (at * before)).sqrt().where(places == of_label, 0.0)
    combined = (factors.reshape(-1, 1) * basis).unflatten(0, factors.shape).sum(1)
    return combined.square().sum()

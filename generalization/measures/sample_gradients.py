"""Gradients of the loss at single training points: their norms, inner products and curvature.

All are exact, where sampling is usual: gradients at points are never formed, see
``gradient_factors``. Parameters are the weights and biases of networks whose normalizations are
folded into them. Losses are cross-entropies in nats. Permuting units changes nothing; rescaling
layers against each other changes what the parameters are, and all measures but the Fisher–Rao
norms.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Float64, Shaped
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Generator, Tensor, nn
from torch.nn.functional import one_hot

from generalization.derivatives.gradient_factors import (
    directional_derivatives,
    fisher_rows,
    gradient_gram,
    gradient_squares,
    gradient_sum,
    loss_rows,
    parameters_of,
    squares_and_sum,
)
from generalization.networks.modules import Networks
from generalization.samples import TrainInputs, TrainLabels

GRAM_NUMBERS = 2**24  # Of all Gram matrices at a time: 128 MiB in double precision.


def gauss_newton_trace(
    networks: Networks, train_inputs: TrainInputs, *, train_samples: int = 1000
) -> Float64[Tensor, "networks _"]:
    """Trace of the Gauss–Newton matrix Jᵀ (diag(σ) − σσᵀ) J of the loss at every training point.

    For the cross-entropy it is that of the Fisher information, E_{y~σ} ‖∇ℓ_y‖². With δ_l = ∂f/∂z_l,

        tr = Σ_l ‖(a_{l-1}, 1)‖² tr(δ_lᵀ (diag(σ) − σσᵀ) δ_l),

    which Hutchinson's estimator would need random probes for. Labels play no part.

    Returns:
        R × N traces, in nats per squared unit of the parameters.
    """
    return gradient_squares(networks, _first(train_inputs, train_samples), fisher_rows)


def gauss_newton_eigenvalue(
    networks: Networks,
    train_inputs: TrainInputs,
    generator: Generator,
    *,
    train_samples: int = 1000,
    tolerance: float = 1e-6,
) -> Float64[Tensor, "networks"]:
    """Largest eigenvalue of the mean Gauss–Newton matrix over training points, by Lanczos.

    Products with the matrix are a derivative of the logits along a direction, the curvature of the
    loss by the logits, and a backward pass; the matrix is never formed.

    Args:
        generator: Source of the vector that the iteration begins with, on the CPU.
        tolerance: Relative accuracy of the eigenvalue.

    Returns:
        R eigenvalues, in nats per squared unit of the parameters; NaN where the iteration has not
        converged.
    """
    inputs = _first(train_inputs, train_samples)
    if isinstance(networks, nn.Module):
        stacks = [networks]
    else:
        stacks = [networks[[member]] for member in range(len(networks))]
    found = [_largest_eigenvalue(network, inputs, generator, tolerance) for network in stacks]
    return torch.tensor(found, dtype=torch.float64, device=train_inputs.device)


def fisher_rao_norm(
    networks: Networks, train_inputs: TrainInputs, *, train_samples: int = 1000
) -> Float64[Tensor, "networks _"]:
    """Squared Fisher–Rao norm ⟨w, F w⟩ at every training point (Liang et al. 2019).

    With F the Fisher information that is the variance over classes k ~ σ of (J w)_k, J w being the
    derivative of the logits along the parameters: one forward pass. Without biases J w is L f for
    piecewise-linear activations that pass through 0, L the number of layers, hence L² times the
    variance of the logits. Then rescaling layers against each other changes nothing, and with
    biases nothing either if they are rescaled along.

    Returns:
        R × N numbers, in nats.
    """
    probabilities, along = _along_parameters(networks, _first(train_inputs, train_samples))
    # Deviations from the likeliest class: nothing cancels where it is certain.
    likeliest = probabilities.argmax(-1, keepdim=True)
    deviations = along - along.gather(-1, likeliest)
    mean = (probabilities * deviations).sum(-1)
    return (probabilities * deviations.square()).sum(-1) - mean.square()


def empirical_fisher_rao_norm(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks _"]:
    """Squared Fisher–Rao norm ⟨w, ∇ℓ⟩² of the empirical Fisher information (Liang et al. 2019).

    ⟨w, ∇ℓ⟩ is ⟨σ, J w⟩ − (J w)_y; without biases it is L (⟨σ, f⟩ − f_y). Invariances are those of
    ``fisher_rao_norm``.

    Returns:
        R × N numbers, in squared nats.
    """
    probabilities, along = _along_parameters(networks, _first(train_inputs, train_samples))
    labels = train_labels[:train_samples].expand(along.shape[:2]).unsqueeze(-1)
    return (probabilities * (along - along.gather(-1, labels))).sum(-1).square()


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
    inputs = _first(train_inputs, train_samples)
    return gradient_squares(networks, inputs, loss_rows, train_labels[:train_samples]).sqrt()


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
    inputs, labels = _first(train_inputs, train_samples), train_labels[:train_samples]
    size = min(batch_size, len(inputs) // 2)
    batches = len(inputs) // size
    used = slice(batches * size)
    pairs = torch.triu_indices(batches, batches, 1)
    found = []
    for gram in _grams(networks, inputs[used], labels[used]):
        of_batches = gram.unflatten(2, (batches, size)).unflatten(1, (batches, size)).mean((2, 4))
        squares = of_batches.diagonal(dim1=1, dim2=2)
        distances = squares.unsqueeze(1) + squares.unsqueeze(2) - 2 * of_batches
        found.append(distances[:, pairs[0], pairs[1]].clamp_min(0).sqrt().mean(1))
    return torch.cat(found)


def stiffness(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Mean cosine between gradients at two different training points (Fort et al. 2019).

    It is scale-free: multiplying the loss or all gradients changes nothing. A point without
    gradient has no cosine and is left out.

    Returns:
        R numbers from −1 to 1; NaN if there are no two points.
    """
    inputs, labels = _first(train_inputs, train_samples), train_labels[:train_samples]
    return _mean_cosine(networks, inputs, labels)


def sign_stiffness(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Mean sign of the inner product of gradients at two different points (Fort et al. 2019).

    Arguments and results are those of ``stiffness``.
    """
    inputs, labels = _first(train_inputs, train_samples), train_labels[:train_samples]
    return _mean_cosine(networks, inputs, labels, signs=True)


def within_class_stiffness(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Mean cosine between gradients at two different points of one class (Fort et al. 2019).

    Arguments and results are those of ``stiffness``.
    """
    inputs, labels = _first(train_inputs, train_samples), train_labels[:train_samples]
    return _mean_cosine(networks, inputs, labels, within=True)


def tic_of_traces(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
    sample_gradient_norm: Float64[Tensor, "networks _"] | None = None,
    gauss_newton_trace: Float64[Tensor, "networks _"] | None = None,
) -> Float64[Tensor, "networks"]:
    """Ratio tr C / tr H of Takeuchi's information criterion (Thomas et al. 2020).

    C = E g gᵀ is the second moment of the gradients at training points, H the Gauss–Newton matrix.
    The criterion itself, tr(C H⁻¹), is no measure of such networks: where gradients at N points are
    linearly independent, as they are with more parameters than N (K − 1), tr(C H⁺) over these
    points is Σ_i (1 − σ_y) / σ_y, which knows nothing of the parameters.

    Args:
        sample_gradient_norm: Values of this measure, which are used if they are at as many points.
        gauss_newton_trace: Values of this measure, which are used if they are at as many points.

    Returns:
        R ratios, in nats.
    """
    inputs = _first(train_inputs, train_samples)
    norms, traces = sample_gradient_norm, gauss_newton_trace
    if norms is None or norms.shape[1] != len(inputs):
        norms = gradient_squares(networks, inputs, loss_rows, train_labels[:train_samples]).sqrt()
    if traces is None or traces.shape[1] != len(inputs):
        traces = gradient_squares(networks, inputs, fisher_rows)
    return norms.square().mean(1) / traces.mean(1)


def tic_of_diagonals(
    networks: Networks,
    train_inputs: TrainInputs,
    train_labels: TrainLabels,
    *,
    train_samples: int = 1000,
) -> Float64[Tensor, "networks"]:
    """Sum Σ_p C_pp / H_pp over parameters, Takeuchi's criterion with diagonal matrices.

    C and H are those of ``tic_of_traces``. Parameters that change no logit have C_pp = H_pp = 0 and
    are left out. Rescaling units against the next layer changes nothing. Arguments are those of
    ``stiffness``.

    Returns:
        R numbers of parameters, in nats.
    """
    inputs = _first(train_inputs, train_samples)
    labels = train_labels[:train_samples]
    seconds = gradient_sum(networks, inputs, loss_rows, labels, squared=True)
    curvatures = gradient_sum(networks, inputs, fisher_rows, squared=True)
    of_layers = [
        (c / h).where(h > 0, 0.0).sum((1, 2)) for c, h in zip(seconds, curvatures, strict=True)
    ]
    return torch.stack(of_layers).sum(0)


def _first(inputs: Tensor, train_samples: int) -> Tensor:
    if train_samples < 1:
        raise ValueError(f"train_samples must be at least 1, not {train_samples!r}.")
    return inputs[:train_samples]


def _moments(
    networks: Networks, inputs: Tensor, labels: Tensor, train_samples: int
) -> tuple[Float64[Tensor, "networks"], Float64[Tensor, "networks"]]:
    """Mean squared norm of gradients at points, and squared norm of their mean."""
    inputs, labels = _first(inputs, train_samples), labels[:train_samples]
    squares, total = squares_and_sum(networks, inputs, loss_rows, labels)
    of_total = torch.stack([layer.square().sum((1, 2)) for layer in total]).sum(0)
    return squares.mean(1), of_total / len(inputs) ** 2


def _grams(
    networks: Networks, inputs: Tensor, labels: Tensor
) -> Iterator[Float64[Tensor, "networks samples samples"]]:
    """Gram matrices of the gradients at points, of some networks at a time."""
    if isinstance(networks, nn.Module):
        yield gradient_gram(networks, inputs, loss_rows, labels)
        return
    members = max(1, GRAM_NUMBERS // max(1, len(inputs)) ** 2)
    for first in range(0, len(networks), members):
        yield gradient_gram(networks[first : first + members], inputs, loss_rows, labels)


def _mean_cosine(
    networks: Networks, inputs: Tensor, labels: Tensor, *, signs: bool = False, within: bool = False
) -> Float64[Tensor, "networks"]:
    """Mean cosine between gradients, or its sign, over pairs of all points or of one class."""
    found = []
    for gram in _grams(networks, inputs, labels):
        diagonals = gram.diagonal(dim1=1, dim2=2)
        there = diagonals > 0
        inverse = diagonals.rsqrt().where(there, 0.0)
        diagonals.zero_()
        cosines = gram.mul_(inverse.unsqueeze(1)).mul_(inverse.unsqueeze(2))
        groups = there.unsqueeze(2) * (one_hot(labels) if within else 1)
        found.append(_mean_over_pairs(cosines.sign_() if signs else cosines, groups))
    return torch.cat(found)


def _mean_over_pairs(
    values: Float64[Tensor, "networks samples samples"],
    groups: Shaped[Tensor, "networks samples groups"],
) -> Float64[Tensor, "networks"]:
    """Mean over pairs of two points of one group; NaN if there are none.

    Args:
        values: A number for every pair, 0 of a point with itself.
        groups: 1 where a point is in a group, else 0.
    """
    groups = groups.double()
    sizes = groups.sum(1)
    pairs = (sizes * (sizes - 1)).sum(1)
    return (torch.bmm(values, groups) * groups).sum((1, 2)) / pairs


def _along_parameters(
    networks: Networks, inputs: Tensor
) -> tuple[
    Float64[Tensor, "networks samples classes"], Float64[Tensor, "networks samples classes"]
]:
    """Probabilities, and the derivative of the logits along the parameters."""
    logits, along = directional_derivatives(networks, inputs, parameters_of(networks))
    return logits.double().softmax(-1), along.double()


def _largest_eigenvalue(
    network: Networks, inputs: Tensor, generator: Generator, tolerance: float
) -> float:
    """Largest eigenvalue of the Gauss–Newton matrix of one network."""
    shapes = [layer.shape for layer in parameters_of(network)]
    sizes = [shape.numel() for shape in shapes]

    def product(vector: np.ndarray) -> np.ndarray:
        parts = torch.from_numpy(vector.ravel()).to(inputs).split(sizes)
        direction = [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]
        _, along = directional_derivatives(network, inputs, direction)
        total = gradient_sum(network, inputs, _curvature_rows, along[0])
        return torch.cat([layer.flatten() for layer in total]).cpu().numpy() / len(inputs)

    count = sum(sizes)
    begin = torch.randn(count, generator=generator, dtype=torch.float64).numpy()
    matrix = LinearOperator((count, count), product, dtype=np.float64)
    try:
        return eigsh(matrix, 1, v0=begin, tol=tolerance, return_eigenvectors=False)[0]
    except ArpackNoConvergence:
        return float("nan")


def _curvature_rows(
    logits: Float[Tensor, "*batch classes"], along: Float[Tensor, "*batch classes"]
) -> tuple[Float[Tensor, "*batch 1 classes"], Float64[Tensor, "*batch"]]:
    """Curvature of the loss by the logits times a change of them, σ ∘ (h − ⟨σ, h⟩), and scale 1."""
    probabilities, along = logits.double().softmax(-1), along.double()
    rows = probabilities * (along - (probabilities * along).sum(-1, keepdim=True))
    return rows.unsqueeze(-2).to(logits.dtype), rows.new_ones(rows.shape[:-1])

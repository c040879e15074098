"""Norms of the Jacobians of the softmax and of the logits, on the data and away from it.

Args:
    rows: Number of rows of the Jacobian, one backward pass each, that are drawn at every input of a
        module with more than 128 classes; ``all`` for the exact norm. See ``row_sketch``.
"""

import torch
from jaxtyping import Float, Float64
from torch import Generator, Tensor

from generalization.derivatives.row_counts import ROWS
from generalization.derivatives.row_sketch import (
    Norms,
    Rows,
    jacobian_norms,
    joined,
    logit_directions,
    softmax_directions,
    told_mean,
)
from generalization.devices import items_at_once
from generalization.errors import require_positive, warn_of_method
from generalization.networks.differentiability import needs_logits
from generalization.networks.modules import Networks
from generalization.networks.reading import reads_networks
from generalization.networks.softmax import softmax
from generalization.regions.trajectories import equidistant_points, translation_loops
from generalization.samples import Images, Inputs, TrainInputs, first_samples


@reads_networks
def jacobian_norm(
    networks: Networks,
    inputs: Inputs,
    *,
    generator: Generator | None = None,
    rows: int | str = ROWS,
) -> Float64[Tensor, "networks samples"]:
    """Norm ‖∂σ(f(x))/∂xᵀ‖_F at every input, σ the softmax (Novak et al. 2018, §3).

    See ``input_jacobian_norm`` for the computation and ``softmax_jacobian_rows`` for its accuracy
    where σ is saturated. Results are float64: confident networks have norms near e^-margin, which
    underflows in float32 for margins above 104.

    Args:
        generator: Source of the rows that are drawn, on the CPU; without it, all are computed.

    Returns:
        R × N norms, in probability per unit of input.

    Example:
        A network that ends in two equal logits has the softmax Jacobian [[¼, −¼], [−¼, ¼]].

        >>> network = torch.nn.Linear(2, 2, bias=False)
        >>> _ = torch.nn.init.eye_(network.weight)
        >>> jacobian_norm(network, torch.zeros(1, 2))
        tensor([[0.5000]], dtype=torch.float64)
    """
    return told_mean(_softmax_norms(networks, inputs, rows, generator))


@reads_networks
def train_jacobian_norm(
    networks: Networks,
    train_inputs: TrainInputs,
    *,
    generator: Generator | None = None,
    train_samples: int = 1000,
    rows: int | str = ROWS,
) -> Float64[Tensor, "networks _"]:
    """Norm ``jacobian_norm`` at the first training inputs.

    Novak et al. 2018 measure the norm at test inputs (§3) and find it smaller near training inputs
    than away from them (§4.1); ``jacobian_norm`` and ``gaussian_jacobian_norm`` complete the
    comparison.

    Returns:
        R × min(train_samples, N) norms, in probability per unit of input.
    """
    (first,) = first_samples(train_samples, train_inputs)
    return told_mean(_softmax_norms(networks, first, rows, generator))


@reads_networks
def translation_jacobian_norm(
    networks: Networks,
    inputs: Images,
    *,
    generator: Generator | None = None,
    grid_points: int = 56,
    rows: int | str = ROWS,
) -> Float64[Tensor, "networks samples"]:
    """Mean of ``jacobian_norm`` around the horizontal-translation loop of each image.

    This is the loop along which ``transitions`` are counted (Novak et al. 2018, §3). It stays close
    to translated data, like the second trajectory of §4.1.

    Args:
        networks: A stack of R networks, or a ``torch.nn.Module`` that maps images to logits.
        inputs: N images, in the dtype of the weights.
        grid_points: Number of equidistant points on each loop, the image being the first. With
            twice the width of the images, each point is a translation or a midpoint between two.

    Returns:
        R × N means, in probability per unit of input.

    Raises:
        ValueError: If the inputs are not images.
    """  # noqa: DOC502
    # ASSUME: 56 points, two for each of the 28 translations of an image of 28 × 28 pixels.
    require_positive(grid_points=grid_points)
    warn_of_method("sampled", f"sampled at {grid_points} points")
    numbers_per_image = grid_points * inputs.shape[1:].numel()
    images = items_at_once("loop_points", numbers_per_image, inputs.device)
    found = []
    for some in inputs.split(images):
        on_loops = equidistant_points(translation_loops(some), grid_points, 0, grid_points)
        norms = _softmax_norms(networks, on_loops.flatten(0, 1), rows, generator)
        found.append(norms.over_groups(grid_points))
    return told_mean(joined(found))


@reads_networks
def gaussian_jacobian_norm(
    networks: Networks,
    train_inputs: TrainInputs,
    generator: Generator,
    *,
    random_samples: int = 1000,
    rows: int | str = ROWS,
) -> Float64[Tensor, "networks random_samples"]:
    """Norm ``jacobian_norm`` at random inputs x ~ N(0, I).

    Every point a cos θ + b sin θ of the random ellipses of Novak et al. 2018, §A.5.2, with a and
    b ~ N(0, I), has this distribution, so that the mean over random inputs estimates the mean over
    such ellipses. Inputs normalized to mean 0 and variance 1 have the same mean squared norm.

    Args:
        train_inputs: Training inputs, which determine shape, dtype and device of the random inputs.
        generator: Source of the random inputs, on the CPU, which all networks share, and then of
            the rows that are drawn.
        random_samples: Number of random inputs.

    Returns:
        R × random_samples norms, in probability per unit of input.
    """
    require_positive(random_samples=random_samples)
    points = torch.randn(random_samples, *train_inputs.shape[1:], generator=generator)
    # The points are draws, too: their spread has all of the error, which is not told apart.
    return _softmax_norms(networks, points.to(train_inputs), rows, generator).values


@reads_networks
def logit_jacobian_norm(
    networks: Networks,
    inputs: Inputs,
    *,
    generator: Generator | None = None,
    rows: int | str = ROWS,
) -> Float64[Tensor, "networks samples"]:
    """Norm ‖∂f(x)/∂xᵀ‖_F at every input, f the logits (cf. Novak et al. 2018, §3).

    Arguments are those of ``jacobian_norm``.

    Source: Novak et al. 2018, §3.

    Returns:
        R × N norms, in logits per unit of input.
    """
    needs_logits()
    of_rows = Rows(rows, generator)
    return told_mean(jacobian_norms(networks, inputs, _every_logit, logit_directions, of_rows))


def _softmax_norms(
    networks: Networks, inputs: Inputs, rows: int | str, generator: Generator | None
) -> Norms:
    of_rows = Rows(rows, generator)
    return jacobian_norms(networks, inputs, softmax_jacobian_rows, softmax_directions, of_rows)


def softmax_jacobian_rows(
    logits: Float[Tensor, "*batch classes"],
) -> tuple[Float[Tensor, "*batch rows classes"], Float64[Tensor, "*batch"]]:
    """Return K − 1 rows that give products the norm of the softmax Jacobian C = diag(σ) − σσᵀ.

    C_kk is computed as σ_k Σ_{j≠k} σ_j instead of σ_k (1 − σ_k), which suffers from cancellation:
    where σ_k rounds to 1 it is 0, and every norm built on it is wrong. For the same reason C is
    formed in float64 and divided by its largest entry before it is rounded.

    One row of C is redundant: its rows sum to zero, so that 1ᵀA = 0 for every A = CM, and

        ‖A‖_F² = Σ_{i>0} ‖A_i − A_0 / (1 + √K)‖²,

    the norm of A in an orthonormal basis of the complement of 1. (Expand the square with
    Σ_{i>0} A_i = −A_0.) This saves 1/K of the work, half of it for two classes.

    Args:
        logits: Logits f of any batch.

    Returns:
        Rows C_i − C_0 / (1 + √K) divided by the scale, in the dtype of the logits; and the scale,
        the largest entry of C, which is on its diagonal.
    """
    probabilities, classes = softmax(logits), logits.shape[-1]
    others = probabilities @ (1 - torch.eye(classes, device=logits.device, dtype=torch.float64))
    diagonal = probabilities * others
    scale = diagonal.amax(-1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    jacobian = -probabilities.unsqueeze(-1) * (probabilities / scale).unsqueeze(-2)
    jacobian.diagonal(dim1=-2, dim2=-1).copy_(diagonal / scale)
    jacobian = jacobian.to(logits.dtype)
    rows = jacobian[..., 1:, :] - jacobian[..., :1, :] / (1 + classes**0.5)
    return rows, scale.squeeze(-1)


def _every_logit(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return the identity matrix for every input, and the scale 1."""
    identity = torch.eye(logits.shape[-1], dtype=logits.dtype, device=logits.device)
    scale = torch.ones(logits.shape[:-1], dtype=torch.float64, device=logits.device)
    return identity.expand(*logits.shape, -1), scale

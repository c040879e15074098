"""Expectations over the initial weights of ReLU networks.

Weights and biases of layer l are independent and symmetric with variances s_l² and β_l², n_l is the
number of units of the layer, and d = n_0. Each unit is active with probability ½, independently of
all others, so that every layer multiplies mean squares by n_l s_{l+1}² / 2.

Args:
    variances: Variances of the initial weights and biases.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from generalization.hyperparameters import Hyperparameters


class InitialVariances(NamedTuple):
    """Variances of the weights and of the biases of every layer."""

    weights: list[float]
    biases: list[float]


def initial_variances(widths: Sequence[int], hyperparameters: Hyperparameters) -> InitialVariances:
    """Return the variances of ``INITIALIZATIONS`` for ReLU, whose gain is 2.

    Args:
        hyperparameters: Hyper-parameters ``initialization``, ``init_scale`` and ``biases`` are
            used.
    """
    # Variances of weights and of biases as functions of the fan-in.
    variances = {
        "normal": lambda fan_in: (2 / fan_in, 0.0),
        "uniform": lambda fan_in: (1 / (3 * fan_in), 1 / (3 * fan_in)),
        "standard_normal": lambda fan_in: (1.0, 1.0),
    }[hyperparameters.initialization]
    layers = [variances(fan_in) for fan_in, _ in pairwise(widths)]
    scale = hyperparameters.init_scale**2
    return InitialVariances(
        weights=[scale * weight for weight, _ in layers],
        biases=[scale * bias * hyperparameters.biases for _, bias in layers],
    )


def mean_square_gradient(widths: Sequence[int], variances: InitialVariances) -> float:
    """Return E‖∂f_k/∂x‖² = d s_1² Π_{l<L} (n_l s_{l+1}² / 2), exact at every x and finite width.

    For He's s_l² = 2/n_{l−1} it is 2; for ``torch.nn.Linear``'s 1/(3 n_{l−1}) it is 6^{1−L}/3.
    """
    square = widths[0] * variances.weights[0]
    for units, weight in zip(widths[1:-1], variances.weights[1:], strict=True):
        square *= units * weight / 2
    return square


def variance_of_biases(widths: Sequence[int], variances: InitialVariances) -> float:
    """Return Σ = Σ_l β_l² Π_{l≤m<L} (n_m s_{m+1}² / 2), the part of Var f_k due to biases.

    The variance of a logit is Var f_k(x) = (‖x‖²/d) E‖∂f_k/∂x‖² + Σ.
    """
    total, *others = variances.biases
    for units, weight, bias in zip(widths[1:-1], variances.weights[1:], others, strict=True):
        total = total * units * weight / 2 + bias
    return total


def wide_covariance(
    widths: Sequence[int],
    variances: InitialVariances,
    squares: Float[np.ndarray, "points"],
    other_squares: Float[np.ndarray, "points"],
    products: Float[np.ndarray, "points"],
) -> Float[np.ndarray, "points"]:
    """Return E f_k(x) f_k(x') of wide networks for pairs of inputs.

    The arc-cosine kernel of Cho & Saul 2009, layer by layer: for z, z' normal with variances v, v'
    and correlation c, E[φ(z) φ(z')] = ½ √(v v') κ(c), κ(c) = (√(1 − c²) + (π − arccos c) c) / π. It
    is exact for one hidden layer of normal weights, and otherwise in the limit of large widths.

    Args:
        squares: Squared norms ‖x‖².
        other_squares: Squared norms ‖x'‖².
        products: Inner products ⟨x, x'⟩.
    """
    sums = np.stack([squares, other_squares, products]).astype(float)
    for layer, (weight, bias) in enumerate(zip(*variances, strict=True)):
        if layer:
            sums = widths[layer] / 2 * _rectified(*sums)
        sums = weight * sums + bias
    return sums[2]


def _rectified(
    first: Float[np.ndarray, "points"],
    second: Float[np.ndarray, "points"],
    both: Float[np.ndarray, "points"],
) -> Float[np.ndarray, "3 points"]:
    """Return twice the second moments of φ(z), from those of z."""
    root = np.sqrt(first * second)
    cosine = np.clip(both / root, -1, 1)
    kappa = (np.sqrt(1 - cosine**2) + (np.pi - np.arccos(cosine)) * cosine) / np.pi
    return np.stack([first, second, root * kappa])


def wide_sensitivity(
    widths: Sequence[int],
    variances: InitialVariances,
    inputs: Float[np.ndarray, "points features"],
    noise: Float[np.ndarray, "points"],
) -> float:
    """Return the expected variance over inputs x and noise ε of f_k(x + ε) − f_k(x), if wide.

    It is the mean square of the change minus the square of its mean. The latter is the mean product
    of the changes at two inputs, estimated by pairing each input with the next. ‖ε‖² is replaced by
    its mean and noise is taken to be orthogonal to everything else, as for many features.

    Args:
        inputs: Inputs in random order.
        noise: Standard deviation of the noise, for each input.
    """

    def covariance(*moments: Float[np.ndarray, "points"]) -> float:
        return wide_covariance(widths, variances, *moments).mean()

    squares = np.square(inputs).sum(1)
    noisy = squares + inputs.shape[1] * noise**2
    square = (
        covariance(squares, squares, squares)
        + covariance(noisy, noisy, noisy)
        - 2 * covariance(squares, noisy, squares)
    )
    others = np.roll(np.arange(len(inputs)), 1)
    products = np.einsum("nf,nf->n", inputs, inputs[others])
    of_mean = (
        covariance(squares, squares[others], products)
        + covariance(noisy, noisy[others], products)
        - covariance(squares, noisy[others], products)
        - covariance(noisy, squares[others], products)
    )
    return square - of_mean

"""Expectations over the initial weights of ReLU networks.

With s_l² and β_l² the variances of weights and biases of layer l, all independent and symmetric,
n_l the units of the layer and d = n_0: half of the units are active, whatever the others do. So
every layer multiplies mean squares by n_l s_{l+1}² / 2.

Args:
    variances: Of the initial weights and biases.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from generalization.hyperparameters import Hyperparameters


class InitialVariances(NamedTuple):
    """Variances of the weights and the biases of every layer."""

    weights: list[float]
    biases: list[float]


def initial_variances(widths: Sequence[int], hyperparameters: Hyperparameters) -> InitialVariances:
    """Variances of what ``INITIALIZATIONS`` draw for ReLU, of which the gain is 2.

    Args:
        hyperparameters: Of these ``initialization``, ``init_scale`` and ``biases``.
    """
    # Of weights and biases, by the fan-in.
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
    """E‖∂f_k/∂x‖² = d s_1² Π_{l<L} (n_l s_{l+1}² / 2), at every x and at any finite widths.

    For He's s_l² = 2/n_{l−1} it is 2; for ``torch.nn.Linear``'s 1/(3 n_{l−1}) it is 6^{1−L}/3.
    """
    square = widths[0] * variances.weights[0]
    for units, weight in zip(widths[1:-1], variances.weights[1:], strict=True):
        square *= units * weight / 2
    return square


def variance_of_biases(widths: Sequence[int], variances: InitialVariances) -> float:
    """Σ = Σ_l β_l² Π_{l≤m<L} (n_m s_{m+1}² / 2): what biases add to the variance of a logit.

    That variance is Var f_k(x) = (‖x‖²/d) E‖∂f_k/∂x‖² + Σ.
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
    """E f_k(x) f_k(x') of wide networks, at any two points.

    The kernel of Cho & Saul 2009, layer by layer: for z, z' normal with variances v, v' and
    correlation c, E[φ(z) φ(z')] = ½ √(v v') κ(c), κ(c) = (√(1 − c²) + (π − arccos c) c) / π. It is
    exact with one hidden layer of normal weights, and for others in the limit of large widths.

    Args:
        squares: ‖x‖².
        other_squares: ‖x'‖².
        products: ⟨x, x'⟩.
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
    """Twice the second moments of φ(z), from those of z."""
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
    """The expected variance over points x and noise ε of f_k(x + ε) − f_k(x), of wide networks.

    The mean square change, minus the square of the mean change, which is the mean product of the
    changes at two points: every point is paired with the next one. ‖ε‖² is taken for its mean, and
    noise for orthogonal to all else, as it is for many features.

    Args:
        inputs: Points in random order.
        noise: Standard deviation of noise, at every point.
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

"""Power laws in the tails of the spectra of weights (Martin & Mahoney 2021, "WeightWatcher").

λ are the eigenvalues of Wᵀ W, not divided by a dimension. A kernel of a convolution is the matrix
of its output channels by what a window holds, where WeightWatcher takes one matrix per place of the
window. Layers with fewer than 50 positive eigenvalues are left out, as the last one of a classifier
of ten classes is: a tail of so few says nothing. Permuting units and the data change nothing.

Args:
    networks: A stack of R networks, or a ``torch.nn.Module``; normalizations are folded.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.networks.layer_weights import gram_eigenvalues, layer_weights, matrices
from generalization.networks.modules import Networks

LEAST_EIGENVALUES = 50


class Tail(NamedTuple):
    """Exponent α of the density λ^−α above a least eigenvalue, and the eigenvalues."""

    exponent: float
    least: float
    eigenvalues: Float64[Tensor, "eigenvalues"]


def power_law_exponent(networks: Networks) -> Float64[Tensor, "networks"]:
    """Exponent α of the tail of the spectrum, averaged over layers (WeightWatcher's α).

    See ``tail_of``. Multiplying a layer by anything changes nothing.

    Returns:
        R exponents above 1; NaN where no layer has 50 eigenvalues.
    """
    return _mean_over_layers(networks, lambda tail: tail.exponent)


def weighted_power_law_exponent(networks: Networks) -> Float64[Tensor, "networks"]:
    """Exponent times logarithm of the largest eigenvalue, α log₁₀ λ_max, averaged over layers (α̂).

    Returns:
        R numbers; NaN where no layer has 50 eigenvalues.
    """
    return _mean_over_layers(
        networks, lambda tail: tail.exponent * tail.eigenvalues[-1].log10().item()
    )


def log_alpha_norm(networks: Networks) -> Float64[Tensor, "networks"]:
    """Logarithm of the α-norm, log₁₀ Σ_i λ_i^α, averaged over layers.

    Returns:
        R numbers; NaN where no layer has 50 eigenvalues.
    """
    ln10 = torch.tensor(10.0).log().item()
    return _mean_over_layers(
        networks,
        lambda tail: (tail.exponent * tail.eigenvalues.log()).logsumexp(0).item() / ln10,
    )


def tail_of(eigenvalues: Float64[Tensor, "eigenvalues"]) -> Tail:
    """Fit a power law to the tail of positive numbers (Clauset et al. 2009, §3).

    Above a least eigenvalue λ_0 the likeliest exponent is α = 1 + n / Σ ln(λ_i / λ_0). Every
    eigenvalue but the largest is tried for λ_0; the one with the smallest Kolmogorov–Smirnov
    distance between the tail and the law is taken.

    Args:
        eigenvalues: At least two, ascending, not all equal.
    """
    logs = eigenvalues.log()
    count = len(logs)
    above = (logs - logs.unsqueeze(1)).clamp_min(0)  # ln(λ_i / λ_0), λ_0 in rows.
    sizes = torch.arange(count, 0, -1, device=logs.device, dtype=logs.dtype).unsqueeze(1)
    slopes = sizes / above.sum(1, keepdim=True)  # α − 1; infinite if the tail is one number.
    laws = 1 - (-slopes * above).exp()
    places = torch.arange(count, device=logs.device)
    ranks = places - places.unsqueeze(1)
    distances = torch.maximum((laws - ranks / sizes).abs(), (laws - (ranks + 1) / sizes).abs())
    distances = distances.where(ranks >= 0, 0.0).amax(1)
    best = distances.where(slopes.squeeze(1).isfinite(), torch.inf).argmin()
    return Tail(1 + slopes[best].item(), eigenvalues[best].item(), eigenvalues)


def _mean_over_layers(
    networks: Networks, value: Callable[[Tail], float]
) -> Float64[Tensor, "networks"]:
    """Mean over the layers that have enough eigenvalues of a number of their tails."""
    layers = [_spectra(matrix) for matrix in matrices(layer_weights(networks))]
    means = []
    for spectra in zip(*layers, strict=True):
        values = [value(tail_of(one)) for one in spectra if len(one) >= LEAST_EIGENVALUES]
        means.append(sum(values) / len(values) if values else torch.nan)
    return torch.tensor(means, dtype=torch.float64, device=layers[0][0].device)


def _spectra(
    matrix: Float64[Tensor, "networks rows columns"],
) -> list[Float64[Tensor, "_eigenvalues"]]:
    """Positive eigenvalues of the Gram matrix of every network, ascending.

    Those are left out that rounding cannot tell from 0.
    """
    eigenvalues = gram_eigenvalues(matrix)
    least = eigenvalues[:, -1:] * max(matrix.shape[1:]) * torch.finfo(torch.float64).eps
    return [some[positive] for some, positive in zip(eigenvalues, eigenvalues > least, strict=True)]

"""Power laws in the tails of the spectra of weights (Martin & Mahoney 2021, "WeightWatcher").

λ are the eigenvalues of Wᵀ W, not divided by a dimension. The kernel of a convolution is one matrix
of output channels × entries of a window, where WeightWatcher uses one matrix per position in the
window. Layers with fewer than 50 positive eigenvalues, such as the last layer of a classifier with
ten classes, are too small to fit a tail and are omitted, as are layers whose eigenvalues are all
equal; a warning says how many layers a value is of. Eigenvalues count as positive and as different
beyond what rounding makes of 0 and of equal ones, in the precision of the weights: half where such
weights are stored in a wider type. Those that count are of the weights as given. Invariant to
permuting units and independent of the data.

Args:
    networks: A stack of R networks with normalizations folded into the weights, or a
        ``torch.nn.Module``.
"""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.errors import Approximated, warn_of_no_value
from generalization.networks.layer_weights import (
    layer_weights,
    matrices,
    rounding_norms,
    weight_precisions,
    weight_spectra,
)
from generalization.networks.modules import Networks
from generalization.networks.reading import reads_weights
from generalization.networks.sharing import once

SMALLEST_SPECTRUM = 50


class Tail(NamedTuple):
    """Exponent α of the density λ^−α above the smallest eigenvalue of the tail, and all of them."""

    exponent: float
    smallest: float
    eigenvalues: Float64[Tensor, "eigenvalues"]


@reads_weights
def power_law_exponent(networks: Networks) -> Float64[Tensor, "networks"]:
    """Exponent α of the tail of the spectrum, averaged over layers (WeightWatcher's α).

    See ``fitted_tail``. Invariant to scaling any layer.

    Source: Martin & Mahoney 2021.

    Returns:
        R exponents above 1; NaN where no layer has 50 eigenvalues.
    """
    return _mean_over_layers(networks, lambda tail: tail.exponent)


@reads_weights
def weighted_power_law_exponent(networks: Networks) -> Float64[Tensor, "networks"]:
    """Exponent times logarithm of the largest eigenvalue, α log₁₀ λ_max, averaged over layers (α̂).

    Source: Martin & Mahoney 2021.

    Returns:
        R numbers; NaN where no layer has 50 eigenvalues.
    """
    return _mean_over_layers(
        networks, lambda tail: tail.exponent * tail.eigenvalues[-1].log10().item()
    )


@reads_weights
def log_alpha_norm(networks: Networks) -> Float64[Tensor, "networks"]:
    """Logarithm of the α-norm, log₁₀ Σ_i λ_i^α, averaged over layers.

    Source: Martin & Mahoney 2021.

    Returns:
        R numbers; NaN where no layer has 50 eigenvalues.
    """
    ln10 = torch.tensor(10.0).log().item()
    return _mean_over_layers(
        networks,
        lambda tail: (tail.exponent * tail.eigenvalues.log()).logsumexp(0).item() / ln10,
    )


def fitted_tail(
    eigenvalues: Float64[Tensor, "eigenvalues"], rounding: float = torch.finfo(torch.float64).eps
) -> Tail:
    """Fit a power law to the tail of positive numbers as WeightWatcher 0.7.7 does by default.

    For a tail that begins at λ_0 the maximum-likelihood exponent is α = 1 + n / Σ ln(λ_i / λ_0)
    (Clauset et al. 2009, §3). Every eigenvalue but those equal to the largest is a candidate for
    λ_0; the one with the smallest distance max_i |F(λ_i) − i/n|, i = 0 … n − 1, between the fitted
    distribution F and the n values of the tail is chosen.

    Args:
        eigenvalues: At least two eigenvalues in ascending order, not all equal.
        rounding: Relative difference up to which eigenvalues are equal.
    """
    logs = eigenvalues.log()
    count = len(logs)
    above = (logs - logs.unsqueeze(1)).clamp_min(0)  # ln(λ_i / λ_0), one row per candidate λ_0.
    sizes = torch.arange(count, 0, -1, device=logs.device, dtype=logs.dtype).unsqueeze(1)
    slopes = sizes / above.sum(1, keepdim=True)  # α − 1; infinite if the tail is a single value.
    laws = 1 - (-slopes * above).exp()
    indices = torch.arange(count, device=logs.device)
    ranks = indices - indices.unsqueeze(1)
    # ASSUME: the empirical distribution is taken below its steps only, as WeightWatcher and the
    # package powerlaw take it; Clauset et al. 2009 take the larger distance, to either end.
    distances = (laws - ranks / sizes).abs().where(ranks >= 0, 0.0).amax(1)
    best = distances.where(above[:, -1] > rounding, torch.inf).argmin()
    return Tail(1 + slopes[best].item(), eigenvalues[best].item(), eigenvalues)


def _mean_over_layers(
    networks: Networks, value: Callable[[Tail], float]
) -> Float64[Tensor, "networks"]:
    """Average a function of the tail over the layers that have enough eigenvalues."""
    spectra_of_networks, tails = once(_spectra_and_tails, networks)
    means = []
    for network, spectra in enumerate(spectra_of_networks):
        values = [value(tail) for tail in tails[network] if tail]
        means.append(sum(values) / len(values) if values else torch.nan)
        this_one = [place == network for place in range(len(tails))]
        if not values:
            counts = [
                f"the {len(one)} eigenvalues of layer {layer} are all equal"
                if len(one) >= SMALLEST_SPECTRUM
                else f"layer {layer} has {len(one)}"
                for layer, one in enumerate(spectra, 1)
            ]
            warn_of_no_value(
                f"needs {SMALLEST_SPECTRUM} eigenvalues, but {', '.join(counts)}", this_one
            )
        elif len(values) < len(spectra):
            how = f"mean over {len(values)} of {len(spectra)} layers"
            how += ": others have too few eigenvalues that differ"
            warnings.warn(Approximated(how, this_one), stacklevel=2)
    return torch.tensor(means, dtype=torch.float64, device=spectra_of_networks[0][0].device)


def _spectra_and_tails(
    networks: Networks,
) -> tuple[list[tuple[Float64[Tensor, "_"], ...]], list[tuple[Tail | None, ...]]]:
    """Return for every network the spectra of all layers, and the tails that can be fitted."""
    weights = matrices(layer_weights(networks, every_layer=True))
    spectra, tails = [], []
    parts = zip(once(weight_spectra, networks), weights, weight_precisions(networks), strict=True)
    for values, matrix, precisions in parts:
        errors, size = rounding_norms(matrix, precisions), max(matrix.shape[1:])
        spectra.append(_positive(values, size, errors))
        of_networks = zip(spectra[-1], errors.tolist(), precisions, strict=True)
        tails.append([_tail(some, _rounding(some, size, *of)) for some, *of in of_networks])
    return list(zip(*spectra, strict=True)), list(zip(*tails, strict=True))


def _tail(eigenvalues: Float64[Tensor, "_"], rounding: float) -> Tail | None:
    """Fit the tail, unless there are too few eigenvalues, or all are equal."""
    if len(eigenvalues) < SMALLEST_SPECTRUM or eigenvalues[-1] <= (1 + rounding) * eigenvalues[0]:
        return None
    return fitted_tail(eigenvalues, rounding)


def _rounding(
    eigenvalues: Float64[Tensor, "_"], size: int, error: float, precision: torch.dtype
) -> float:
    """Return the relative difference up to which eigenvalues are equal.

    Singular values move by at most the spectral norm of the errors: two of them by twice as much,
    and their squares by four times. What computed the weights, in single precision or in double,
    has added more than one rounding.

    Args:
        eigenvalues: The positive ones, ascending.
        size: The larger side of the matrix.
        error: Spectral norm of the errors of the weights.
        precision: Type to which they were rounded.
    """
    computed = size * min(torch.finfo(precision).eps, torch.finfo(torch.float32).eps)
    return (
        max(computed, 4 * error / eigenvalues[-1].sqrt().item()) if len(eigenvalues) else computed
    )


def _positive(
    eigenvalues: Float64[Tensor, "networks _smaller"],
    size: int,
    errors: Float64[Tensor, "networks"],
) -> list[Float64[Tensor, "_eigenvalues"]]:
    """Return the ascending eigenvalues of each Gram matrix that exceed rounding errors of 0.

    These are of the Gram matrix, in double precision, and of the weights.
    """
    of_gram = eigenvalues[:, -1] * size * torch.finfo(torch.float64).eps
    positive = eigenvalues > torch.maximum(of_gram, errors.square()).unsqueeze(1)
    return [some[chosen] for some, chosen in zip(eigenvalues, positive, strict=True)]

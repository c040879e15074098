"""Logarithms of bounds on the tangent sensitivity by counting paths.

The bounds hold for networks with hidden layers and a piecewise-linear activation function whose
slopes are at most 1. Inside a linear region an entry of ∂²f_k/∂θ∂x is a sum over the active paths
from the input to logit k through the weight, of the product of the other weights on the path
(Daróczy 2020, §7). Biases are on no path and add no entries; they only affect which units are
active.

The differentiated outputs are Cf, where the rows of C select logits, see ``tangent_sensitivity``.
Bounds for one logit are multiplied by κ, where

    κ² = Σ_r (Σ_k |C_rk|)²:   K² for the sum of K logits, K for all of them, 1 for one.

A weight of the last layer is on paths to one logit only, for which ‖C‖_F² ≤ κ² is sufficient: K, K
and 1.

Throughout, n_0 … n_L are the widths, N = n_1 + … + n_h is the number of units of the h = L − 1
hidden layers, ‖W_l‖_∞ = max |W_l|, w = max_l ‖W_l‖_∞, d = n_0 and N_θ the number of weights.

Args:
    units: Number of active units of each hidden layer, for each input.
    log_maxima: Logarithms ln ‖W_l‖_∞ of all layers.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float64
from torch import Tensor

from generalization.derivatives.normal_moments import log_absolute_moment


def log_bounds(
    widths: Sequence[int],
    units: Float64[Tensor, "networks samples hidden_layers"],
    log_maxima: Float64[Tensor, "networks layers"],
    *,
    reduction: str | int,
) -> dict[str, Float64[Tensor, "networks"]]:
    """Return the logarithms of all bounds by name, of means over inputs where they depend on x."""
    all_units, chosen = units.new_tensor(widths[1:-1]), {"reduction": reduction}
    of_points = units, log_maxima.unsqueeze(1)
    return {
        "theorem_3_1": theorem_3_1(widths, log_maxima, **chosen),
        "layerwise": layerwise(widths, all_units, log_maxima, **chosen),
        "layerwise_active": _log_mean(layerwise(widths, *of_points, **chosen)),
        "theorem_3_2": theorem_3_2(widths, units, log_maxima, **chosen),
        "theorem_3_2_author": theorem_3_2_author(widths, units, log_maxima),
        "active_paths": _log_mean(active_paths(widths, *of_points, **chosen)),
    }


def layerwise(
    widths: Sequence[int],
    units: Float64[Tensor, "*#batch hidden_layers"],
    log_maxima: Float64[Tensor, "*#batch layers"],
    *,
    reduction: str | int,
) -> Float64[Tensor, "*batch"]:
    """Bound ‖∂²(Cf)/∂θ∂x‖_F layer by layer: the corrected Theorem 3.1 of Daróczy 2020.

        ‖·‖_F² ≤ Σ_l N_l c_l² Π_{m≠l} ‖W_m‖_∞²

    N_l is the number of nonzero entries: d for every pair of active units of layers l − 1 and l
    (for l = 1, d for every active unit, since each weight belongs to one input). c_l is the number
    of paths of an entry, κ times the product of the numbers of active units of the hidden layers
    other than l − 1 and l. The product of norms omits the layer of the weight. For ReLU with
    positive inputs, equal positive weights and no biases, the bound is attained.

    Args:
        units: Number of active units of each hidden layer; the widths for a bound at all inputs.

    Returns:
        Logarithm of the bound; −∞ where a layer has no active unit.
    """
    per_entry, at_logits = _squares_of_outputs(reduction, widths[-1])
    log_units, layers = units.log(), len(widths) - 1
    squares = []
    for layer in range(1, layers + 1):
        # Hidden layer m has index m − 1. Logarithms may be −∞ and are never subtracted.
        below = max(layer - 2, 0)
        ends = log_units[..., below:layer].sum(-1)
        paths = log_units[..., :below].sum(-1) + log_units[..., layer:].sum(-1)
        norms = log_maxima[..., : layer - 1].sum(-1) + log_maxima[..., layer:].sum(-1)
        outputs = at_logits if layer == layers else per_entry
        squares.append(math.log(widths[0] * outputs) + ends + 2 * (paths + norms))
    return torch.stack(squares, dim=-1).logsumexp(-1) / 2


def theorem_3_1(
    widths: Sequence[int],
    log_maxima: Float64[Tensor, "*batch layers"],
    *,
    reduction: str | int,
) -> Float64[Tensor, "*batch"]:
    """Return Theorem 3.1 of Daróczy 2020 as published: κ √(N_θ d) (N/h)^h Π_l ‖W_l‖_∞.

    The number of paths of an entry is at most the number of choices of one unit per hidden layer,
    at most (N/h)^h by the inequality of arithmetic and geometric means. The product should omit one
    layer: the formula is a bound if all ‖W_l‖_∞ ≥ 1, and may fail otherwise. The source counts
    paths to one logit.

    Returns:
        Logarithm of the published formula.
    """
    # ASSUME: the formula of Theorem 3.1 is that of its proof, N_θ d entries of at most
    # (N/h)^h Π_l ‖W_l‖_∞ each; the typeset equations are missing from the source.
    hidden = len(widths) - 2
    paths = hidden * math.log(sum(widths[1:-1]) / hidden)
    return _log_entries(widths, reduction) + paths + log_maxima.sum(-1)


def theorem_3_2(
    widths: Sequence[int],
    units: Float64[Tensor, "*batch samples hidden_layers"],
    log_maxima: Float64[Tensor, "*batch layers"],
    *,
    reduction: str | int,
) -> Float64[Tensor, "*batch"]:
    """Return Theorem 3.2 of Daróczy 2020, made consistent: κ √(N_θ d) w^h h^{−h} E|X|^h.

    X ~ N(μ, s²) approximates the number of active units at an input, fitted by mean and standard
    deviation over inputs; (X/h)^h bounds the number of paths. The mean over inputs is bounded for
    up to two hidden layers, which involve no higher moments. For more it is close to a bound for
    real counts, but not rigorous, since they are not normal.

    Returns:
        Logarithm of the formula.
    """
    hidden = len(widths) - 2
    paths = log_absolute_moment(hidden, *_normal_fit(units)) - hidden * math.log(hidden)
    return _log_entries(widths, reduction) + paths + hidden * log_maxima.amax(-1)


def theorem_3_2_author(
    widths: Sequence[int],
    units: Float64[Tensor, "*batch samples hidden_layers"],
    log_maxima: Float64[Tensor, "*batch layers"],
) -> Float64[Tensor, "*batch"]:
    """Return Theorem 3.2 as computed by its author: n (Π_l ‖W_l‖_∞)^{h−1} h^{−h} E|X|^{h−1} / √π.

    It differs from the theorem in order and is not a bound: the product over layers is raised to
    another power, h^h is combined with a moment of order h − 1, √π occurs twice, and N_θ d is
    missing.

    Returns:
        Logarithm of the formula, with n the mean width.
    """
    # ASSUME: the author's constant N = 100 is the width of the hidden layers; if widths differ,
    # their mean.
    hidden = len(widths) - 2
    moment = log_absolute_moment(hidden - 1, *_normal_fit(units))
    constant = math.log(sum(widths[1:-1]) / hidden) - hidden * math.log(hidden)
    return constant - math.log(math.pi) / 2 + moment + (hidden - 1) * log_maxima.sum(-1)


def active_paths(
    widths: Sequence[int],
    units: Float64[Tensor, "*#batch hidden_layers"],
    log_maxima: Float64[Tensor, "*#batch layers"],
    *,
    reduction: str | int,
) -> Float64[Tensor, "*batch"]:
    """Return the bound κ √(N_θ d) w^h Π_m n_m⁺, which Theorem 3.2 of Daróczy 2020 approximates.

    n_m⁺ are the numbers of active units. Their product is the number of active paths from an input
    to a logit, an upper bound on those through one weight. No normal approximation is needed.

    Returns:
        The logarithm of the bound; −∞ where a layer has no active unit.
    """
    hidden = len(widths) - 2
    return _log_entries(widths, reduction) + units.log().sum(-1) + hidden * log_maxima.amax(-1)


def _log_entries(widths: Sequence[int], reduction: str | int) -> float:
    """Return the logarithm of κ √(N_θ d)."""
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(widths))
    return math.log(_squares_of_outputs(reduction, widths[-1])[0] * weights * widths[0]) / 2


def _squares_of_outputs(reduction: str | int, classes: int) -> tuple[int, int]:
    """Return κ² and ‖C‖_F²."""
    return {"sum": (classes**2, classes), "full": (classes, classes)}.get(reduction, (1, 1))


def _normal_fit(
    units: Float64[Tensor, "*batch samples hidden_layers"],
) -> tuple[Float64[Tensor, "*batch"], Float64[Tensor, "*batch"]]:
    """Return mean and standard deviation over inputs of the total number of active units."""
    totals = units.sum(-1)
    return totals.mean(-1), totals.std(-1, correction=0)


def _log_mean(logarithms: Float64[Tensor, "networks samples"]) -> Float64[Tensor, "networks"]:
    """Return the logarithm of the mean over inputs, from logarithms."""
    return logarithms.logsumexp(1) - math.log(logarithms.shape[1])

"""Bounds on the tangent sensitivity by counting paths, in logarithms.

They are for networks with hidden layers, whose activation function has no slope above 1 and is
piecewise linear. Inside a linear region an entry of ∂²f_k/∂θ∂x is a sum over the active paths from
the input to the logit k that go through the weight, of the product of the other weights on the path
(Daróczy 2020, §7). Biases are on no path: they add no entry, and no bound knows them, but for the
units that they make active.

What is differentiated is Cf, where the rows of C choose logits, see ``tangent_sensitivity``. What
holds for one logit is then multiplied by κ, where

    κ² = Σ_r (Σ_k |C_rk|)²:   K² for the sum of K logits, K for all of them apart, 1 for one.

A weight of the last layer is on paths to one logit only: ‖C‖_F² ≤ κ² is enough, which is K, K, 1.

Throughout, n_0 … n_L are the widths, N = n_1 + … + n_h the units of the h = L − 1 hidden layers,
‖W_l‖_∞ = max |W_l|, w = max_l ‖W_l‖_∞, d = n_0 and N_θ the number of weights.

Args:
    units: Active units at points.
    log_maxima: ln ‖W_l‖_∞ of all layers.
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
    """Logarithms of all bounds by name; means over points of those that hold at one."""
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
    """Corrected Theorem 3.1 of Daróczy 2020: a bound of ‖∂²(Cf)/∂θ∂x‖_F, layer by layer.

        ‖·‖_F² ≤ Σ_l N_l c_l² Π_{m≠l} ‖W_m‖_∞²

    N_l counts entries that are not zero: d for every pair of an active unit of layer l − 1 and one
    of layer l (for l = 1, d for every active unit: its other weights meet other inputs). c_l counts
    the paths of an entry, κ times the product of the active units of the hidden layers other than
    l − 1 and l. The product of norms omits the layer of the weight. With positive inputs, equal and
    positive weights and no biases, all of ReLU's units are active, and the bound is attained.

    Args:
        units: How many units of the hidden layers are active at a point; all, for what holds at all
            points.

    Returns:
        The logarithm of the bound; −∞ where a layer has no active unit.
    """
    per_entry, at_logits = _squares_of_outputs(reduction, widths[-1])
    log_units, layers = units.log(), len(widths) - 1
    squares = []
    for layer in range(1, layers + 1):
        # Hidden layer m is at m − 1. Logarithms may be −∞, so that none is ever subtracted.
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
    """Theorem 3.1 of Daróczy 2020 as published: κ √(N_θ d) (N/h)^h Π_l ‖W_l‖_∞.

    No entry has more paths than the hidden layers have choices of a unit each, at most (N/h)^h by
    the inequality of arithmetic and geometric means. The product should omit one layer: this is a
    bound if no ‖W_l‖_∞ is below 1, and may be none if one is. The source counts paths to one logit.

    Returns:
        The logarithm of what is published.
    """
    # ASSUME: the formula of Theorem 3.1 is that of its proof, N_θ d entries of at most
    # (N/h)^h Π_l ‖W_l‖_∞ each; the source has lost its typeset equations.
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
    """Theorem 3.2 of Daróczy 2020, made consistent: κ √(N_θ d) w^h h^{−h} E|X|^h.

    X ~ N(μ, s²) stands for the number of active units at a point, of which (X/h)^h is the most
    paths, and is fitted by the mean and the standard deviation over points. In mean over points it
    is a bound for up to two hidden layers, where no other moment is needed, and of real counts
    close to one for more, but no theorem: they are not normal.

    Returns:
        The logarithm.
    """
    hidden = len(widths) - 2
    paths = log_absolute_moment(hidden, *_normal_fit(units)) - hidden * math.log(hidden)
    return _log_entries(widths, reduction) + paths + hidden * log_maxima.amax(-1)


def theorem_3_2_author(
    widths: Sequence[int],
    units: Float64[Tensor, "*batch samples hidden_layers"],
    log_maxima: Float64[Tensor, "*batch layers"],
) -> Float64[Tensor, "*batch"]:
    """Theorem 3.2 as its author computes it: n (Π_l ‖W_l‖_∞)^{h−1} h^{−h} E|X|^{h−1} / √π.

    It is of another order than the theorem, and bounds nothing: the product over layers is raised
    once more, h^h goes with a moment of order h − 1, √π is there twice, and N_θ d is missing.

    Returns:
        The logarithm.
    """
    # ASSUME: the author's constant N = 100 is the width of his hidden layers; with several widths,
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
    """Quantity estimated by Theorem 3.2 of Daróczy 2020: κ √(N_θ d) w^h Π_m n_m⁺, a bound.

    n_m⁺ are the active units, so that their product is the number of active paths from an input to
    a logit, of which no weight has more. It needs no normal distribution.

    Args:
        units: Active units at a point.

    Returns:
        The logarithm of the bound; −∞ where a layer has no active unit.
    """
    hidden = len(widths) - 2
    return _log_entries(widths, reduction) + units.log().sum(-1) + hidden * log_maxima.amax(-1)


def _log_entries(widths: Sequence[int], reduction: str | int) -> float:
    """The logarithm of κ √(N_θ d)."""
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(widths))
    return math.log(_squares_of_outputs(reduction, widths[-1])[0] * weights * widths[0]) / 2


def _squares_of_outputs(reduction: str | int, classes: int) -> tuple[int, int]:
    """κ² and ‖C‖_F²."""
    return {"sum": (classes**2, classes), "full": (classes, classes)}.get(reduction, (1, 1))


def _normal_fit(
    units: Float64[Tensor, "*batch samples hidden_layers"],
) -> tuple[Float64[Tensor, "*batch"], Float64[Tensor, "*batch"]]:
    """Mean and standard deviation over points of the active units of all layers."""
    totals = units.sum(-1)
    return totals.mean(-1), totals.std(-1, correction=0)


def _log_mean(logarithms: Float64[Tensor, "networks samples"]) -> Float64[Tensor, "networks"]:
    """Logarithm of the mean over points."""
    return logarithms.logsumexp(1) - math.log(logarithms.shape[1])

"""Does the Jacobian norm at a test point tell whether a network is wrong there?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from generalization.experiments.jacobian.single_points import (
    fitted_points,
    means_over_networks,
    with_controls,
)
from generalization.statistics.correlations import midranks
from generalization.statistics.estimates import CORRELATION, SHARE
from generalization.statistics.resampling import Resampling

LOSSES = ("cross_entropy", "squared_loss")
BASELINES = ("least_confidence", "entropy")
AREAS = [f"auroc_{name}" for name in ("jacobian_norm", *BASELINES)]
# ASSUME: "the highest values" of the Jacobian norm are the largest 1 % of those at test points;
# 0.5 % and 5 % stand beside.
TOP = {"": 0.01, "_half_percent": 0.005, "_5_percent": 0.05}
TOP_ERRORS = [*(f"top_error_jacobian_norm{name}" for name in TOP), "top_error_least_confidence"]
LIMITS = dict.fromkeys((*AREAS, *TOP_ERRORS), SHARE)
LIMITS |= {f"spearman_{loss}": CORRELATION for loss in LOSSES}
# Statistic → statistic that is its contrast to its control.
CONTROLS = {
    "top_error_jacobian_norm": "top_error_over_mean",
    **{f"spearman_{loss}": f"spearman_{loss}_minus_least_confidence" for loss in LOSSES},
}

Counts = Float[np.ndarray, "resamples points"]
Draws = Float[np.ndarray, "resamples"]


def point_statistics(
    points: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
    fitted_accuracy: float = 0.999,
) -> pd.DataFrame:
    """Relate the Jacobian norm at test points to the loss and the errors at these points.

    Novak et al. 2018, §4.4, see a relation with the loss (Fig. 6), and propose the norm for active
    learning and for estimating confidence. They print no number. The statistics of a network:

    ``spearman_cross_entropy``, ``spearman_squared_loss``
        Spearman's correlation of the norm with the loss, over points.
    ``spearman_cross_entropy_minus_least_confidence``, …
        What it has over the correlation of 1 − max_k σ_k with the loss, our baseline.
    ``auroc_jacobian_norm``, ``auroc_least_confidence``, ``auroc_entropy``
        Probability that a point at which the network is wrong has a larger norm than one at which
        it is right, ties counting half: the area under the receiver operating characteristic. The
        same for two baselines that need no derivative, 1 − max_k σ_k and the entropy of σ.
    ``auroc_jacobian_norm_minus_least_confidence``, ``auroc_jacobian_norm_minus_entropy``
        What the norm has over each baseline, in the same network and the same resample.
    ``top_error_jacobian_norm``, …_half_percent, …_5_percent
        Share of wrong points among the 1 %, 0.5 % and 5 % of points with the largest norms; points
        of one norm that are in part among them count in part.
    ``top_error_over_mean``
        The first, over the share of wrong points among all.
    ``top_error_least_confidence``
        As the first, among the points of least confidence.
    ``wrong_below_right``
        log₁₀(median norm of points where the network is right / least norm of points where it is
        wrong). It hangs on one point, and grows with their number.

    A network that is right at all points, or wrong at all, has no area, and no last statistic.

    Returns:
        Means over networks as ``means_over_networks`` gives them, for each dataset and the loss
        that networks were trained with. ``over_control`` and its interval stand beside
        correlations, what they have over least confidence, and beside ``top_error_jacobian_norm``,
        its ratio to the error at all points.
    """
    rows = fitted_points(points, training, fitted_accuracy=fitted_accuracy)
    return with_controls(means_over_networks(rows, of_points, resampling, limits=LIMITS), CONTROLS)


def of_points(counts: Counts, network: pd.DataFrame) -> dict[str, Draws]:
    """All statistics of one network in every resample of its points."""
    names = ("jacobian_norm", *LOSSES, *BASELINES)
    ranks = {name: midranks(counts, network[name].to_numpy(float)) for name in names}
    wrong = network["correct"].to_numpy() == 0
    areas = {name: _area(counts, ranks[name], wrong) for name in ("jacobian_norm", *BASELINES)}
    correlations = {
        (name, loss): _spearman(counts, ranks[name], ranks[loss])
        for name in ("jacobian_norm", "least_confidence")
        for loss in LOSSES
    }
    of_norm = {loss: correlations["jacobian_norm", loss] for loss in LOSSES}
    minus = "_minus_least_confidence"
    return {
        **{f"spearman_{loss}": of_norm[loss] for loss in LOSSES},
        **{
            f"spearman_{loss}{minus}": of_norm[loss] - correlations["least_confidence", loss]
            for loss in LOSSES
        },
        **{f"auroc_{name}": area for name, area in areas.items()},
        **{
            f"auroc_jacobian_norm_minus_{name}": areas["jacobian_norm"] - areas[name]
            for name in BASELINES
        },
        **_top_errors(counts, network, wrong),
        "wrong_below_right": _wrong_below_right(
            counts, network["jacobian_norm"].to_numpy(float), wrong
        ),
    }


def _top_errors(
    counts: Counts, network: pd.DataFrame, wrong: Bool[np.ndarray, "points"]
) -> dict[str, Draws]:
    """Shares of wrong points among those of the largest norms, beside those of all."""
    norms, doubts = (network[name].to_numpy(float) for name in ("jacobian_norm", BASELINES[0]))
    errors = {
        f"top_error_jacobian_norm{name}": _top_error(counts, norms, wrong, share)
        for name, share in TOP.items()
    }
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = counts @ wrong / counts.sum(1)
        over_mean = errors["top_error_jacobian_norm"] / mean
    of_doubts = _top_error(counts, doubts, wrong, TOP[""])
    return errors | {"top_error_over_mean": over_mean, "top_error_least_confidence": of_doubts}


def _top_error(
    counts: Counts,
    values: Float[np.ndarray, "points"],
    wrong: Bool[np.ndarray, "points"],
    share: float,
) -> Draws:
    """Share of wrong points among a share of points, those of the largest values."""
    distinct, group = np.unique(-values, return_inverse=True)
    sizes, errors = np.zeros((2, len(counts), len(distinct)))
    for position, number in enumerate(group):
        sizes[:, number] += counts[:, position]
        errors[:, number] += counts[:, position] * wrong[position]
    wanted = share * counts.sum(1, keepdims=True)
    # How many points of each value are among them, and the error of these.
    among = np.clip(wanted - (np.cumsum(sizes, axis=1) - sizes), 0, sizes)
    fractions = np.divide(among, sizes, where=sizes > 0, out=np.zeros_like(sizes))
    return (fractions * errors).sum(1) / wanted[:, 0]


def _wrong_below_right(
    counts: Counts, norms: Float[np.ndarray, "points"], wrong: Bool[np.ndarray, "points"]
) -> Draws:
    """Orders of magnitude from the least norm of wrong points up to the median of right ones."""
    ascending = np.argsort(norms, kind="stable")
    norms, wrong, counts = norms[ascending], wrong[ascending], counts[:, ascending]
    right = np.cumsum(counts * ~wrong, axis=1)
    size = right[:, -1]
    middles = [norms[(right > place[:, None]).argmax(1)] for place in ((size - 1) // 2, size // 2)]
    least = norms[(counts * wrong > 0).argmax(1)]
    with np.errstate(divide="ignore", invalid="ignore"):
        orders = np.log10(np.mean(middles, axis=0) / least)
    there = (size > 0) & (counts[:, wrong].sum(1) > 0)
    return np.where(there, orders, np.nan)


def _spearman(counts: Counts, x: Counts, y: Counts) -> Draws:
    """Pearson's r of ranks from 1 to N, of which the mean is known; NaN where one is constant."""
    dx, dy = (ranks - (ranks.shape[1] + 1) / 2 for ranks in (x, y))
    weighted = counts * dx
    covariance = np.einsum("rn,rn->r", weighted, dy)
    variances = np.einsum("rn,rn->r", weighted, dx) * np.einsum("rn,rn,rn->r", counts, dy, dy)
    with np.errstate(invalid="ignore"):
        return covariance / np.sqrt(variances)


def _area(counts: Counts, ranks: Counts, wrong: Bool[np.ndarray, "points"]) -> Draws:
    """Mann and Whitney's U of the wrong points, over the number of pairs; NaN where there is none.

    The ranks of n wrong points would sum to n (n + 1) / 2 if they were the least.
    """
    counts_of_wrong = counts[:, wrong]
    n = counts_of_wrong.sum(1)
    u = np.einsum("rn,rn->r", counts_of_wrong, ranks[:, wrong]) - n * (n + 1) / 2
    with np.errstate(invalid="ignore"):
        return u / (n * (counts.sum(1) - n))

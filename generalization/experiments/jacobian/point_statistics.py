"""Does the Jacobian norm at a test point tell whether a network is wrong there?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from generalization.experiments.jacobian.single_points import fitted_points, means_over_networks
from generalization.statistics.correlations import midranks
from generalization.statistics.resampling import Resampling

LOSSES = ("cross_entropy", "squared_loss")
BASELINES = ("least_confidence", "entropy")
AREAS = [f"auroc_{name}" for name in ("jacobian_norm", *BASELINES)]

Counts = Float[np.ndarray, "resamples points"]
Draws = Float[np.ndarray, "resamples"]


def point_statistics(
    points: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
    fitted_accuracy: float = 0.999,
) -> pd.DataFrame:
    """How the Jacobian norm at test points goes with loss and error there, over fitted networks.

    Novak et al. 2018, §4.4, see a relation with the loss (Fig. 6), and propose the norm for active
    learning and for estimating confidence. They print no number. The statistics of a network:

    ``spearman_cross_entropy``, ``spearman_squared_loss``
        Spearman's correlation of the norm with the loss, over points.
    ``auroc_jacobian_norm``, ``auroc_least_confidence``, ``auroc_entropy``
        Probability that a point at which the network is wrong has a larger norm than one at which
        it is right, ties counting half: the area under the receiver operating characteristic. The
        same for two baselines that need no derivative, 1 − max_k σ_k and the entropy of σ.
    ``auroc_jacobian_norm_minus_least_confidence``, ``auroc_jacobian_norm_minus_entropy``
        What the norm has over each baseline, in the same network and the same resample.

    A network that is right at all points, or wrong at all, has no area.

    Args:
        points: Table of the profile ``points`` of a study.
        training: Table of ``collect_training``.
        resampling: Bootstrap of points, and level of the intervals, see ``means_over_networks``.
        fitted_accuracy: Train accuracy from which on a network counts as fitted.

    Returns:
        Means over networks as ``means_over_networks`` gives them, for each dataset and the loss
        that networks were trained with.
    """
    rows = fitted_points(points, training, fitted_accuracy=fitted_accuracy)
    return means_over_networks(rows, of_points, resampling, shares=AREAS)


def of_points(counts: Counts, network: pd.DataFrame) -> dict[str, Draws]:
    """All statistics of one network in every resample of its points.

    Args:
        counts: How often every resample holds every point.
        network: The rows of the network.
    """
    names = ("jacobian_norm", *LOSSES, *BASELINES)
    ranks = {name: midranks(counts, network[name].to_numpy(float)) for name in names}
    wrong = network["correct"].to_numpy() == 0
    areas = {name: _area(counts, ranks[name], wrong) for name in ("jacobian_norm", *BASELINES)}
    norm = areas["jacobian_norm"]
    return {
        **{
            f"spearman_{loss}": _spearman(counts, ranks["jacobian_norm"], ranks[loss])
            for loss in LOSSES
        },
        **{f"auroc_{name}": area for name, area in areas.items()},
        **{f"auroc_jacobian_norm_minus_{name}": norm - areas[name] for name in BASELINES},
    }


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

"""How many test points lie where the relations of loss and Jacobian norm say they do."""

from __future__ import annotations

import numpy as np
import pandas as pd

from generalization.experiments.jacobian.loss_curves import (
    norm_at_least,
    norm_with_even_rivals,
    norm_with_one_rival,
    true_row_with_even_rivals,
    true_row_with_one_rival,
)
from generalization.experiments.jacobian.single_points import fitted_points, means_over_networks
from generalization.statistics.resampling import Resampling

FRACTIONS = (
    "true_row_within_eq_5",
    "norm_above_eq_6",
    "norm_above_eq_6_tightened",
    "norm_below_eq_7",
    "norm_between_eq_7_and_one_rival",
    "norm_above_true_row",
)
ROUNDING = 1e-4  # Of norms that were taken in single precision, relative.


def bound_statistics(
    points: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
    fitted_accuracy: float = 0.999,
) -> pd.DataFrame:
    """Fractions of test points that keep the bounds of Novak et al. 2018, §A.3, over networks.

    ``true_row_within_eq_5``
        ‖J_y‖ lies between both sides of eq. 5.
    ``norm_above_eq_6``, ``norm_above_eq_6_tightened``
        ‖J‖_F is at least the bound as printed; and times √(K/(K−1)).
    ``norm_below_eq_7``
        ‖J‖_F is at most eq. 7, which the paper introduces as an upper bound.
    ``norm_between_eq_7_and_one_rival``
        ‖J‖_F lies between eq. 7 and 2√M p(1−p), of the points with p ≥ 1/2.
    ``norm_above_true_row``
        ‖J‖_F ≥ √(K/(K−1)) ‖J_y‖, which holds for any network at any point.

    The others would hold at all points if the gradients of the logits were orthogonal and of one
    length M^½ everywhere. M is the mean of ``logit_gram_m`` over the points of each resample.

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
    return means_over_networks(rows, _of_network, resampling, shares=FRACTIONS)


def _of_network(counts: np.ndarray, network: pd.DataFrame) -> dict[str, np.ndarray]:
    """All fractions of one network in every resample of its points."""
    loss, norm, row, m = (
        network[name].to_numpy(float)
        for name in ("cross_entropy", "jacobian_norm", "true_row_norm", "logit_gram_m")
    )
    classes = int(network["classes"].iloc[0])
    mean_m = (counts @ m / counts.sum(1))[:, None]
    even_row, even = (
        curve(loss, mean_m, classes) for curve in (true_row_with_even_rivals, norm_with_even_rivals)
    )
    one_row, one = (curve(loss, mean_m) for curve in (true_row_with_one_rival, norm_with_one_rival))
    held = {
        "true_row_within_eq_5": _at_most(even_row, row) & _at_most(row, one_row),
        "norm_above_eq_6": _at_most(even_row, norm),
        "norm_above_eq_6_tightened": _at_most(norm_at_least(loss, mean_m, classes), norm),
        "norm_below_eq_7": _at_most(norm, even),
        "norm_between_eq_7_and_one_rival": _at_most(even, norm) & _at_most(norm, one),
        "norm_above_true_row": _at_most(np.sqrt(classes / (classes - 1)) * row, norm)[None],
    }
    of_these = {"norm_between_eq_7_and_one_rival": counts * (loss <= np.log(2))}
    return {name: _fraction(of_these.get(name, counts), kept) for name, kept in held.items()}


def _at_most(less: np.ndarray, more: np.ndarray) -> np.ndarray:
    """Less or equal, but for rounding."""
    return less <= more * (1 + ROUNDING)


def _fraction(counts: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Fraction of the points that a resample holds; NaN if it holds none."""
    with np.errstate(invalid="ignore"):
        return (counts * kept).sum(1) / counts.sum(1)

"""Areas under curves of accuracy against ablated units, or added noise."""

from __future__ import annotations

import numpy as np
import pandas as pd

from generalization.tables import KEPT_NETWORK, with_networks

CURVE = [*KEPT_NETWORK, "layer", "mode"]
# What networks of one topology share, beside what they were trained on. Networks that a function of
# a user builds, such as residual ones, lack what the built-in ones have: those rows are kept.
TOPOLOGY = [
    "dataset",
    "architecture",
    "architecture_arguments",
    "depth",
    "width",
    "pooling",
    "activation",
    "normalization",
    "dropout",
]

# What stays apart where networks are averaged over whatever else they are trained with.
GROUP = ["dataset", "architecture", "normalization", "dropout"]


def curve_areas(ablation_curves: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """The area of every curve, by the trapezoid rule, over the range of its amounts.

    Returns:
        One row per network, step, layer and mode, with ``area``, the mean accuracy over the range,
        ``normalized``, that over the accuracy at its least amount, and the columns of ``training``.
    """
    areas = [
        [*curve, *_areas(rows["amount"].to_numpy(float), rows["accuracy"].to_numpy(float))]
        for curve, rows in ablation_curves.groupby(CURVE, sort=False)
    ]
    return with_networks(pd.DataFrame(areas, columns=[*CURVE, "area", "normalized"]), training)


def _areas(amounts: np.ndarray, accuracies: np.ndarray) -> tuple[float, float]:
    """Area under a curve, and that over where it begins."""
    order = np.argsort(amounts)
    area = np.trapezoid(accuracies[order], amounts[order]) / np.ptp(amounts)
    start = accuracies[order[0]]
    return area, area / start if start > 0 else np.nan

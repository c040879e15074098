"""Does the Jacobian norm at a test point tell whether this network is wrong there?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from generalization.experiments.jacobian.point_statistics import of_points
from generalization.experiments.jacobian.single_points import (
    fitted_points,
    in_blocks,
    percentile_interval,
)
from generalization.tables import NETWORK

ABOUT = ["dataset", "loss", *NETWORK]
COLUMNS = [*ABOUT, "statistic", "estimate", "low", "high", "level", "points"]


def point_statistics_of_networks(
    points: pd.DataFrame,
    training: pd.DataFrame,
    *,
    generator: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
    fitted_accuracy: float = 0.999,
) -> pd.DataFrame:
    """The statistics of ``point_statistics`` for every network by itself.

    Args:
        points: Table of the profile ``points`` of a study.
        training: Table of ``collect_training``.
        generator: Of the resamples, the same for all networks of as many points.
        resamples: Of the points of a network.
        level: Of the percentile intervals.
        fitted_accuracy: Train accuracy from which on a network counts as fitted.

    Returns:
        One row per fitted network and statistic, with the columns ``COLUMNS``. What a network does
        not have is empty; ``points`` is how many it was taken at.
    """
    rows = fitted_points(points, training, fitted_accuracy=fitted_accuracy)
    entropy = int(generator.integers(2**63))
    table = [
        {**dict(zip(ABOUT, about, strict=True)), **row}
        for about, network in rows.groupby(ABOUT)
        for row in _statistics(network, np.random.default_rng(entropy), resamples, level)
    ]
    return pd.DataFrame(table, columns=COLUMNS).assign(level=level)


def _statistics(
    network: pd.DataFrame, generator: np.random.Generator, resamples: int, level: float
) -> Iterator[dict[str, Any]]:
    """The statistics of one network, each as a row."""
    size = len(network)
    draws = generator.multinomial(size, np.full(size, 1 / size), resamples)
    # The first resample is the sample itself.
    values = in_blocks(of_points, np.vstack([np.ones((1, size)), draws]), network)
    for statistic, (estimate, *drawn) in values.items():
        drawn = np.array(drawn if np.isfinite(estimate) else [])
        interval = percentile_interval(drawn, level)
        yield {"statistic": statistic, "estimate": estimate, **interval, "points": size}

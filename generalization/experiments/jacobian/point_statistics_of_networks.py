"""Does the Jacobian norm at a test point tell whether this network is wrong there?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from generalization.experiments.jacobian.point_statistics import of_points
from generalization.experiments.jacobian.single_points import fitted_points, in_blocks
from generalization.statistics.estimates import INTERVAL, groups, table_of
from generalization.statistics.resampling import Resampling, sample_first
from generalization.tables import NETWORK

ABOUT = ["dataset", "loss", *NETWORK]
COLUMNS = [*ABOUT, "statistic", *INTERVAL, "points"]


def point_statistics_of_networks(
    points: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
    fitted_accuracy: float = 0.999,
) -> pd.DataFrame:
    """The statistics of ``point_statistics`` for every network by itself.

    Args:
        resampling: Bootstrap of the points of a network.

    Returns:
        One row per fitted network and statistic, with the columns ``COLUMNS``. What a network does
        not have is empty; ``points`` is how many it was taken at.
    """
    rows = fitted_points(points, training, fitted_accuracy=fitted_accuracy)
    found = [
        about | row
        for about, network in groups(rows, ABOUT, sort=True)
        for row in _statistics(network, resampling)
    ]
    return table_of(found, COLUMNS, resampling)


def _statistics(network: pd.DataFrame, resampling: Resampling) -> Iterator[dict[str, Any]]:
    """The statistics of one network, each as a row."""
    size = len(network)
    even = np.full(size, 1 / size)
    counts = sample_first(resampling.stream().multinomial(size, even, resampling.resamples))
    for statistic, draws in in_blocks(of_points, counts, network).items():
        interval = resampling.interval(draws[1:]) if np.isfinite(draws[0]) else {}
        yield {"statistic": statistic, "estimate": draws[0], **interval, "points": size}

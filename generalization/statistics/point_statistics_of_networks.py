"""Does the Jacobian norm at a test point tell whether this network is wrong there?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from generalization.statistics.point_statistics import of_points
from generalization.statistics.single_points import each_network, fitted_points


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
        generator: Of the resamples.
        resamples: Of the points of a network.
        level: Of the intervals.
        fitted_accuracy: Train accuracy from which on a network counts as fitted.

    Returns:
        One row per fitted network and statistic, see ``each_network``.
    """
    rows = fitted_points(points, training, fitted_accuracy=fitted_accuracy)
    return each_network(rows, of_points, generator=generator, resamples=resamples, level=level)

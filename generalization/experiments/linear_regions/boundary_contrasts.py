"""How much sparser boundaries of linear regions are near training images than elsewhere."""

from __future__ import annotations

import numpy as np
import pandas as pd

from generalization.experiments.linear_regions.boundary_densities import (
    boundary_map,
    contrast,
    places,
)
from generalization.statistics.estimates import ESTIMATE, mean_over_networks, table_of
from generalization.statistics.resampling import Resampling
from generalization.tables import KEPT_NETWORK, with_networks

COLUMNS = ["trained", *ESTIMATE]


def boundary_contrasts(
    boundaries: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
    distance: float = 0.1,
) -> pd.DataFrame:
    """Boundaries near training images, compared with the whole square, before and after training.

    The estimate is the geometric mean over networks of ``contrast``. Below 1, training points lie
    in regions of lower density, which Novak et al. 2018, §4.1 and Fig. 3, observe after training.

    Args:
        boundaries: Table of the profile ``boundaries`` of a study.
        training: Table of ``collect_training``.
        resampling: Settings of the intervals, of which the level counts.
        distance: From an image within which a pixel is near, where the square is [−1, 1]².

    Returns:
        One row for untrained networks, at step 0, and one for trained ones, at their last step,
        whether they have fitted or not, with the columns ``COLUMNS``. What does not exist is empty;
        ``note`` says why.

    Raises:
        ValueError: If distance is not positive.
    """
    if not distance > 0:
        raise ValueError(f"distance must be positive, not {distance!r}.")
    networks = contrasts_of_networks(boundaries, training, distance=distance)
    untrained = networks["step"] == 0
    logarithms = np.log(networks["estimate"].astype(float))
    rows = [
        {"trained": trained}
        | mean_over_networks(
            logarithms[chosen],
            networks["ensemble"][chosen],
            resampling,
            scale=np.exp,
            lacking="boundary",
        )
        for trained, chosen in {False: untrained, True: networks["final"] & ~untrained}.items()
    ]
    return table_of(rows, COLUMNS, resampling)


def contrasts_of_networks(
    boundaries: pd.DataFrame, training: pd.DataFrame, *, distance: float = 0.1
) -> pd.DataFrame:
    """The contrast of every network at every kept step.

    Args:
        boundaries: Table of the profile ``boundaries`` of a study.
        training: Table of ``collect_training``.
        distance: From an image within which a pixel is near.

    Returns:
        ensemble, seed, step; ``estimate``, the contrast; the other columns of ``training``.
    """
    rows = [
        (*network, contrast(boundary_map(rows), places(rows), distance=distance))
        for network, rows in boundaries.groupby(KEPT_NETWORK, sort=False)
    ]
    return with_networks(pd.DataFrame(rows, columns=[*KEPT_NETWORK, "estimate"]), training)

"""How much sparser boundaries of linear regions are near training images than elsewhere."""

from __future__ import annotations

import numpy as np
import pandas as pd

from generalization.experiments.linear_regions.boundary_densities import (
    boundary_map,
    contrast,
    places,
)
from generalization.statistics.means import check_resampling, mean_over_networks, missing
from generalization.tables import KEPT_NETWORK, with_networks

COLUMNS = ["trained", "estimate", "low", "high", "level", "networks", "ensembles", "note"]


def boundary_contrasts(
    boundaries: pd.DataFrame,
    training: pd.DataFrame,
    *,
    generator: np.random.Generator,
    distance: float = 0.1,
    level: float = 0.95,
    resamples: int = 2000,
) -> pd.DataFrame:
    """Boundaries near training images, compared with the whole square, before and after training.

    The estimate is the geometric mean over networks of ``contrast``. Below 1, training points lie
    in regions of lower density, which Novak et al. 2018, §4.1 and Fig. 3, observe after training.
    The interval is the percentile interval of a bootstrap that resamples ensembles, then seeds
    within them.

    Args:
        boundaries: Table of the profile ``boundaries`` of a study.
        training: Table of ``collect_training``.
        generator: Of resamples.
        distance: From an image within which a pixel is near, where the square is [−1, 1]².
        level: Of the intervals.
        resamples: Number of bootstrap resamples.

    Returns:
        One row for untrained networks, at step 0, and one for trained ones, at their last step,
        whether they have fitted or not, with the columns ``COLUMNS``. What does not exist is empty;
        ``note`` says why.

    Raises:
        ValueError: If distance is not positive, level is not between 0 and 1, or resamples are
            none.
    """
    if not distance > 0:
        raise ValueError(f"distance must be positive, not {distance!r}.")
    check_resampling(level, resamples)
    networks = contrasts_of_networks(boundaries, training, distance=distance)
    untrained = networks["step"] == 0
    rows = [
        {"trained": trained, **_mean(networks[chosen], generator, level, resamples)}
        for trained, chosen in {False: untrained, True: networks["final"] & ~untrained}.items()
    ]
    return pd.DataFrame(rows).assign(level=level)[COLUMNS]


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


def _mean(
    networks: pd.DataFrame, generator: np.random.Generator, level: float, resamples: int
) -> dict[str, object]:
    """Geometric mean over the networks that have a contrast, and its interval."""
    mean = mean_over_networks(
        np.log(networks["estimate"].astype(float)),
        networks["ensemble"],
        generator=generator,
        resamples=resamples,
        level=level,
        scale=np.exp,
    )
    return mean | {"note": missing(mean["networks"], len(networks), "boundary")}

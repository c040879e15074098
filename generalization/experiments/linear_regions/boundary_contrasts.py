"""How much sparser boundaries of linear regions are near training images, and how uneven."""

from __future__ import annotations

import numpy as np
import pandas as pd

from generalization.experiments.linear_regions.boundary_densities import (
    boundary_map,
    contrast,
    places,
    unevenness,
)
from generalization.statistics.estimates import (
    ESTIMATE,
    crossed_mean,
    groups,
    paired_contrast,
    table_of,
)
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import before_and_after
from generalization.tables import KEPT_NETWORK, NETWORK, with_networks

STATISTICS = ("near_images", "unevenness")
COLUMNS = [
    *("dataset", "trained", "statistic"),
    *ESTIMATE,
    "shared",
    *("over_untrained", "over_untrained_low", "over_untrained_high"),
    "train_accuracy",
]


def boundary_contrasts(
    boundaries: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
    distance: float = 0.1,
) -> pd.DataFrame:
    """Boundaries near training images, and their unevenness, before and after training.

    ``near_images``
        Density near the images over that in the whole square: ``contrast``. Below 1, training
        points lie in regions of lower density, which Novak et al. 2018, §4.1 and Fig. 3, observe
        after training.
    ``unevenness``
        Standard deviation over cells of the logarithm of the density. They observe that boundaries
        "become highly non-isotropic": that it grows.

    Estimates are geometric means over networks. All networks of a dataset are looked at on the same
    planes, whose error enters beside that of ensembles, see ``crossed_mean``.

    Returns:
        One row per dataset, statistic and ``trained``: networks at step 0, and networks at their
        last step, whether they have fitted or not; with the columns ``COLUMNS``. ``shared`` is the
        number of planes. ``over_untrained`` of trained networks is the ratio over the same network
        and plane before training. ``train_accuracy`` is the mean over networks of what they
        reached. What does not exist is empty; ``note`` says why.

    Raises:
        ValueError: If distance is not positive.
    """
    if not distance > 0:
        raise ValueError(f"distance must be positive, not {distance!r}.")
    planes = contrasts_of_networks(boundaries, training, distance=distance)
    planes = before_and_after(planes[[*KEPT_NETWORK, "plane", *STATISTICS]], training)
    rows = [
        about | {"statistic": statistic} | row
        for about, alike in groups(planes, ["dataset"])
        for statistic in STATISTICS
        for row in _rows(alike, statistic, resampling)
    ]
    return table_of(rows, COLUMNS, resampling)


def _rows(alike: pd.DataFrame, statistic: str, resampling: Resampling) -> list[dict]:
    """Rows of one statistic on one dataset, before and after training."""
    with np.errstate(divide="ignore"):
        logarithms = alike.assign(logarithm=np.log(alike[statistic].astype(float)))
    tables = {
        trained: some.pivot(index=NETWORK, columns="plane", values="logarithm")
        for trained, some in logarithms.groupby("trained")
    }
    rows = []
    for trained, table in tables.items():
        ensembles = table.index.get_level_values("ensemble").to_series()
        found = crossed_mean(
            table.to_numpy(), ensembles, resampling, scale=np.exp, lacking="boundary"
        )
        if trained and False in tables:
            before = tables[False].reindex_like(table).to_numpy()
            found |= paired_contrast(
                *(table.to_numpy(), before, ensembles, resampling),
                name="over_untrained",
                scale=np.exp,
            )
        reached = alike.loc[alike["trained"] == trained].drop_duplicates(NETWORK)
        found["train_accuracy"] = reached["train_accuracy"].mean()
        rows.append({"trained": trained} | found)
    return rows


def contrasts_of_networks(
    boundaries: pd.DataFrame, training: pd.DataFrame, *, distance: float = 0.1
) -> pd.DataFrame:
    """Both statistics of every network at every kept step, on every plane.

    Args:
        distance: From an image within which a pixel is near.

    Returns:
        ensemble, seed, step, plane; ``STATISTICS``; the other columns of ``training``.
    """
    rows = []
    for keys, alike in boundaries.groupby([*KEPT_NETWORK, "plane"], sort=False):
        boundary = boundary_map(alike)
        near = contrast(boundary, places(alike), distance=distance)
        rows.append((*keys, near, unevenness(boundary)))
    return with_networks(
        pd.DataFrame(rows, columns=[*KEPT_NETWORK, "plane", *STATISTICS]), training
    )

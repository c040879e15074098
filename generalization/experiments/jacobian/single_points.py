"""Statistics of networks at single test points, averaged over networks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from jaxtyping import Float

from generalization.statistics.estimates import (
    ESTIMATE,
    Limits,
    error_of_mean,
    few_ensembles,
    few_shared,
    groups,
    joined,
    t_interval,
    table_of,
    undefined,
)
from generalization.statistics.resampling import Resampling, sample_first
from generalization.statistics.selection import has_fitted, on_true_labels
from generalization.tables import KEPT_NETWORK, NETWORK, with_networks

COLUMNS = ["dataset", "loss", "statistic", *ESTIMATE]
# Contrast of a statistic to its control, and its interval.
CONTROL = ("over_control", "over_control_low", "over_control_high")
RESAMPLES_AT_A_TIME = 100  # A cache holds their counts of 1000 points.

# From how often every resample holds every point, and the rows of one network, to its statistics.
OfNetwork = Callable[
    [Float[np.ndarray, "resamples points"], pd.DataFrame],
    Mapping[str, Float[np.ndarray, "resamples"]],
]


def fitted_points(
    points: pd.DataFrame, training: pd.DataFrame, *, fitted_accuracy: float
) -> pd.DataFrame:
    """The rows of networks at their last step that fitted a training set with true labels.

    Returns:
        The rows beside ``training``, by ensemble, seed and point. A network with a value that is
        not finite is left out.
    """
    finite = np.isfinite(points.drop(columns=KEPT_NETWORK).astype(float)).all(axis=1)
    rows = with_networks(points.assign(finite=finite), training)
    # ASSUME: single points are studied in networks that fitted true labels, as the paper's were;
    # one that fitted wrong ones is as sure where it is wrong.
    rows = rows[
        rows["final"]
        & has_fitted(rows, fitted_accuracy=fitted_accuracy)
        & on_true_labels(rows)
        & rows.groupby(KEPT_NETWORK)["finite"].transform("all")
    ]
    keys = [key for key in (*NETWORK, "point") if key in rows]
    return rows.drop(columns="finite").sort_values(keys, ignore_index=True)


def means_over_networks(
    points: pd.DataFrame,
    of_network: OfNetwork,
    resampling: Resampling,
    *,
    limits: Mapping[str, Limits] = MappingProxyType({}),
    logarithms: Collection[str] = (),
) -> pd.DataFrame:
    """Means of statistics over the networks of each dataset and training loss, with intervals.

    All networks see the same points, of which some are hard for all of them: networks and points
    are two crossed samples, whose squared errors add up as for ``crossed_mean``. That of networks
    is the error of the mean of ensemble means; that of points the variance of this mean over
    resamples of the points, drawn once for all networks. Drawn anew for each network, their errors
    would average out, and make intervals too narrow.

    Args:
        points: Table of ``fitted_points``.
        of_network: From counts of points and one network's rows to statistic → value in every
            resample, NaN where it does not exist.
        resampling: Bootstrap of points, and level of the intervals.
        limits: Statistic → its limits, see ``t_interval``.
        logarithms: Statistics that are logarithms, of which the estimate is a geometric mean.

    Returns:
        One row per dataset, loss and statistic, with the columns ``COLUMNS``. ``networks`` and
        ``ensembles`` are those that have the statistic; ``note`` says how many others there are.

    Raises:
        ValueError: If networks of one dataset and loss were not taken at the same points.
    """  # noqa: DOC502
    rows = [
        about | row
        for about, group in groups(points, ["dataset", "loss"], sort=True)
        for row in _means(group, of_network, resampling, limits, logarithms)
    ]
    return table_of(rows, COLUMNS, resampling)


def with_controls(table: pd.DataFrame, controls: Mapping[str, str]) -> pd.DataFrame:
    """Put contrasts to controls, which are rows of a table, beside the statistics that they judge.

    Args:
        table: Table of ``means_over_networks``.
        controls: Statistic → statistic that is its contrast to its control.

    Returns:
        The table with the columns ``CONTROL``, empty in rows without a control.
    """
    keys = ["dataset", "loss", "statistic"]
    contrasts = table[[*keys, "estimate", "low", "high"]]
    contrasts = contrasts.set_axis(["dataset", "loss", "contrast", *CONTROL], axis=1)
    beside = table.assign(contrast=table["statistic"].map(controls).astype(object))
    on = ["dataset", "loss", "contrast"]
    return beside.merge(contrasts, "left", on, validate="many_to_one").drop(columns="contrast")


def _means(group, of_network, resampling, limits, logarithms):
    """The statistics of one dataset and loss, each as a row."""
    networks = [network for _, network in group.groupby(NETWORK)]
    ensembles = np.array([network["ensemble"].iloc[0] for network in networks])
    size = _points_of_each(networks)
    counts = resampling.stream().multinomial(size, np.full(size, 1 / size), resampling.resamples)
    values = [in_blocks(of_network, sample_first(counts), network) for network in networks]
    for statistic in values[0]:
        drawn = np.stack([of_one[statistic] for of_one in values])
        has = np.isfinite(drawn[:, 0])
        # A resample of points may lack the statistic of a network that has it.
        drawn = pd.DataFrame(drawn[has]).where(np.isfinite(drawn[has]))
        of_ensembles = drawn.groupby(ensembles[has]).mean()
        estimate, draws = of_ensembles[0].mean(), of_ensembles.iloc[:, 1:].mean()
        errors = [error_of_mean(of_ensembles[0].to_numpy()), (draws.var(), size - 1)]
        found = t_interval(estimate, errors, level=resampling.level, limits=limits.get(statistic))
        if statistic in logarithms:
            found = {key: np.exp(value) for key, value in found.items()}
        yield {
            "statistic": statistic,
            **found,
            "networks": has.sum(),
            "ensembles": len(of_ensembles),
            "note": joined(
                undefined(has.sum(), len(has)), few_ensembles(len(of_ensembles)), few_shared(size)
            ),
        }


def _points_of_each(networks: list[pd.DataFrame]) -> int:
    """Number of points at which all networks were evaluated.

    Raises:
        ValueError: If these are not the same.
    """
    first, *others = (network["point"].to_numpy() for network in networks)
    if not all(np.array_equal(first, other) for other in others):
        raise ValueError(
            "points must be the same for all networks of a dataset and loss, not "
            f"{' and '.join(map(str, sorted({len(p) for p in (first, *others)})))} of them."
        )
    return len(first)


def in_blocks(
    of_network: OfNetwork, counts: Float[np.ndarray, "resamples points"], network: pd.DataFrame
) -> dict[str, Float[np.ndarray, "resamples"]]:
    """The statistics of a network in all resamples, some at a time.

    Args:
        of_network: As ``means_over_networks`` takes it.
    """
    starts = range(0, len(counts), RESAMPLES_AT_A_TIME)
    blocks = [of_network(counts[i : i + RESAMPLES_AT_A_TIME], network) for i in starts]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}

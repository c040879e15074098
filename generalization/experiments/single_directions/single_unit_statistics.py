"""Do selectivity and information of a unit tell how important it is?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from generalization.experiments.single_directions.curve_areas import GROUP
from generalization.statistics.correlations import spearman
from generalization.statistics.estimates import (
    CORRELATION,
    ESTIMATE,
    SHARE,
    groups,
    means_of_columns,
    table_of,
)
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import on_true_labels
from generalization.tables import KEPT_NETWORK, with_networks

COLUMNS = [*GROUP, "labels", "statistic", *ESTIMATE]
OF_IMPORTANCE = {"selectivity": "class_selectivity", "information": "mutual_information"}
LIMITS = {f"spearman_importance_{name}": CORRELATION for name in OF_IMPORTANCE}
LIMITS |= {"never_active": SHARE}


def single_unit_statistics(
    single_units: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
) -> pd.DataFrame:
    """Single units of networks at their last step (Morcos et al. 2018).

    The paper finds that class selectivity does not predict what is lost without a unit. The
    statistics of a network:

    ``spearman_importance_selectivity``, ``spearman_importance_information``
        Spearman's correlation over the units of a hidden layer, its mean over layers in which both
        vary: layers differ in both.
    ``class_selectivity``, ``mutual_information``, ``importance``
        Means over all hidden units.
    ``never_active``
        Share of the units whose mean activation is 0.

    Returns:
        Means over networks, whether they have fitted or not, one row per dataset, normalization,
        dropout, ``labels`` (networks trained on ``true`` labels, and ``all`` networks) and
        statistic, with the columns ``COLUMNS``.
    """
    networks = units_of_networks(single_units, training)
    statistics = networks.columns.drop([*KEPT_NETWORK, *GROUP, "true_labels"])
    rows = [
        about | row
        for about, some in _groups(networks)
        for row in means_of_columns(some, statistics, resampling, limits=LIMITS)
    ]
    return table_of(rows, COLUMNS, resampling)


def units_of_networks(single_units: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """The statistics of every network at its last step.

    Returns:
        ensemble, seed, step, what ``GROUP`` names, ``true_labels``, and one column per statistic.
    """
    rows = with_networks(single_units, training)
    rows = rows[rows["final"]]
    keys = [*KEPT_NETWORK, *GROUP, "true_labels"]
    found = [
        network | _of_network(units)
        for network, units in groups(rows.assign(true_labels=on_true_labels), keys, dropna=False)
    ]
    return pd.DataFrame(found, columns=None if found else keys)


def _of_network(units: pd.DataFrame) -> dict[str, float]:
    """All statistics of one network."""
    correlations = {
        f"spearman_importance_{name}": [
            _correlation(layer["importance"], layer[column]) for _, layer in units.groupby("layer")
        ]
        for name, column in OF_IMPORTANCE.items()
    }
    return {
        **{name: pd.Series(of_layers).mean() for name, of_layers in correlations.items()},
        **{name: units[name].mean() for name in (*OF_IMPORTANCE.values(), "importance")},
        "never_active": (units["mean_activation"] == 0).mean(),
    }


def _correlation(x: pd.Series, y: pd.Series) -> float:
    """Spearman's, over the units that have both."""
    there = x.notna() & y.notna()
    if not there.any():
        return np.nan
    ones = np.ones((1, there.sum()))
    return spearman(ones, x[there].to_numpy(float), y[there].to_numpy(float))[0]


def _groups(networks: pd.DataFrame) -> Iterator[tuple[dict[str, object], pd.DataFrame]]:
    """Keys of every row of the result, with its networks."""
    for about, alike in groups(networks, GROUP, dropna=False):
        for labels, some in {"true": alike[alike["true_labels"]], "all": alike}.items():
            if len(some):
                yield about | {"labels": labels}, some

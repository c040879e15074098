"""Do selectivity and information of a unit tell how important it is?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from generalization.statistics.correlations import spearman
from generalization.statistics.means import (
    check_resampling,
    few_ensembles,
    mean_over_networks,
    missing,
)
from generalization.tables import KEPT_NETWORK, with_networks

GROUP = ["dataset", "architecture", "normalization", "dropout"]
COLUMNS = [
    *GROUP,
    "labels",
    "statistic",
    "estimate",
    "low",
    "high",
    "level",
    "networks",
    "ensembles",
    "note",
]


def single_unit_statistics(
    single_units: pd.DataFrame,
    training: pd.DataFrame,
    *,
    generator: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
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

    Args:
        single_units: Table of the profile of a study.
        training: Table of ``collect_training``.
        generator: Of resamples. Every row sees the same ones.
        resamples: Number of bootstrap resamples, of ensembles, then of seeds within them.
        level: Of the percentile intervals.

    Returns:
        Means over networks, whether they have fitted or not, one row per dataset, normalization,
        dropout, ``labels`` (networks trained on ``true`` labels, and ``all`` networks) and
        statistic, with the columns ``COLUMNS``.

    Raises:
        ValueError: If level is not between 0 and 1, or resamples are none.
    """  # noqa: DOC502
    check_resampling(level, resamples)
    entropy = int(generator.integers(2**63))
    networks = units_of_networks(single_units, training)
    rows = [
        about | {"statistic": statistic} | _mean(some, statistic, entropy, resamples, level)
        for about, some in _groups(networks)
        for statistic in networks.columns.drop([*KEPT_NETWORK, *GROUP, "true_labels"])
    ]
    return pd.DataFrame(rows, columns=COLUMNS).assign(level=level)


def units_of_networks(single_units: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """The statistics of every network at its last step.

    Args:
        single_units: Table of the profile of a study.
        training: Table of ``collect_training``.

    Returns:
        ensemble, seed, step, what ``GROUP`` names, ``true_labels``, and one column per statistic.
    """
    rows = with_networks(single_units, training)
    rows = rows[rows["final"]]
    true_labels = (rows["label_corruption"] == 0) & (rows["randomization"] == "none")
    keys = [*KEPT_NETWORK, *GROUP, "true_labels"]
    found = [
        dict(zip(keys, network, strict=True)) | _of_network(units)
        for network, units in rows.assign(true_labels=true_labels).groupby(keys, sort=False)
    ]
    return pd.DataFrame(found, columns=None if found else keys)


def _of_network(units: pd.DataFrame) -> dict[str, float]:
    """All statistics of one network."""
    columns = {"selectivity": "class_selectivity", "information": "mutual_information"}
    correlations = {
        f"spearman_importance_{name}": [
            _correlation(layer["importance"], layer[column]) for _, layer in units.groupby("layer")
        ]
        for name, column in columns.items()
    }
    return {
        **{name: pd.Series(of_layers).mean() for name, of_layers in correlations.items()},
        **{name: units[name].mean() for name in (*columns.values(), "importance")},
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
    """What a row of the result is about, and its networks."""
    for group, alike in networks.groupby(GROUP, sort=False):
        about = dict(zip(GROUP, group, strict=True))
        for labels, some in {"true": alike[alike["true_labels"]], "all": alike}.items():
            if len(some):
                yield about | {"labels": labels}, some


def _mean(
    networks: pd.DataFrame, statistic: str, entropy: int, resamples: int, level: float
) -> dict[str, object]:
    """Mean over the networks that have the statistic, with its interval."""
    mean = mean_over_networks(
        networks[statistic],
        networks["ensemble"],
        generator=np.random.default_rng(entropy),
        resamples=resamples,
        level=level,
    )
    lacks = missing(mean["networks"], len(networks), "finite value")
    return mean | {"note": "; ".join(filter(None, [lacks, few_ensembles(mean)]))}

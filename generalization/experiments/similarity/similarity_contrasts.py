"""How alike networks that learn are, and networks that memorize, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from generalization.experiments.similarity.network_pairs import (
    GENERALIZING,
    MEMORIZING,
    few_samples,
    final_pairs,
    place,
    sizes,
)
from generalization.statistics.estimates import (
    INTERVAL,
    few_ensembles,
    groups,
    joined,
    mean_over_networks,
    table_of,
)
from generalization.statistics.resampling import Resampling

KEYS = ["similarity", "dataset", "architecture", "depth", "layer"]
COLUMNS = [*KEYS, "place", "statistic", *INTERVAL, "pairs", "networks", "ensembles", "note"]
GROUPS = ("within_generalizing", "within_memorizing", "between")
# Name → the groups of which the mean distance of the first less that of the second is taken.
CONTRASTS = {
    "memorizing_minus_generalizing": ("within_memorizing", "within_generalizing"),
    "between_minus_memorizing": ("between", "within_memorizing"),
}


def similarity_contrasts(
    similarities: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
) -> pd.DataFrame:
    """Mean distances, 1 − similarity, within and between two groups of networks, and differences.

    Morcos et al. 2018, *Insights on representational similarity*, compare networks that were
    trained on true labels with networks that memorized random ones, all pairs within each group
    and all between the two. Pairs differ in nothing but the labels, and their seeds. Networks count
    at their last step, whether they have fitted or not.

    Args:
        similarities: Table of a study.
        training: Table of ``collect_training``.
        resampling: Settings of the intervals, of which the level counts. The mean is one of
            settings, and ``ensembles`` their number: one has no interval.

    Returns:
        For every similarity, dataset, architecture, depth and layer (weight layers from 0, the last
        are the logits) one row for each of ``GROUPS`` that has pairs and for each of ``CONTRASTS``
        both of whose groups have: ``COLUMNS``. For ``place`` see ``place``. What does not exist is
        empty; ``note`` says why.
    """
    pairs = final_pairs(similarities, training)
    pairs = pairs[pairs["alike"]].assign(group=_groups)
    rows = [
        about | row
        for about, alike in groups(pairs[pairs["group"] != ""], KEYS, sort=True)
        for row in _of_layer(alike, resampling)
    ]
    table = table_of(rows, COLUMNS, resampling)
    return table.assign(place=place(table["layer"], table["depth"]))


def _groups(pairs: pd.DataFrame) -> np.ndarray:
    """Which of the groups each pair is in; empty if in none."""
    both = pairs["task_a"] + " " + pairs["task_b"]
    names = {
        f"{GENERALIZING} {GENERALIZING}": "within_generalizing",
        f"{MEMORIZING} {MEMORIZING}": "within_memorizing",
        f"{GENERALIZING} {MEMORIZING}": "between",
        f"{MEMORIZING} {GENERALIZING}": "between",
    }
    return both.map(names).fillna("")


def _of_layer(pairs: pd.DataFrame, resampling: Resampling) -> Iterator[dict[str, object]]:
    """Means and differences of one layer."""
    distances = 1 - pairs["value"].astype(float)
    means = {
        group: distances[members.index].groupby(members["setting"]).mean()
        for group, members in pairs.groupby("group")
    }
    for group in GROUPS:
        if group in means:
            yield _row(group, means[group], pairs[pairs["group"] == group], resampling)
    for name, (more, less) in CONTRASTS.items():
        if more in means and less in means:
            of_both = pairs[pairs["group"].isin([more, less])]
            yield _row(name, (means[more] - means[less]).dropna(), of_both, resampling)


def _row(
    statistic: str, settings: pd.Series, pairs: pd.DataFrame, resampling: Resampling
) -> dict[str, object]:
    """The mean over settings, which are the independent units: pairs share networks."""
    mean = mean_over_networks(settings, settings.index, resampling)
    found = mean | sizes(pairs) | {"ensembles": mean["ensembles"]}
    note = joined(few_ensembles(mean["ensembles"]), few_samples(pairs))
    return {"statistic": statistic} | found | {"note": note}

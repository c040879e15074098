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
    groups,
    joined,
    mean_over_networks,
    paired_contrast,
    table_of,
)
from generalization.statistics.resampling import Resampling

KEYS = ["similarity", "dataset", "architecture", "depth", "layer"]
OVER_UNTRAINED = ["over_untrained", "over_untrained_low", "over_untrained_high"]
COUNTS = ["network_pairs", "networks", "ensembles", "note"]
COLUMNS = [*KEYS, "place", "statistic", *INTERVAL, *COUNTS, *OVER_UNTRAINED]
GROUPS = ("within_generalizing", "within_memorizing", "between")
# Name → the groups of which the mean distance of the first less that of the second is taken.
CONTRASTS = {
    "memorizing_minus_generalizing": ("within_memorizing", "within_generalizing"),
    "between_minus_memorizing": ("between", "within_memorizing"),
    "between_minus_generalizing": ("between", "within_generalizing"),
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

    Settings (all hyper-parameters but those of the labels) are the units: distances are averaged
    over the pairs of a setting, which share networks, and intervals are of settings. Untrained
    networks are a control: ``over_untrained`` and its interval are what a difference has over that
    of the same networks at step 0, where labels have taught nothing yet.

    Returns:
        For every similarity, dataset, architecture, depth and layer (weight layers from 0, the last
        are the logits) one row for each of ``GROUPS`` that has pairs and for each of ``CONTRASTS``
        both of whose groups have: ``COLUMNS``; ``ensembles`` is the number of settings. For
        ``place`` see ``place``. What does not exist is empty; ``note`` says why.
    """
    pairs, untrained = (
        _alike(final_pairs(similarities, training, steps=steps)) for steps in ("final", "first")
    )
    at_start = {tuple(about.values()): rows for about, rows in groups(untrained, KEYS)}
    rows = [
        about | row
        for about, alike in groups(pairs, KEYS, sort=True)
        for row in _of_layer(alike, at_start.get(tuple(about.values())), resampling)
    ]
    table = table_of(rows, COLUMNS, resampling)
    return table.assign(place=place(table["layer"], table["depth"]))


def _alike(pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs that differ in nothing but the labels and seeds, with their ``group``."""
    pairs = pairs[pairs["alike"]].assign(group=_groups)
    return pairs[pairs["group"] != ""]


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


def _of_layer(
    pairs: pd.DataFrame, untrained: pd.DataFrame | None, resampling: Resampling
) -> Iterator[dict[str, object]]:
    """Means and differences of one layer."""
    distances = _distances(pairs)
    at_start = None if untrained is None else _distances(untrained).reindex(distances.index)
    for name in (*GROUPS, *CONTRASTS):
        if name in distances:
            of_both = pairs[pairs["group"].isin(CONTRASTS.get(name, [name]))]
            of_both = of_both[of_both["setting"].isin(distances[name].dropna().index)]
            row = _row(name, distances[name], of_both, resampling)
            if name in CONTRASTS and at_start is not None and name in at_start:
                row |= paired_contrast(
                    distances[name],
                    at_start[name],
                    _settings(distances),
                    resampling,
                    name="over_untrained",
                )
            yield row


def _distances(pairs: pd.DataFrame) -> pd.DataFrame:
    """Mean distances of every setting, a column per group, and their differences."""
    distance = (1 - pairs["value"].astype(float)).groupby([pairs["setting"], pairs["group"]])
    means = distance.mean().unstack()
    for name, (more, less) in CONTRASTS.items():
        if more in means and less in means:
            means[name] = means[more] - means[less]
    return means


def _settings(distances: pd.DataFrame) -> pd.Series:
    return distances.index.to_series()


def _row(
    statistic: str, values: pd.Series, pairs: pd.DataFrame, resampling: Resampling
) -> dict[str, object]:
    """Mean over settings that have the statistic."""
    values = values.dropna()
    found = mean_over_networks(values, values.index.to_series(), resampling)
    counts = sizes(pairs) | {"ensembles": found["ensembles"]}
    counts["network_pairs"] = counts.pop("pairs")
    note = joined(found["note"], few_samples(pairs))
    return {"statistic": statistic} | found | counts | {"note": note}

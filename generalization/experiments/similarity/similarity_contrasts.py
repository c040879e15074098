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
    pair_weights,
    percentile_interval,
    sizes,
    weighted_means,
)
from generalization.statistics.means import check_resampling, few_ensembles

KEYS = ["similarity", "dataset", "architecture", "depth", "layer"]
COLUMNS = [
    *KEYS,
    "place",
    "statistic",
    "estimate",
    "low",
    "high",
    "level",
    "pairs",
    "networks",
    "ensembles",
    "note",
]
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
    generator: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
) -> pd.DataFrame:
    """Mean distances, 1 − similarity, within and between two groups of networks, and differences.

    Morcos et al. 2018, *Insights on representational similarity*, compare networks that were
    trained on true labels with networks that memorized random ones, all pairs within each group
    and all between the two. Pairs differ in nothing but the labels, and their seeds. Networks count
    at their last step, whether they have fitted or not. Intervals resample networks, see
    ``pair_weights``; groups that are compared see the same resamples.

    Args:
        similarities: Table of a study.
        training: Table of ``collect_training``.
        generator: Of resamples.
        resamples: Number of bootstrap resamples.
        level: Of the percentile intervals.

    Returns:
        For every similarity, dataset, architecture, depth and layer (weight layers from 0, the last
        are the logits) one row for each of ``GROUPS`` that has pairs and for each of ``CONTRASTS``
        both of whose groups have: ``COLUMNS``. For ``place`` see ``place``. What does not exist is
        empty; ``note`` says why.

    Raises:
        ValueError: If level is not between 0 and 1, or resamples are none.
    """  # noqa: DOC502
    check_resampling(level, resamples)
    entropy = int(generator.integers(2**63))
    pairs = final_pairs(similarities, training)
    pairs = pairs[pairs["alike"]].assign(group=_groups)
    rows = [
        dict(zip(KEYS, keys, strict=True)) | row
        for keys, alike in pairs[pairs["group"] != ""].groupby(KEYS)
        for row in _of_layer(alike, np.random.default_rng(entropy), level, resamples)
    ]
    table = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "place"])
    table.insert(len(KEYS), "place", place(table["layer"], table["depth"]))
    return table.assign(level=level)


def place(layer: pd.Series, depth: pd.Series) -> np.ndarray:
    """Where a weight layer stands: ``first``, ``hidden_2`` …, ``last_hidden`` or ``logits``."""
    conditions = [layer == depth - 1, layer == 0, layer == depth - 2]
    others = "hidden_" + (layer + 1).astype(str)
    return np.select(conditions, ["logits", "first", "last_hidden"], others)


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
    pairs: pd.DataFrame, generator: np.random.Generator, level: float, resamples: int
) -> Iterator[dict[str, object]]:
    """Means and differences of one layer."""
    distances = 1 - pairs["value"].to_numpy(float)
    weights = pair_weights(pairs, resamples=resamples, generator=generator)
    means, draws = {}, {}
    for group in GROUPS:
        members = (pairs["group"] == group).to_numpy()
        if members.any():
            means[group] = distances[members].mean()
            draws[group] = weighted_means(distances[members], weights[:, members])
            yield _row(group, means[group], draws[group], level, pairs[members])
    for name, (more, less) in CONTRASTS.items():
        if more in means and less in means:
            of_both = pairs[pairs["group"].isin([more, less])]
            yield _row(name, means[more] - means[less], draws[more] - draws[less], level, of_both)


def _row(
    statistic: str, estimate: float, draws: np.ndarray, level: float, pairs: pd.DataFrame
) -> dict[str, object]:
    interval, counts = percentile_interval(draws, level), sizes(pairs)
    missing = "no interval: too few networks" if np.isnan(interval["low"]) else ""
    note = "; ".join(filter(None, [missing or few_ensembles(counts), few_samples(pairs)]))
    return {"statistic": statistic, "estimate": estimate} | interval | counts | {"note": note}

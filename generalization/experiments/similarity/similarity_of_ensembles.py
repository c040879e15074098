"""How alike the seeds of every ensemble are, layer by layer."""

from __future__ import annotations

import numpy as np
import pandas as pd

from generalization.experiments.similarity.network_pairs import (
    final_pairs,
    pair_weights,
    percentile_interval,
    sizes,
    weighted_means,
)
from generalization.experiments.similarity.similarity_contrasts import place
from generalization.statistics.means import check_resampling

KEYS = ["similarity", "dataset", "architecture", "depth", "width", "ensemble", "layer"]
COLUMNS = [
    *KEYS,
    "place",
    "task",
    "estimate",
    "low",
    "high",
    "level",
    "null",
    "pairs",
    "networks",
]


def similarity_of_ensembles(
    similarities: pd.DataFrame,
    training: pd.DataFrame,
    *,
    generator: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
) -> pd.DataFrame:
    """Mean similarity of the same layer of two seeds, over all pairs of seeds of an ensemble.

    Args:
        similarities: Table of a study.
        training: Table of ``collect_training``.
        generator: Of resamples of seeds, see ``pair_weights``. Every row sees the same ones.
        resamples: Number of bootstrap resamples.
        level: Of the percentile intervals.

    Returns:
        One row per similarity, ensemble and layer: ``COLUMNS``. ``task`` is ``generalizing`` of
        true labels, ``memorizing`` of random ones, empty in between; ``null`` the mean of what is
        expected by chance. Two seeds have no interval.

    Raises:
        ValueError: If level is not between 0 and 1, or resamples are none.
    """  # noqa: DOC502
    check_resampling(level, resamples)
    entropy = int(generator.integers(2**63))
    pairs = final_pairs(similarities, training)
    pairs = pairs[pairs["ensemble_a"] == pairs["ensemble_b"]]
    rows = []
    for keys, alike in pairs.rename(columns={"ensemble_a": "ensemble"}).groupby(KEYS):
        alike = alike.rename(columns={"ensemble": "ensemble_a"})
        weights = pair_weights(alike, resamples=resamples, generator=np.random.default_rng(entropy))
        draws = weighted_means(alike["value"].to_numpy(float), weights)
        about = dict(zip(KEYS, keys, strict=True)) | {"task": alike["task_a"].iloc[0]}
        means = {"estimate": alike["value"].mean(), "null": alike["null"].mean()}
        rows.append(about | means | percentile_interval(draws, level) | sizes(alike))
    table = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "place"])
    table["place"] = place(table["layer"], table["depth"])
    return table.assign(level=level)[COLUMNS]

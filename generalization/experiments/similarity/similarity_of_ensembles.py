"""How alike the seeds of every ensemble are, layer by layer."""

from __future__ import annotations

import pandas as pd

from generalization.experiments.similarity.network_pairs import (
    final_pairs,
    mean_over_pairs,
    place,
    sizes,
)
from generalization.statistics.estimates import INTERVAL, groups, table_of
from generalization.statistics.resampling import Resampling

KEYS = ["similarity", "dataset", "architecture", "depth", "width", "ensemble", "layer"]
COLUMNS = [*KEYS, "place", "task", *INTERVAL, "null", "pairs", "networks", "ensembles", "note"]


def similarity_of_ensembles(
    similarities: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
) -> pd.DataFrame:
    """Mean similarity of the same layer of two seeds, over all pairs of seeds of an ensemble.

    Args:
        resampling: Level of the intervals, see ``mean_over_pairs``; nothing is resampled.

    Returns:
        One row per similarity, ensemble and layer: ``COLUMNS``. ``task`` is ``generalizing`` of
        true labels, ``memorizing`` of random ones, empty in between; ``null`` the mean of what is
        expected by chance. Two seeds have no interval. Each row is of one ensemble, on which no
        verdict rests: ``note`` says so.
    """
    pairs = final_pairs(similarities, training)
    pairs = pairs[pairs["ensemble_a"] == pairs["ensemble_b"]]
    rows = []
    for about, alike in groups(pairs.assign(ensemble=pairs["ensemble_a"]), KEYS, sort=True):
        about |= {"task": alike["task_a"].iloc[0], "null": alike["null"].mean()}
        rows.append(about | mean_over_pairs(alike, level=resampling.level) | sizes(alike))
    table = table_of(rows, COLUMNS, resampling)
    return table.assign(place=place(table["layer"], table["depth"]))

"""Rank correlations: do lower layers converge first, are wider networks more similar?"""

from __future__ import annotations

import pandas as pd

from generalization.experiments.similarity.convergence_orders import (
    BEYOND_LINE,
    KEYS,
    START,
    order_rows,
)
from generalization.experiments.similarity.network_pairs import place
from generalization.experiments.similarity.width_correlations import BEYOND_UNTRAINED, width_rows
from generalization.statistics.estimates import ESTIMATE, table_of
from generalization.statistics.resampling import Resampling

CONTRASTS = [*START, *BEYOND_LINE, *BEYOND_UNTRAINED]
COLUMNS = [*KEYS, "layer", "place", "statistic", *ESTIMATE, "resolved", *CONTRASTS]


def similarity_trends(
    similarities: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
) -> pd.DataFrame:
    """Rank correlations of similarities with depth and with width, of networks on true labels.

    Spearman's correlations of a layer's place with a step, means over networks; 1 if layers
    converge from the bottom up (Raghu et al. 2017):

    ``convergence_order_own_start_50``, ``convergence_order_own_start_90``
        The step from which on a hidden layer has gone half, or nine tenths, of the way from its
        own similarity at step 0, see ``progress``. ``resolved`` is the share of neighboring layers
        whose steps lie between different kept steps; if it is below ½, there is no interval.
        ``order_at_start`` and its interval: the correlation with the similarity at step 0.
        ``beyond_line`` and its interval: what the correlation has over that of the same network
        moved on the straight line from its start to its end, see ``straight_line``. There layers
        differ by their place in the network and by where they end, not by when they learn; empty
        if a study does not compare it.
    ``convergence_order``, ``convergence_order_with_logits``
        The step from which on a layer is as alike to its end as 0.9, of hidden layers and of all,
        see ``convergence_step``. Layers that are similar to their end at step 0 come first, whether
        they learn or not: this order may be decided before training.
    ``order_at_start``
        The similarity at step 0 itself, of hidden layers.
    ``width``
        Of the width with the mean similarity of a layer of two seeds, over ensembles (Morcos et al.
        2018, *Insights*). ``beyond_untrained`` and its interval: what the correlation has over
        that of the same networks at step 0, since wide random layers are similar too.
    ``width_above_null``
        The same of (similarity − null) / (1 − null): wider layers are also more alike by chance.

    Returns:
        For every similarity, dataset, architecture and depth: a row for each order of convergence,
        where networks were kept during training, and two per layer, where there are several widths,
        with the columns ``COLUMNS``. What does not exist is empty; ``note`` says why.
    """
    rows = [
        row
        for trends in (order_rows, width_rows)
        for row in trends(similarities, training, resampling)
    ]
    table = table_of(rows, COLUMNS, resampling)
    of_layer = table["layer"].notna()
    where = place(*(table.loc[of_layer, key].astype(int) for key in ("layer", "depth")))
    table["place"] = pd.Series(where, table.index[of_layer], dtype=object)
    return table.astype({"layer": "Int64"})

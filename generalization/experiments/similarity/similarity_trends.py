"""Whether lower layers converge first, and whether wider networks are more alike."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from generalization.experiments.similarity.network_pairs import (
    GENERALIZING,
    few_samples,
    final_pairs,
    place,
    sizes,
    task,
)
from generalization.experiments.similarity.similarity_to_end import (
    convergence_step,
    similarity_to_end,
)
from generalization.statistics.correlations import pearson, spearman
from generalization.statistics.estimates import (
    ESTIMATE,
    few_ensembles,
    groups,
    interval_over_networks,
    joined,
    means_of_columns,
    table_of,
)
from generalization.statistics.resampling import Resampling
from generalization.tables import NETWORK

KEYS = ["similarity", "dataset", "architecture", "depth"]
COLUMNS = [*KEYS, "layer", "place", "statistic", *ESTIMATE]
# ASSUME: a layer has converged when it is as alike to its end as 0.9; the paper shows curves.
CONVERGED = 0.9
ORDERS = ("convergence_order", "convergence_order_with_logits")


def similarity_trends(
    similarities: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
) -> pd.DataFrame:
    """Rank correlations of similarities with depth and with width, of networks on true labels.

    ``convergence_order``, ``convergence_order_with_logits``
        Spearman's correlation of a layer's place with the step from which on it is as alike to its
        end as 0.9, of hidden layers and of all, see ``convergence_step``: 1 if layers converge from
        the bottom up (Raghu et al. 2017). The mean over ensembles.
    ``width``
        Of the width with the similarity of a layer of two seeds, over all pairs of seeds of all
        ensembles (Morcos et al. 2018, *Insights*). The interval is over ensembles, of
        Fisher's z.
    ``width_above_null``
        The same of (similarity − null) / (1 − null): wider layers are also more alike by chance.

    Args:
        similarities: Table of a study.
        training: Table of ``collect_training``.
        resampling: Settings of the intervals, of which the level counts.

    Returns:
        For every similarity, dataset, architecture and depth: two rows of the order of convergence,
        where networks were kept during training, and two per layer, where there are several widths,
        with the columns ``COLUMNS``. What does not exist is empty; ``note`` says why.
    """
    rows = [
        row
        for trends in (_convergence_orders, _widths)
        for row in trends(similarities, training, resampling)
    ]
    table = table_of(rows, COLUMNS, resampling)
    of_layer = table["layer"].notna()
    where = place(*(table.loc[of_layer, key].astype(int) for key in ("layer", "depth")))
    table["place"] = pd.Series(where, table.index[of_layer], dtype=object)
    return table.astype({"layer": "Int64"})


def convergence_orders(similarities: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Whether layers of each network that was trained on true labels converge bottom up.

    Args:
        similarities: Table of a study.
        training: Table of ``collect_training``.

    Returns:
        ``KEYS``, ensemble, seed; and correlations of layers with their convergence steps, in
        columns named as the statistics. NaN if all converge at the same one.
    """
    courses = similarity_to_end(similarities, training)
    courses = courses[courses.groupby(["similarity", *NETWORK])["step"].transform("nunique") > 1]
    networks = training[training["final"] & (task(training) == GENERALIZING)]
    courses = courses.merge(networks[[*NETWORK, *KEYS[1:]]], on=NETWORK)
    rows = []
    for keys, network in courses.groupby([*KEYS, *NETWORK]):
        steps = network.groupby("layer")[["step", "value"]].apply(convergence_step, CONVERGED)
        # ASSUME: logits are told apart. They are as few as classes, all of which the task needs.
        hidden = steps[steps.index < network["depth"].iloc[0] - 1]
        rows.append((*keys, _rank_correlation(hidden), _rank_correlation(steps)))
    return pd.DataFrame(rows, columns=[*KEYS, *NETWORK, *ORDERS])


def _convergence_orders(
    similarities: pd.DataFrame, training: pd.DataFrame, resampling: Resampling
) -> Iterator[dict[str, object]]:
    orders = convergence_orders(similarities, training)
    for about, networks in groups(orders, KEYS, sort=True):
        for row in means_of_columns(networks, ORDERS, resampling, lacking="two different steps"):
            yield about | row


def _widths(
    similarities: pd.DataFrame, training: pd.DataFrame, resampling: Resampling
) -> Iterator[dict[str, object]]:
    pairs = final_pairs(similarities, training)
    same = pairs["ensemble_a"] == pairs["ensemble_b"]
    pairs = pairs[same & (pairs["task_a"] == GENERALIZING)]
    for about, alike in groups(pairs, [*KEYS, "layer"], sort=True):
        if alike["width"].nunique() < 2:
            continue
        above_null = (alike["value"] - alike["null"]) / (1 - alike["null"])
        about |= sizes(alike)
        for name, values in {"width": alike["value"], "width_above_null": above_null}.items():
            widths = alike["width"].to_numpy(float)
            found = _width_correlation(widths, values.to_numpy(float), alike, resampling)
            few = few_ensembles(about["ensembles"])
            note = joined(found.get("note", ""), few, few_samples(alike))
            yield about | {"statistic": name} | found | {"note": note}


def _width_correlation(
    widths: np.ndarray, values: np.ndarray, pairs: pd.DataFrame, resampling: Resampling
) -> dict[str, object]:
    """Over all pairs, with its interval over ensembles."""
    if not np.isfinite(values).all():
        lost = f"{(~np.isfinite(values)).sum()} of {len(values)} pairs have no finite value"
        return {"note": lost}
    correlation = partial(spearman, x=widths, y=values)
    return interval_over_networks(correlation, pairs["ensemble_a"], resampling, correlation=True)


def _rank_correlation(steps: pd.Series) -> float:
    """Spearman's correlation of steps with the layers that index them; NaN if all are the same."""
    ranks = (rankdata(values)[None] for values in (steps.index, steps))
    return pearson(np.ones((1, len(steps))), *ranks).item()

"""Rank correlations: do lower layers converge first, are wider networks more similar?"""

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
    progress,
    resolved,
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
BEYOND_UNTRAINED = ["beyond_untrained", "beyond_untrained_low", "beyond_untrained_high"]
START = ["order_at_start", "order_at_start_low", "order_at_start_high"]
COLUMNS = [*KEYS, "layer", "place", "statistic", *ESTIMATE, "resolved", *START, *BEYOND_UNTRAINED]
# ASSUME: a layer has converged when it is as alike to its end as 0.9; the paper shows curves.
CONVERGED = 0.9
ORDERS = ("convergence_order", "convergence_order_with_logits")
# ASSUME: a layer has converged when it has gone half, or nine tenths, of its own way.
OWN_WAYS = {"convergence_order_own_start_50": 0.5, "convergence_order_own_start_90": 0.9}
# ASSUME: kept steps tell the order of layers if they tell apart half of all neighbors or more.
RESOLVED = 0.5


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
        for trends in (_convergence_orders, _widths)
        for row in trends(similarities, training, resampling)
    ]
    table = table_of(rows, COLUMNS, resampling)
    of_layer = table["layer"].notna()
    where = place(*(table.loc[of_layer, key].astype(int) for key in ("layer", "depth")))
    table["place"] = pd.Series(where, table.index[of_layer], dtype=object)
    return table.astype({"layer": "Int64"})


def convergence_orders(similarities: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Rank correlations of layers with their convergence, of each network on true labels.

    Returns:
        ``KEYS``, ensemble, seed; correlations in columns named as the statistics, NaN if all layers
        converge at the same step; and ``resolved`` of each of ``OWN_WAYS``, as ``resolved_…``.
    """
    courses = similarity_to_end(similarities, training)
    courses = courses[courses.groupby(["similarity", *NETWORK])["step"].transform("nunique") > 1]
    networks = training[training["final"] & (task(training) == GENERALIZING)]
    courses = courses.merge(networks[[*NETWORK, *KEYS[1:]]], on=NETWORK)
    rows = [
        about | _orders_of_network(network) for about, network in groups(courses, [*KEYS, *NETWORK])
    ]
    resolutions = [f"resolved_{name}" for name in OWN_WAYS]
    columns = [*KEYS, *NETWORK, *ORDERS, "order_at_start", *OWN_WAYS, *resolutions]
    return pd.DataFrame(rows, columns=columns).sort_values([*KEYS, *NETWORK], ignore_index=True)


def _orders_of_network(network: pd.DataFrame) -> dict[str, float]:
    """All correlations of one network, from its courses of ``similarity_to_end``."""
    layers = network.groupby("layer")[["step", "value"]]
    steps = layers.apply(convergence_step, CONVERGED)
    # ASSUME: logits are told apart. They are as few as classes, all of which the task needs.
    is_hidden = network["layer"] < network["depth"].iloc[0] - 1
    hidden = network[is_hidden].sort_values(["layer", "step"])
    at_start = hidden[hidden["step"] == 0].set_index("layer")["value"]
    found = {
        "convergence_order": _rank_correlation(steps[steps.index < network["depth"].iloc[0] - 1]),
        "convergence_order_with_logits": _rank_correlation(steps),
        "order_at_start": _rank_correlation(at_start),
    }
    for name, threshold in OWN_WAYS.items():
        own = hidden.groupby("layer")[["step", "value"]].apply(_own_step, threshold).dropna()
        found |= {name: _rank_correlation(own), f"resolved_{name}": resolved(own, hidden["step"])}
    return found


def _own_step(course: pd.DataFrame, threshold: float) -> float:
    """Step from which on a layer has gone a share of its own way; NaN if it hardly moves."""
    gone = course.assign(value=progress(course))
    return convergence_step(gone, threshold) if gone["value"].notna().all() else np.nan


def _convergence_orders(
    similarities: pd.DataFrame, training: pd.DataFrame, resampling: Resampling
) -> Iterator[dict[str, object]]:
    orders = convergence_orders(similarities, training)
    names = (*ORDERS, "order_at_start", *OWN_WAYS)
    for about, networks in groups(orders, KEYS, sort=True):
        rows = {
            row["statistic"]: about | row
            for row in means_of_columns(networks, names, resampling, lacking="two different steps")
        }
        start = rows["order_at_start"]
        beside = dict(zip(START, (start[key] for key in ("estimate", "low", "high")), strict=True))
        for name in ORDERS:
            if np.isfinite(start["estimate"]):
                words = f"decided before training: order at step 0 is {start['estimate']:.2f}"
                rows[name]["note"] = joined(rows[name]["note"], words)
        for name in OWN_WAYS:
            rows[name] |= beside | _resolution(networks[f"resolved_{name}"], rows[name])
        yield from rows.values()


def _resolution(shares: pd.Series, row: dict[str, object]) -> dict[str, object]:
    """Add how well kept steps resolve layers; if they do not, remove the interval."""
    share = shares.mean()
    if not share < RESOLVED:
        return {"resolved": share}
    note = f"kept steps too coarse: they tell apart {100 * share:.0f} % of neighboring layers"
    note = joined(row["note"], note)
    return {"resolved": share, "low": np.nan, "high": np.nan, "note": note}


def _widths(
    similarities: pd.DataFrame, training: pd.DataFrame, resampling: Resampling
) -> Iterator[dict[str, object]]:
    trained, untrained = (
        _of_two_seeds(final_pairs(similarities, training, steps=steps))
        for steps in ("final", "first")
    )
    keys = [*KEYS, "layer"]
    at_start = {tuple(about.values()): rows for about, rows in groups(untrained, keys)}
    for about, alike in groups(trained, keys, sort=True):
        if alike["width"].nunique() < 2:
            continue
        of_settings = _means_of_settings(alike)
        first = at_start.get(tuple(about.values()))
        first = None if first is None else _means_of_settings(first).reindex(of_settings.index)
        size = {"networks": sizes(alike)["networks"], "ensembles": len(of_settings)}
        for name in ("width", "width_above_null"):
            found = _width_correlation(of_settings, first, name, resampling)
            note = joined(found.pop("note", ""), few_samples(alike))
            yield about | size | {"statistic": name} | found | {"note": note}


def _of_two_seeds(pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs of one ensemble that was trained on true labels."""
    same = pairs["ensemble_a"] == pairs["ensemble_b"]
    return pairs[same & (pairs["task_a"] == GENERALIZING)]


def _means_of_settings(pairs: pd.DataFrame) -> pd.DataFrame:
    """Width of every setting, ``size``, and the means of both similarities, by name."""
    above_null = (pairs["value"] - pairs["null"]) / (1 - pairs["null"])
    pairs = pairs.assign(size=pairs["width"], above=above_null)
    means = pairs.groupby("ensemble_a")[["size", "value", "above"]].mean()
    return means.set_axis(["size", "width", "width_above_null"], axis=1)


def _width_correlation(
    settings: pd.DataFrame, untrained: pd.DataFrame | None, name: str, resampling: Resampling
) -> dict[str, object]:
    """Over settings, and what it has over that of the same settings before training."""
    ensembles = settings.index.to_series()
    widths = settings["size"].to_numpy(float)
    trained = partial(spearman, x=widths, y=settings[name].to_numpy(float))
    found = {"note": few_ensembles(len(settings))}
    found |= interval_over_networks(trained, ensembles, resampling, correlation=True)
    if untrained is None or untrained[name].isna().any():
        return found
    before = partial(spearman, x=widths, y=untrained[name].to_numpy(float))
    contrast = interval_over_networks(
        lambda weights: trained(weights) - before(weights), ensembles, resampling
    )
    ends = (contrast[key] for key in ("estimate", "low", "high"))
    return found | dict(zip(BEYOND_UNTRAINED, ends, strict=True))


def _rank_correlation(steps: pd.Series) -> float:
    """Spearman's correlation of values with the layers that index them; NaN if all are the same."""
    if len(steps) < 2:
        return np.nan
    ranks = (rankdata(values)[None] for values in (steps.index, steps))
    return pearson(np.ones((1, len(steps))), *ranks).item()

"""Rank correlations of layers with the step at which they converge, in networks on true labels.

Args:
    hidden: ``layer``, ``step`` and ``value``, the similarity to the end, of the hidden layers of a
        network.
    orders: One row per network, of ``convergence_orders``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from generalization.experiments.similarity.network_pairs import GENERALIZING, task
from generalization.experiments.similarity.similarity_to_end import (
    ON_LINE,
    OVER_TRAINING,
    convergence_step,
    progress,
    resolved,
    similarity_to_end,
)
from generalization.statistics.correlations import pearson
from generalization.statistics.estimates import (
    CORRELATION,
    groups,
    joined,
    means_of_columns,
    paired_contrast,
)
from generalization.statistics.resampling import Resampling
from generalization.tables import NETWORK

KEYS = ["similarity", "dataset", "architecture", "depth"]
START = ["order_at_start", "order_at_start_low", "order_at_start_high"]
BEYOND_LINE = ["beyond_line", "beyond_line_low", "beyond_line_high"]
# ASSUME: a layer has converged when it is as alike to its end as 0.9; the paper shows curves.
CONVERGED = 0.9
ORDERS = ("convergence_order", "convergence_order_with_logits")
# ASSUME: a layer has converged when it has gone half, or nine tenths, of its own way.
OWN_WAYS = {"convergence_order_own_start_50": 0.5, "convergence_order_own_start_90": 0.9}
# ASSUME: kept steps tell the order of layers if they tell apart half of all neighbors or more.
RESOLVED = 0.5
LIMITS = dict.fromkeys([*ORDERS, "order_at_start", *OWN_WAYS], CORRELATION)
NUMBERS = ("estimate", "low", "high")


def order_rows(
    similarities: pd.DataFrame, training: pd.DataFrame, resampling: Resampling
) -> Iterator[dict[str, object]]:
    """Mean of each order over networks, as rows of ``similarity_trends``."""
    orders = convergence_orders(similarities, training)
    lacking = {"two different steps": ORDERS, "order from step 0 on": ("order_at_start", *OWN_WAYS)}
    for about, networks in groups(orders, KEYS, sort=True):
        rows = {
            row["statistic"]: about | row
            for words, names in lacking.items()
            for row in means_of_columns(networks, names, resampling, limits=LIMITS, lacking=words)
        }
        start = rows["order_at_start"]
        for name in ORDERS:
            rows[name]["note"] = joined(rows[name]["note"], _decided_before(start))
        for name in OWN_WAYS:
            rows[name] |= dict(zip(START, map(start.get, NUMBERS), strict=True))
            rows[name] |= _resolution(networks[f"resolved_{name}"], rows[name])
            rows[name] |= paired_contrast(
                networks[name],
                networks[f"line_{name}"],
                networks["ensemble"],
                resampling,
                name="beyond_line",
            )
        yield from rows.values()


def convergence_orders(similarities: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Rank correlations of layers with their convergence, of each network on true labels.

    Returns:
        ``KEYS``, ensemble, seed; correlations in columns named as the statistics, NaN if all layers
        converge at the same step; of each of ``OWN_WAYS`` also ``resolved_…``, and ``line_…``: the
        correlation on the straight line from start to end, NaN where it was not compared.
    """
    rows = [
        about | _orders_of_network(network)
        for about, network in groups(
            _courses(similarities, training, OVER_TRAINING), [*KEYS, *NETWORK]
        )
    ]
    own = [f"{what}{name}" for what in ("", "resolved_") for name in OWN_WAYS]
    orders = pd.DataFrame(rows, columns=[*KEYS, *NETWORK, *ORDERS, "order_at_start", *own])
    on_line = [
        about | {f"line_{name}": order for name, order in _own_orders(_hidden(network)).items()}
        for about, network in groups(_courses(similarities, training, ON_LINE), [*KEYS, *NETWORK])
    ]
    line = pd.DataFrame(on_line, columns=[*KEYS, *NETWORK, *(f"line_{name}" for name in OWN_WAYS)])
    orders = orders.merge(line, on=[*KEYS, *NETWORK], how="left", validate="one_to_one")
    return orders.sort_values([*KEYS, *NETWORK], ignore_index=True)


def _courses(similarities: pd.DataFrame, training: pd.DataFrame, pairs: str) -> pd.DataFrame:
    """Similarities to the end of networks on true labels that were kept at two steps or more."""
    courses = similarity_to_end(similarities, training, pairs)
    courses = courses[courses.groupby(["similarity", *NETWORK])["step"].transform("nunique") > 1]
    networks = training[training["final"] & (task(training) == GENERALIZING)]
    return courses.merge(networks[[*NETWORK, *KEYS[1:]]], on=NETWORK)


def _orders_of_network(network: pd.DataFrame) -> dict[str, float]:
    """All correlations of one network, from its courses of ``similarity_to_end``."""
    hidden = _hidden(network)
    found = {
        name: rank_correlation(_steps(dict(list(layers.groupby("layer"))), CONVERGED))
        for name, layers in zip(ORDERS, (hidden, network), strict=True)
    }
    at_start = hidden[hidden["step"] == 0].set_index("layer")["value"].sort_index()
    resolutions = {
        f"resolved_{name}": resolved(_own_steps(hidden, way), hidden["step"])
        for name, way in OWN_WAYS.items()
    }
    return (
        found | {"order_at_start": rank_correlation(at_start)} | _own_orders(hidden) | resolutions
    )


def _hidden(network: pd.DataFrame) -> pd.DataFrame:
    """Hidden layers of a network."""
    # ASSUME: logits are told apart. They are as few as classes, all of which the task needs.
    return network[network["layer"] < network["depth"].iloc[0] - 1]


def _own_orders(hidden: pd.DataFrame) -> dict[str, float]:
    """Correlations of layers with the steps at which they have gone shares of their own way."""
    return {name: rank_correlation(_own_steps(hidden, way)) for name, way in OWN_WAYS.items()}


def _own_steps(hidden: pd.DataFrame, way: float) -> pd.Series:
    """Step by layer, without layers that hardly move."""
    gone = hidden.groupby("layer")[["step", "value"]]
    courses = {layer: course.assign(value=progress(course)) for layer, course in gone}
    moving = {layer: course for layer, course in courses.items() if course["value"].notna().all()}
    return _steps(moving, way)


def _steps(courses: Mapping[int, pd.DataFrame], threshold: float) -> pd.Series:
    """Step from which on each layer stays above a threshold."""
    steps = {layer: convergence_step(course, threshold) for layer, course in courses.items()}
    return pd.Series(steps, dtype=float)


def rank_correlation(values: pd.Series) -> float:
    """Spearman's correlation of values with the layers that index them; NaN if all are the same."""
    if len(values) < 2:
        return np.nan
    ranks = (rankdata(each)[None] for each in (values.index, values))
    return pearson(np.ones((1, len(values))), *ranks).item()


def _decided_before(start: dict[str, object]) -> str:
    """A note on the order at step 0; empty, if there is none."""
    if not np.isfinite(start["estimate"]):
        return ""
    return f"decided before training: order at step 0 is {start['estimate']:.2f}"


def _resolution(shares: pd.Series, row: dict[str, object]) -> dict[str, object]:
    """How well kept steps tell layers apart; they take the interval away if they do not."""
    share = shares.mean()
    if not share < RESOLVED:
        return {"resolved": share}
    note = f"kept steps too coarse: they tell apart {100 * share:.0f} % of neighboring layers"
    note = joined(row["note"], note)
    return {"resolved": share, "low": np.nan, "high": np.nan, "note": note}

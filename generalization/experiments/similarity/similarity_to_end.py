"""How alike each layer of a network is to what it will be at the end of training."""

from __future__ import annotations

import numpy as np
import pandas as pd

from generalization.tables import NETWORK

KEYS = ["similarity", *NETWORK, "layer", "step"]
# ASSUME: a layer whose similarity to its end rises by less than 0.05 hardly moves, and has no way.
LEAST_WAY = 0.05
# Pairs of a network and its end: in the course of training, and on the straight line to it.
OVER_TRAINING, ON_LINE = "over_training", "straight_line"


def similarity_to_end(
    similarities: pd.DataFrame, training: pd.DataFrame, pairs: str = OVER_TRAINING
) -> pd.DataFrame:
    """Every layer of every network in the course of training, beside itself at the last step.

    Args:
        pairs: ``over_training``, or ``straight_line`` for points on the line from start to end, as
            far from the start as the network was at each step.

    Returns:
        similarity, ensemble, seed, layer, step, ``value`` and ``null``, each row once: means over
        both directions of a similarity that has two. At the last step it is 1.
    """
    rows = similarities[
        (similarities["pairs"] == pairs)
        & (similarities["layer_a"] == similarities["layer_b"])
        & np.isfinite(similarities["value"].astype(float))
    ]
    rows = rows.rename(columns={"ensemble_a": "ensemble", "seed_a": "seed", "layer_a": "layer"})
    last = training.loc[training["final"], [*NETWORK, "step"]].rename(columns={"step": "last"})
    rows = rows.merge(last, on=NETWORK, validate="many_to_one")
    there = {
        side: rows.loc[rows[f"step_{other}"] == rows["last"]].assign(
            step=lambda chosen, side=side: chosen[f"step_{side}"]
        )
        for side, other in ("ab", "ba")
    }
    both = pd.concat(there.values())
    return both.groupby(KEYS, sort=True)[["value", "null"]].mean().reset_index()


def progress(course: pd.DataFrame) -> pd.Series:
    """Share of its own way to its end that a layer has gone, (s(t) − s(0)) / (1 − s(0)).

    A layer may be similar to its end before training begins. What it has learned is how much more
    similar it has become since.

    Args:
        course: ``step`` and ``value``, the similarity s to the end, of one layer of one network.

    Returns:
        0 at step 0, 1 at the last step; NaN without step 0, and if 1 − s(0) is below 0.05.
    """
    start = course.loc[course["step"] == 0, "value"]
    way = 1 - float(start.iloc[0]) if len(start) else np.nan
    return (course["value"] - 1 + way) / (way if way >= LEAST_WAY else np.nan)


def resolved(steps: pd.Series, kept_steps: pd.Series) -> float:
    """Share of neighboring layers whose convergence steps lie between different kept steps.

    Args:
        steps: Convergence steps by layer, in the order of layers.
        kept_steps: Steps at which the network was kept.

    Returns:
        1 if the order of all neighbors was seen, not interpolated; NaN of fewer than two layers.
    """
    places = np.searchsorted(np.unique(kept_steps), steps.dropna().to_numpy())
    return float(np.mean(np.diff(places) != 0)) if len(places) > 1 else np.nan


def convergence_step(course: pd.DataFrame, threshold: float) -> float:
    """The step from which on a layer stays as alike to its end as the threshold.

    Between two kept steps the similarity is taken for linear in log(1 + step).

    Args:
        course: ``step`` and ``value`` of one layer of one network.
        threshold: Below 1.

    Returns:
        The step; the first one, if the layer is never less alike.
    """
    ordered = course.sort_values("step", kind="stable")
    steps, values = np.log1p(ordered["step"].to_numpy(float)), ordered["value"].to_numpy(float)
    below = np.flatnonzero(values < threshold)
    if not len(below) or below[-1] == len(values) - 1:
        return float(np.expm1(steps[-1 if len(below) else 0]))
    before, after = below[-1], below[-1] + 1
    share = (threshold - values[before]) / (values[after] - values[before])
    return float(np.expm1(steps[before] + share * (steps[after] - steps[before])))

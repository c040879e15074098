"""How many directions of a layer suffice for most of the accuracy."""

from __future__ import annotations

import numpy as np
import pandas as pd

from generalization.experiments.similarity.network_pairs import place
from generalization.statistics.estimates import ESTIMATE, groups, mean_over_networks, table_of
from generalization.statistics.resampling import Resampling
from generalization.tables import KEPT_NETWORK, with_networks

KEYS = ["dataset", "architecture", "depth", "layer", "directions"]
COLUMNS = [*KEYS, "place", "statistic", *ESTIMATE]
SHARE = 0.95  # Of the accuracy gained.
# ASSUME: a network whose accuracy with all directions is less than 0.1 above that with none has
# nothing to keep; networks on random labels are such.
LEAST_GAIN = 0.1


def direction_statistics(
    projection_accuracy: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
) -> pd.DataFrame:
    """Count the directions that networks need at their last step, after Raghu et al. 2017.

    Directions are needed until 95 % is reached of what the accuracy gains from a layer that is
    constant to the whole layer, see ``directions_needed``. The statistics are geometric means over
    networks, ``number`` of directions, ``share_of_units`` of their share of the units of the
    layer, and ``ratio_to_svcca`` of what other kinds of directions need over what SVCCA's do.

    Returns:
        One row per dataset, architecture, depth, layer (weight layers from 0, the last are the
        logits), kind of directions and statistic, with the columns ``COLUMNS``. What does not
        exist is empty; ``note`` says why.
    """
    needed = needed_of_networks(projection_accuracy, training)
    long = needed.melt(
        [*KEYS, *KEPT_NETWORK],
        ["number", "share_of_units", "ratio_to_svcca"],
        "statistic",
        "needed",
    )
    # SVCCA's own ratio is 1, and there is none where SVCCA was not taken at all.
    ratios = long["statistic"] == "ratio_to_svcca"
    taken = (needed["directions"] == "svcca").any()
    long = long[~ratios | (taken & (long["directions"] != "svcca"))]
    rows = [
        about
        | mean_over_networks(
            np.log(networks["needed"]),
            networks["ensemble"],
            resampling,
            scale=np.exp,
            lacking="accuracy to keep",
        )
        for about, networks in groups(long, [*KEYS, "statistic"])
    ]
    table = table_of(rows, COLUMNS, resampling)
    return table.assign(place=place(table["layer"], table["depth"]))


def needed_of_networks(
    projection_accuracy: pd.DataFrame, training: pd.DataFrame, *, share: float = SHARE
) -> pd.DataFrame:
    """Number of directions that every network needs at its last step.

    Args:
        share: Share of the accuracy gained that is to be kept.

    Returns:
        ``KEYS``, ensemble, seed, step; ``number`` of directions needed,
        NaN if there is nothing to keep, ``share_of_units`` and ``ratio_to_svcca``.
    """
    rows = with_networks(projection_accuracy, training)
    keys = [*KEYS, *KEPT_NETWORK, "units"]
    needed = [
        (*network, directions_needed(curve["k"], curve["accuracy"], share=share))
        for network, curve in rows[rows["final"]].groupby(keys, sort=False)
    ]
    table = pd.DataFrame(needed, columns=[*keys, "number"])
    table["share_of_units"] = table["number"] / table["units"]
    same = [*KEPT_NETWORK, "layer"]
    svcca = table[table["directions"] == "svcca"].set_index(same)["number"]
    of_svcca = svcca.reindex(pd.MultiIndex.from_frame(table[same])).to_numpy()
    return table.assign(ratio_to_svcca=table["number"] / of_svcca)


def directions_needed(k: pd.Series, accuracy: pd.Series, *, share: float = SHARE) -> float:
    """From how many directions on a share is kept of the accuracy that all gain over none.

    Between the numbers that were tried, the accuracy is taken for linear in log₂ k, from 1 on.

    Args:
        k: Numbers of directions; the least is none, the largest all.
        accuracy: With so many.
        share: Share that is to be kept.

    Returns:
        The first number, at least 1; NaN if all gain less than 0.1.
    """
    order = np.argsort(k.to_numpy())
    k, accuracy = k.to_numpy(float)[order], accuracy.to_numpy(float)[order]
    gain = accuracy[-1] - accuracy[0]
    if not gain >= LEAST_GAIN:
        return np.nan
    wanted = accuracy[0] + share * gain
    reached = int(np.argmax(accuracy >= wanted))
    if k[reached] <= 1:
        return 1.0
    before, after = np.log2(np.maximum(k[reached - 1 : reached + 1], 1))
    part = (wanted - accuracy[reached - 1]) / (accuracy[reached] - accuracy[reached - 1])
    return float(2 ** (before + part * (after - before)))

"""How the tangent sensitivity and its bounds change from one depth to the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd

from generalization.experiments.tangent_sensitivity.sensitivity_factors import sensitivities
from generalization.statistics.estimates import ESTIMATE, groups, mean_over_networks, table_of
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import before_and_after
from generalization.tables import hyperparameters_of

COLUMNS = [
    "dataset",
    "trained",
    "sensitivity",
    "init_scale",
    "smallest_scale",
    "depth",
    "deeper",
    "deepest",
    "rises_first",
    *ESTIMATE,
]


def depth_effects(
    tangent_bounds: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
) -> pd.DataFrame:
    """By what the tangent sensitivity and its bounds grow from a depth to the next larger one.

    Daróczy 2020, §5, Fig. 2: where norms are small, the upper bound falls after a certain depth.

    The estimate is the mean of ln(at the larger depth) − ln(at the smaller one), over ensembles
    that differ in nothing but their depth: below 0, it falls. Seeds are paired in their order;
    those of two depths have nothing in common.

    Returns:
        One row per dataset, ``trained`` (networks at their last step, whether they have fitted or
        not, and networks at step 0), ``sensitivity`` (a bound, or ``exact``), scale of initial
        weights, and two depths that are next to each other, with the columns ``COLUMNS``.
        ``smallest_scale`` and ``deepest`` mark the least scale, and the last two depths, that the
        dataset has. One more row, ``rises_first``, repeats the step before the deepest at which the
        estimate is largest. Of m steps it is the best: its interval, of level 1 − (1 − level)/m, is
        that of Bonferroni. What does not exist is empty; ``note`` says why.
    """
    # Ensembles of a pair are equal in all of these.
    same = [key for key in hyperparameters_of(training) if key != "depth"]
    rows = []
    for dataset, networks in sensitivities(before_and_after(tangent_bounds, training)).items():
        depths, smallest = sorted(networks["depth"].unique()), networks["init_scale"].min()
        for about, alike in groups(networks, ["trained", "sensitivity", "init_scale"]):
            about |= {"dataset": dataset, "smallest_scale": about["init_scale"] == smallest}
            steps = [
                {"depth": depth, "deeper": deeper, "deepest": deeper == depths[-1]}
                | {"rises_first": False}
                | _growth(alike, depth, deeper, same, resampling)
                for depth, deeper in pairwise(depths)
            ]
            rises = _rises_first(steps, alike, same, resampling)
            rows += [about | step for step in (*steps, *rises)]
    return table_of(rows, COLUMNS, resampling)


def _rises_first(
    steps: list[dict[str, object]], networks: pd.DataFrame, same: list[str], resampling: Resampling
) -> Iterator[dict[str, object]]:
    """The step before the deepest with the largest growth, its interval wider by the choice."""
    earlier = [step for step in steps[:-1] if np.isfinite(step["estimate"])]
    if earlier:
        largest = max(earlier, key=lambda step: step["estimate"])
        strict = replace(resampling, level=1 - (1 - resampling.level) / len(earlier))
        growth = _growth(networks, largest["depth"], largest["deeper"], same, strict)
        yield largest | {"rises_first": True} | growth


def _growth(
    networks: pd.DataFrame, depth: int, deeper: int, same: list[str], resampling: Resampling
) -> dict[str, object]:
    """Mean difference of logarithms over pairs of networks, with its interval."""
    # Seeds need not be those of the other ensemble: they are matched by their order.
    networks = networks.assign(place=networks.groupby("ensemble")["seed"].rank())
    sides = [networks[networks["depth"] == one] for one in (depth, deeper)]
    # A hyper-parameter that is missing equals itself.
    pairs = pd.merge(*sides, on=[*same, "place"], suffixes=("", "_deeper"))
    growth = pairs["logarithm_deeper"] - pairs["logarithm"]
    mean = mean_over_networks(growth, pairs["ensemble"], resampling, lacking="finite ratio")
    return mean | {"networks": 2 * mean["networks"]}

"""How the tangent sensitivity and its bounds change from one depth to the next."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from generalization.experiments.tangent_sensitivity.sensitivity_factors import sensitivities
from generalization.statistics.means import (
    before_and_after,
    check_resampling,
    few_ensembles,
    mean_over_networks,
    missing,
)
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
    "estimate",
    "low",
    "high",
    "level",
    "networks",
    "ensembles",
    "note",
]


def depth_effects(
    tangent_bounds: pd.DataFrame,
    training: pd.DataFrame,
    *,
    generator: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
) -> pd.DataFrame:
    """By what the tangent sensitivity and its bounds grow from a depth to the next larger one.

    Daróczy 2020, §5, Fig. 2: where norms are small, the upper bound falls after a certain depth.

    The estimate is the mean of ln(at the larger depth) − ln(at the smaller one), over ensembles
    that differ in nothing but their depth: below 0, it falls. Seeds are paired in their order;
    those of two depths have nothing in common. The interval is the percentile interval of a
    bootstrap that resamples pairs of ensembles, then seeds within them.

    Args:
        tangent_bounds: Table of the profile of a study.
        training: Table of ``collect_training``.
        generator: Of resamples. Every row sees the same ones.
        resamples: Number of bootstrap resamples.
        level: Of the intervals.

    Returns:
        One row per dataset, ``trained`` (networks at their last step, whether they have fitted or
        not, and networks at step 0), ``sensitivity`` (a bound, or ``exact``), scale of initial
        weights, and two depths that are next to each other, with the columns ``COLUMNS``.
        ``smallest_scale`` and ``deepest`` mark the least scale, and the last two depths, that the
        dataset has. What does not exist is empty; ``note`` says why.

    Raises:
        ValueError: If level is not between 0 and 1, or resamples are none.
    """  # noqa: DOC502
    check_resampling(level, resamples)
    entropy = int(generator.integers(2**63))
    # Ensembles of a pair are equal in all of these.
    same = [key for key in hyperparameters_of(training) if key != "depth"]
    settings = {"same": same, "resamples": resamples, "level": level}
    rows = []
    for dataset, networks in sensitivities(before_and_after(tangent_bounds, training)).items():
        depths, smallest = sorted(networks["depth"].unique()), networks["init_scale"].min()
        groups = networks.groupby(["trained", "sensitivity", "init_scale"], sort=False)
        for (trained, sensitivity, scale), alike in groups:
            about = {"dataset": dataset, "trained": trained, "sensitivity": sensitivity}
            about |= {"init_scale": scale, "smallest_scale": scale == smallest}
            rows += [
                about
                | {"depth": depth, "deeper": deeper, "deepest": deeper == depths[-1]}
                | _growth(alike, depth, deeper, np.random.default_rng(entropy), **settings)
                for depth, deeper in pairwise(depths)
            ]
    return pd.DataFrame(rows, columns=COLUMNS).assign(level=level)


def _growth(
    networks: pd.DataFrame,
    depth: int,
    deeper: int,
    generator: np.random.Generator,
    *,
    same: list[str],
    **settings,
) -> dict[str, object]:
    """Mean difference of logarithms over pairs of networks, with its interval."""
    # Seeds need not be those of the other ensemble: they are matched by their order.
    networks = networks.assign(place=networks.groupby("ensemble")["seed"].rank())
    sides = [networks[networks["depth"] == one] for one in (depth, deeper)]
    # A hyper-parameter that is missing equals itself.
    pairs = pd.merge(*sides, on=[*same, "place"], suffixes=("", "_deeper"))
    mean = mean_over_networks(
        pairs["logarithm_deeper"] - pairs["logarithm"],
        pairs["ensemble"],
        generator=generator,
        **settings,
    )
    lacks = missing(mean["networks"], len(pairs), "finite ratio")
    note = "; ".join(filter(None, [lacks, few_ensembles(mean)]))
    return mean | {"networks": 2 * mean["networks"], "note": note}

"""Pairs of networks, and means over them, with intervals that know that pairs share networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from generalization.statistics.estimates import t_interval
from generalization.statistics.intervals import jackknife_error
from generalization.tables import KEPT_NETWORK, hyperparameters_of

NETWORKS = ["ensemble_a", "seed_a", "ensemble_b", "seed_b"]
# What tells networks that learn from those that memorize apart, and may differ within a setting.
TASK = ("label_corruption", "randomization")
# What does not make two architectures or trainings differ.
NO_SETTING = ("kept_steps",)
GENERALIZING, MEMORIZING = "generalizing", "memorizing"


def final_pairs(
    similarities: pd.DataFrame, training: pd.DataFrame, *, steps: str = "final"
) -> pd.DataFrame:
    """Pairs of different networks at their last steps, the same layer of both.

    Args:
        steps: ``final``, or ``first`` for pairs of untrained networks, at step 0.

    Returns:
        similarity, ``layer``, ensembles and seeds of both networks, ``value`` and ``null`` (means
        over both directions of a similarity that has two), ``few``, whether there were fewer than
        five samples per unit; ``setting``, a number for all hyper-parameters but those of the
        labels; ``alike``, whether both networks share it;
        ``task_a`` and ``task_b``, ``generalizing`` or ``memorizing``, empty in between; and
        dataset, architecture, depth and width of the first network. Each pair stands once.
    """
    rows = similarities[
        similarities["pairs"].isin(["between_seeds", "between_ensembles"])
        & (similarities["layer_a"] == similarities["layer_b"])
        & np.isfinite(similarities["value"].astype(float))
    ].rename(columns={"layer_a": "layer"})
    rows = _in_order(rows)
    kept = training["final"] if steps == "final" else training["step"] == 0
    networks = _settings(training[kept])
    for side in "ab":
        keys = [f"{key}_{side}" for key in KEPT_NETWORK]
        rows = rows.merge(networks.add_suffix(f"_{side}"), on=keys, validate="many_to_one")
    about = ["dataset", "architecture", "depth", "width"]
    rows = rows.rename(columns={f"{name}_a": name for name in about}).assign(
        alike=rows["setting_a"] == rows["setting_b"],
        setting=rows["setting_a"],
        few=rows["status"] == "few_samples",
    )
    keys = ["similarity", *about, "layer", *NETWORKS, "setting", "alike", "task_a", "task_b"]
    groups = rows.groupby(keys, dropna=False, sort=False)
    return groups.agg({"value": "mean", "null": "mean", "few": "any"}).reset_index()


def task(networks: pd.DataFrame) -> np.ndarray:
    """Labels that networks were trained on, true or random; empty in between.

    Args:
        networks: With the columns ``TASK``.
    """
    corruption, randomization = (networks[key] for key in TASK)
    memorizing = (corruption == 1) | (randomization == "random_labels")
    generalizing = (corruption == 0) & (randomization == "none")
    return np.select([memorizing, generalizing], [MEMORIZING, GENERALIZING], "")


def mean_over_pairs(pairs: pd.DataFrame, *, level: float) -> dict[str, float]:
    """Return the mean over all pairs of seeds of one ensemble, with its interval over seeds.

    Pairs that share a network are not independent: a network that is unlike all others makes all
    of its pairs unlike. The standard error is that of the delete-one-network jackknife (Arvesen
    1969, "Jackknifing U-statistics"), the interval that of t with n − 1 degrees of freedom for n
    networks, cut at 1. It tells of other seeds of this ensemble, and of no other ensemble.

    Args:
        pairs: Pairs of one ensemble, with ``seed_a``, ``seed_b`` and ``value``.

    Returns:
        ``estimate``, ``low`` and ``high``; the latter two NaN with fewer than three networks.
    """
    values = pairs["value"].to_numpy(float)
    seeds = np.unique(pairs[["seed_a", "seed_b"]])[:, None]
    kept = (pairs["seed_a"].to_numpy() != seeds) & (pairs["seed_b"].to_numpy() != seeds)
    error = np.nan
    if kept.any(1).all():
        error = float(jackknife_error(kept @ values / kept.sum(1))) ** 2
    return t_interval(
        values.mean(),
        [(error, len(seeds) - 1)],
        level=level,
        scale=lambda mean: np.minimum(mean, 1),
    )


def place(layer: pd.Series, depth: pd.Series) -> np.ndarray:
    """Where a weight layer stands: ``first``, ``hidden_2`` …, ``last_hidden`` or ``logits``."""
    conditions = [layer == depth - 1, layer == 0, layer == depth - 2]
    others = "hidden_" + (layer + 1).astype(str)
    return np.select(conditions, ["logits", "first", "last_hidden"], others)


def sizes(pairs: pd.DataFrame) -> dict[str, Any]:
    """Numbers of pairs, networks and ensembles."""
    networks = pd.concat([_networks(pairs, side) for side in "ab"]).drop_duplicates()
    return {
        "pairs": len(pairs),
        "networks": len(networks),
        "ensembles": networks["ensemble"].nunique(),
    }


def few_samples(pairs: pd.DataFrame) -> str:
    """A note on pairs of which much may be chance; empty, if there are none."""
    few = int(pairs["few"].sum())
    return f"{few} of {len(pairs)} pairs of fewer than 5 samples per unit" if few else ""


def _networks(pairs: pd.DataFrame, side: str) -> pd.DataFrame:
    columns = {f"ensemble_{side}": "ensemble", f"seed_{side}": "seed"}
    return pairs[[*columns]].rename(columns=columns)


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """The same pairs, of every two networks the same one first; none of a network with itself."""
    first, second = (list(zip(rows[f"ensemble_{s}"], rows[f"seed_{s}"], strict=True)) for s in "ab")
    turned = np.array([b < a for a, b in zip(first, second, strict=True)], dtype=bool)
    swap = {f"{key}_{a}": f"{key}_{b}" for key in KEPT_NETWORK for a, b in ("ab", "ba")}
    both = pd.concat([rows[~turned], rows[turned].rename(columns=swap)])
    same = (both["ensemble_a"] == both["ensemble_b"]) & (both["seed_a"] == both["seed_b"])
    return both[~same]


def _settings(networks: pd.DataFrame) -> pd.DataFrame:
    """Every network with dataset, architecture, depth, width, task and setting."""
    ignored: Sequence[str] = (*TASK, *NO_SETTING)
    keys = [key for key in hyperparameters_of(networks) if key not in ignored]
    setting = networks.groupby(keys, dropna=False, sort=False).ngroup()
    about = networks[[*KEPT_NETWORK, "dataset", "architecture", "depth", "width"]]
    return about.assign(setting=setting, task=task(networks))

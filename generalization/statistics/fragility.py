"""How far a measure moves with settings of training that do not change the gap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats

from generalization.statistics.selection import final_networks, has_fitted
from generalization.tables import NETWORK, hyperparameters_of

COLUMNS = [
    "measure",
    "setting",
    "scale",
    "fragility",
    "noise",
    "pairs",
    "candidate_pairs",
    "deviation",
    "ensembles",
    "networks",
    "note",
]
# ASSUME: how networks are trained, and how wide they are, is a nuisance, which a measure should
# ignore where gaps do not differ beyond noise: the p-value of their difference is not below 0.05.
SIGNIFICANCE = 0.05
ANY = "any"
NO_PAIR = "no two ensembles differ in this setting alone"
NO_EQUAL_GAPS = "the gaps of all pairs differ beyond noise"
NO_NOISE = "with one fitted network per ensemble, noise of the gap is unknown"
NO_VALUE = "fewer than two ensembles have finite values"
CONSTANT = "the measure is the same for all ensembles"


def fragility(
    measures: pd.DataFrame, nuisance: Sequence[str], *, fitted_accuracy: float = 0.999
) -> pd.DataFrame:
    """Relate changes of a measure that come without a change of the gap to all its changes.

    Of pairs of ensembles that differ in exactly one setting of training (optimizer, learning rate,
    batch size, initialization, width, …) and whose gaps do not differ beyond noise,

        fragility = √mean (ln μ_a − ln μ_b)² / sd(ln μ),

    with μ the mean over the seeds of an ensemble and sd its standard deviation over the ensembles
    of the dataset. 0: the setting leaves the measure alone; √2: it moves the measure as far apart
    as two ensembles of the study are on average. Gaps are compared by t-tests with the variance
    among seeds, pooled over the ensembles. Pairs share ensembles, so that there is no interval.

    Only fitted networks with a finite value and a finite gap count, at their last step.

    Args:
        nuisance: Settings of training that a measure of generalization should ignore where the gap
            does.

    Returns:
        One row per measure and swept nuisance setting, and one with the setting ``any`` for pairs
        of all of them.

        ``scale``
            Scale on which changes are taken: ln, or linear for a measure that is not positive in
            all ensembles.
        ``fragility``
            Root mean square of the change over ``deviation``.
        ``noise``
            Fragility that the spread over seeds alone would give.
        ``pairs``
            Number of pairs whose gaps do not differ beyond noise.
        ``candidate_pairs``
            Number of pairs that differ in the setting alone.
        ``deviation``
            Standard deviation of the measure over ensembles, on its scale; over several datasets
            the root mean square.
    """
    networks = final_networks(measures)
    networks = networks[has_fitted(networks, fitted_accuracy=fitted_accuracy)]
    networks = networks[np.isfinite(networks["generalization_gap"])]
    keys = [key for key in hyperparameters_of(networks) if key != "kept_steps"]
    pairs = _one_setting_pairs(networks.drop_duplicates("ensemble"), keys, nuisance)
    pairs = pairs.assign(equal=_equal_gaps(networks, pairs))
    everything = final_networks(measures)
    swept = [key for key in nuisance if key in keys and everything[key].nunique(dropna=False) > 1]
    rows = [
        {"measure": name, **row}
        for name in measures["measure"].unique()
        for row in _rows(_values(measures, name, networks), pairs, swept)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _one_setting_pairs(
    ensembles: pd.DataFrame, keys: list[str], nuisance: Sequence[str]
) -> pd.DataFrame:
    """List pairs of ensembles that differ in one nuisance setting alone."""
    # Text compares lists like all others.
    settings = ensembles.set_index("ensemble")[keys].astype(str)
    rows = []
    for setting in filter(keys.__contains__, nuisance):
        others = [key for key in keys if key != setting]
        same = settings.groupby(others, sort=False, dropna=False) if others else [((), settings)]
        for _, group in same:
            rows += [
                (one, other, setting)
                for one, other in combinations(group.index, 2)
                if group.at[one, setting] != group.at[other, setting]
            ]
    return pd.DataFrame(rows, columns=["a", "b", "setting"])


def _equal_gaps(networks: pd.DataFrame, pairs: pd.DataFrame) -> pd.Series:
    """Tell where gaps do not differ beyond noise; missing where their noise is unknown."""
    gaps = networks.groupby("ensemble")["generalization_gap"].agg(["mean", "var", "size"])
    freedom = (gaps["size"] - 1).sum()
    if not freedom:
        return pd.Series(np.nan, pairs.index)
    pooled = ((gaps["size"] - 1) * gaps["var"].fillna(0)).sum() / freedom
    one, other = gaps.loc[pairs["a"]].reset_index(), gaps.loc[pairs["b"]].reset_index()
    change = (one["mean"] - other["mean"]).abs()
    limit = scipy.stats.t.ppf(1 - SIGNIFICANCE / 2, freedom)
    return change <= limit * np.sqrt(pooled * (1 / one["size"] + 1 / other["size"]))


def _values(measures: pd.DataFrame, name: str, networks: pd.DataFrame) -> pd.DataFrame:
    """Finite values of a measure of the networks that count."""
    rows = measures[measures["final"] & (measures["measure"] == name)]
    rows = rows[np.isfinite(rows["value"])]
    return networks[[*NETWORK, "dataset"]].merge(
        rows[[*NETWORK, "value"]], on=NETWORK, validate="one_to_one"
    )


def _rows(values: pd.DataFrame, pairs: pd.DataFrame, swept: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the row of every setting, and of all of them."""
    means = values.groupby("ensemble").agg(
        dataset=("dataset", "first"),
        value=("value", "mean"),
        error=("value", "sem"),
        networks=("value", "size"),
    )
    positive = bool((means["value"] > 0).all())
    if positive:
        means["error"] /= means["value"]  # Of ln μ, to first order.
        means["value"] = np.log(means["value"])
    deviations = means.groupby("dataset")["value"].std()
    scaled = means.assign(deviation=means["dataset"].map(deviations).astype(float))
    scaled = scaled[scaled["deviation"].notna()]
    about = {"scale": "ln" if positive else "linear"}
    for setting in [*swept, ANY]:
        some = pairs if setting == ANY else pairs[pairs["setting"] == setting]
        yield {"setting": setting, **about, **_row(scaled, some)}


def _row(scaled: pd.DataFrame, pairs: pd.DataFrame) -> dict[str, Any]:
    """Fragility over some pairs.

    Args:
        scaled: Value, standard error, deviation and number of networks by ensemble.
    """
    there = pairs[pairs["a"].isin(scaled.index) & pairs["b"].isin(scaled.index)]
    equal = there[there["equal"] == True]  # noqa: E712 (missing where unknown)
    used = scaled.loc[sorted({*equal["a"], *equal["b"]})]
    row = {
        "pairs": len(equal),
        "candidate_pairs": len(there),
        "deviation": np.sqrt((scaled["deviation"] ** 2).mean()),
        "ensembles": len(used),
        "networks": int(used["networks"].sum()),
        "note": _note(scaled, there, equal),
    }
    if row["note"]:
        return row
    one, other = scaled.loc[equal["a"]].reset_index(), scaled.loc[equal["b"]].reset_index()
    change = (one["value"] - other["value"]) / one["deviation"]
    noise = (one["error"] ** 2 + other["error"] ** 2) / one["deviation"] ** 2
    return row | {"fragility": np.sqrt((change**2).mean()), "noise": np.sqrt(noise.mean())}


def _note(scaled: pd.DataFrame, there: pd.DataFrame, equal: pd.DataFrame) -> str:
    """Say why there is no fragility; empty if there is one."""
    if scaled.empty:
        return NO_VALUE
    if not (scaled["deviation"] > 1e-12 * scaled["value"].abs()).all():
        return CONSTANT
    if there.empty:
        return NO_PAIR
    if there["equal"].isna().all():
        return NO_NOISE
    return "" if len(equal) else NO_EQUAL_GAPS

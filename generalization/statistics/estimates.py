"""Estimates over networks, with intervals that know which networks belong together, and notes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from generalization.statistics.resampling import Resampling

# Columns of every table of estimates, after those that say what a row is about.
INTERVAL = ["estimate", "low", "high", "level"]
ESTIMATE = [*INTERVAL, "networks", "ensembles", "note"]
FEWEST_ENSEMBLES = 3

Numbers = Float[np.ndarray, "numbers"]
# From how often every resample holds every network to a statistic in every resample.
Statistic = Callable[[Float[np.ndarray, "resamples networks"]], Float[np.ndarray, "resamples"]]
Group = tuple[dict[str, Any], pd.DataFrame]


def interval_over_networks(
    statistic: Statistic, ensembles: pd.Series, resampling: Resampling
) -> dict[str, float]:
    """Interval of a statistic over networks: how all tables make it.

    Args:
        statistic: Function of how often each network counts, one row per resample.
        ensembles: Ensemble of every network.
        resampling: Bootstrap of ensembles, then of seeds within them.

    Returns:
        ``low`` and ``high``, NaN if the statistic exists in no resample.
    """
    codes, _ = pd.factorize(ensembles)
    return resampling.interval(statistic(resampling.counts(codes)))


def mean_over_networks(
    values: pd.Series,
    ensembles: pd.Series,
    resampling: Resampling,
    *,
    scale: Callable[[Numbers], Numbers] = np.asarray,
    lacking: str = "finite value",
) -> dict[str, Any]:
    """Mean of the finite values, with its interval and what it lacks.

    Args:
        values: One per network.
        ensembles: Ensemble of every network.
        resampling: Bootstrap of ensembles, then of seeds within them.
        scale: Applied to means: with ``np.exp``, those of logarithms are geometric means.
        lacking: What networks without a finite value lack, for the note.

    Returns:
        ``estimate``, ``low`` and ``high``, the latter two missing if there is one network;
        ``networks`` and ``ensembles``, how many of each have a finite value; ``note``.
    """
    finite = np.isfinite(values.to_numpy(float))
    there, ensembles = values.to_numpy(float)[finite], ensembles[finite]
    networks, size = len(there), ensembles.nunique()
    found = {"estimate": np.nan, "low": np.nan, "high": np.nan}
    if networks:
        found["estimate"] = scale(there.mean()).item()
    if networks > 1:
        found |= interval_over_networks(
            lambda counts: scale(counts @ there / counts.sum(1)), ensembles, resampling
        )
    note = joined(
        missing(networks, len(values), lacking), few_ensembles(size) if networks > 1 else ""
    )
    return found | {"networks": networks, "ensembles": size, "note": note}


def means_of_columns(
    networks: pd.DataFrame,
    columns: Iterable[str],
    resampling: Resampling,
    *,
    logarithms: Collection[str] = (),
    lacking: str = "finite value",
) -> Iterator[dict[str, Any]]:
    """Mean of each statistic over networks, each as a row of a table.

    Args:
        networks: One row each, with ``ensemble``.
        columns: Statistics to average.
        resampling: Bootstrap of ensembles, then of seeds within them.
        logarithms: Columns that hold logarithms, of which the estimate is a geometric mean.
        lacking: What networks without a finite value lack, for the note.

    Yields:
        ``statistic``, the column, and what ``mean_over_networks`` gives.
    """
    for column in columns:
        scale = np.exp if column in logarithms else np.asarray
        yield {"statistic": column} | mean_over_networks(
            networks[column], networks["ensemble"], resampling, scale=scale, lacking=lacking
        )


def groups(
    table: pd.DataFrame, keys: Sequence[str], *, sort: bool = False, dropna: bool = True
) -> Iterator[Group]:
    """Rows that agree in some columns, with what they agree in.

    Args:
        table: Of any rows.
        keys: Columns in which the rows of a group agree.
        sort: Whether groups are in the order of their keys, instead of their first rows.
        dropna: Whether rows that lack a key are left out.

    Yields:
        Key → value, and the rows of the group.
    """
    for values, rows in table.groupby(list(keys), sort=sort, dropna=dropna):
        yield dict(zip(keys, values, strict=True)), rows


def with_subgroups(
    whole: Iterable[Group], hyperparameters: Sequence[str], setting: str
) -> Iterator[Group]:
    """Groups, each followed by its parts that have one value of a hyper-parameter.

    Args:
        whole: What ``groups`` gives.
        hyperparameters: Those by whose values a group is split, where it has several.
        setting: Key of the value, beside ``hyperparameter``, which names it.

    Yields:
        Key → value, and the rows of the group or part.
    """
    for about, rows in whole:
        yield about, rows
        for key in hyperparameters:
            if rows[key].nunique() > 1:
                for value, some in rows.groupby(key):
                    yield about | {"hyperparameter": key, setting: value}, some


def table_of(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], resampling: Resampling
) -> pd.DataFrame:
    """Table of estimates from its rows.

    Args:
        rows: Column → value; what does not exist may be missing.
        columns: Names in order, ``INTERVAL`` among them.
        resampling: Bootstrap behind the intervals, whose level they have.
    """
    table = pd.DataFrame(list(rows), columns=columns).assign(level=resampling.level)
    return table.astype(dict.fromkeys(["estimate", "low", "high"], float))


def joined(*notes: str) -> str:
    """One note of all that say something."""
    return "; ".join(filter(None, notes))


def missing(networks: int, of: int, what: str) -> str:
    """Say how many networks a mean lacks, and if there are too few for an interval.

    Args:
        networks: How many have what is averaged.
        of: How many there are.
        what: Name of what is averaged.
    """
    lost = f"{of - networks} of {of} networks have no {what}"
    few = {0: "no network is left", 1: "no interval of one network"}.get(networks, "")
    return joined(lost if networks < of else "", few)


def undefined(networks: int, of: int) -> str:
    """Say for how many networks a statistic does not exist.

    Args:
        networks: How many have it.
        of: How many there are.
    """
    return f"not defined for {of - networks} of {of} networks" if networks < of else ""


def few_ensembles(ensembles: int, needed: str = "that an interval needs") -> str:
    """Say that there are too few ensembles to tell of others; empty if there are enough, or none.

    Args:
        ensembles: How many there are.
        needed: Clause that says what needs them.
    """
    if not 0 < ensembles < FEWEST_ENSEMBLES:
        return ""
    return f"{ensembles} of the {FEWEST_ENSEMBLES} ensembles {needed}"

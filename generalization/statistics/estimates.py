"""Estimates over networks, with intervals that know which networks belong together, and notes.

Args:
    limits: Least and largest value that there can be, if there are such; see ``t_interval``.
    lacking: Quantity that networks without a finite value lack, for the note.
    of: Number of all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
from jaxtyping import Float, Int
from scipy.special import expit, logit

from generalization.statistics.intervals import (
    FEWEST_ENSEMBLES,
    correlation_interval,
    jackknife_error,
)
from generalization.statistics.resampling import Resampling

# Columns of every table of estimates, after those that say what a row is about.
INTERVAL = ["estimate", "low", "high", "level"]
ESTIMATE = [*INTERVAL, "networks", "ensembles", "note"]
SHARE, CORRELATION = (0.0, 1.0), (-1.0, 1.0)  # Limits of what they are
FEWEST_SHARED = 5  # ASSUME: things that all networks share, as few as ensembles may be

Numbers = Float[np.ndarray, "numbers"]
# From how often every resample holds every network to a statistic in every resample.
Statistic = Callable[[Float[np.ndarray, "resamples networks"]], Float[np.ndarray, "resamples"]]
Group = tuple[dict[str, Any], pd.DataFrame]
Limits = tuple[float, float]
# Squared standard error and its degrees of freedom.
Error = tuple[float, float]


def interval_over_networks(
    statistic: Statistic,
    ensembles: pd.Series,
    resampling: Resampling,
    *,
    correlation: bool = False,
    limits: Limits | None = None,
) -> dict[str, float]:
    """Return a statistic over networks with its interval by the delete-one-ensemble jackknife.

    Every ensemble has the same weight, however many of its networks count. Means have a t interval
    with E − 1 degrees of freedom; correlations one of Fisher's z with E − 2, which contains its
    estimate and stays within ±1.

    Args:
        statistic: Function of the weight of each network, one row per set of weights.
        correlation: Whether the statistic is a correlation.

    Returns:
        ``estimate``, ``low`` and ``high``; the latter two NaN with one ensemble (of correlations,
        with two), and where the statistic does not exist without one of the ensembles.
    """
    codes, names = pd.factorize(ensembles)
    weights = ensemble_weights(codes)
    estimate = statistic(weights[None])[0].item()
    left_out = statistic(weights * (codes != np.arange(len(names))[:, None]))
    if not np.isfinite([estimate, *left_out]).all():
        return {"estimate": estimate, "low": np.nan, "high": np.nan}
    if correlation:
        found = correlation_interval(
            np.array(estimate),
            left_out,
            level=resampling.level,
            fewest=3,
            # Of several networks each, few ensembles tell more than their order does.
            coefficient="spearman" if len(codes) == len(names) else None,
        )
        return {name: bound.item() for name, bound in found._asdict().items()}
    error = jackknife_error(left_out).item() ** 2, len(names) - 1
    return t_interval(estimate, [error], level=resampling.level, limits=limits)


def ensemble_weights(codes: Int[np.ndarray, "networks"]) -> Float[np.ndarray, "networks"]:
    """Return weights of networks by which all ensembles count alike, 1 in the largest ensembles.

    Args:
        codes: Ensemble of every network, 0 … E − 1.
    """
    sizes = np.bincount(codes)
    return sizes.max(initial=1) / sizes[codes]


def t_interval(
    estimate: float,
    errors: Sequence[Error],
    *,
    level: float,
    scale: Callable[[Numbers], Numbers] = np.asarray,
    limits: Limits | None = None,
) -> dict[str, float]:
    """Return an estimate with its t interval, from the errors of independent samples behind it.

    Squared errors add up; their sum has the degrees of freedom of Satterthwaite (1946),
    (Σ s_i²)² / Σ (s_i⁴ / f_i).

    Args:
        estimate: Estimate before it is scaled.
        errors: Squared standard error and degrees of freedom by each sample.
        scale: Increasing function applied to the estimate and its bounds.
        limits: Least and largest value of the estimate, such as those of a share p, 0 and 1, or of
            a correlation. The interval is then made on the logit scale of the share of the way
            between both, where the standard error is s / (p (1 − p)), and stays within them. At a
            limit there is no such scale: if all of n = f + 1 ensembles are at 1, the bound is
            (α/2)^(1/n), for any share, as of Clopper & Pearson (1934) for a share of ensembles; or
            that of t, if it is farther away because another sample, as that of points, has an
            error.

    Returns:
        ``estimate``, ``low``, ``high``; the latter two NaN without degrees of freedom.
    """
    squares, free = (np.array(values, float) for values in zip(*errors, strict=True))
    found = {"estimate": scale(np.array(estimate)).item(), "low": np.nan, "high": np.nan}
    if not (np.isfinite([estimate, *squares]).all() and (free > 0).all()):
        return found
    total = squares.sum()
    freedom = total**2 / (squares**2 / free).sum() if total > 0 else free.min()
    half = scipy.stats.t.ppf((1 + level) / 2, freedom) * np.sqrt(total)
    bounds = np.array([estimate - half, estimate + half])
    if limits:
        least, largest = limits
        way = largest - least
        certain = 1 - ((1 - level) / 2) ** (1 / (free.min() + 1))
        bounds = least + way * _share_bounds((estimate - least) / way, half / way, certain)
    low, high = scale(bounds)
    return found | {"low": float(low), "high": float(high)}


def _share_bounds(share: float, half: float, certain: float) -> Float[np.ndarray, "2"]:
    """Bounds of a share; at 0 and 1, as far away as is possible of some, all of which are there."""
    if 0 < share < 1:
        half /= share * (1 - share)
        return expit(logit(share) + np.array([-half, half]))
    away = min(max(certain, half), 1)
    return np.array([0, away]) if share <= 0 else np.array([1 - away, 1])


def mean_over_networks(
    values: pd.Series,
    ensembles: pd.Series,
    resampling: Resampling,
    *,
    scale: Callable[[Numbers], Numbers] = np.asarray,
    limits: Limits | None = None,
    lacking: str = "finite value",
) -> dict[str, Any]:
    """Return the mean of ensemble means of the finite values, with its t interval.

    Seeds of one ensemble tell nothing of other ensembles: every ensemble is one observation, and
    has the same weight however many of its networks have a value. The interval has E − 1 degrees of
    freedom.

    Args:
        values: One per network.
        scale: Applied to means: with ``np.exp``, those of logarithms are geometric means.

    Returns:
        ``estimate``, ``low`` and ``high``, the latter two NaN with one ensemble; ``networks`` and
        ``ensembles``, how many of each have a finite value; ``note``.
    """
    finite = np.isfinite(values.to_numpy(float))
    there = values.to_numpy(float)[finite]
    means = pd.Series(there).groupby(np.asarray(ensembles)[finite]).mean().to_numpy()
    found = t_interval(
        _mean(means), [error_of_mean(means)], level=resampling.level, scale=scale, limits=limits
    )
    note = joined(missing(len(there), len(values), lacking), few_ensembles(len(means)))
    return found | {"networks": len(there), "ensembles": len(means), "note": note}


def error_of_mean(values: Numbers) -> Error:
    """Return the squared standard error of a mean, and its degrees of freedom; NaN of one value."""
    size = len(values)
    return (values.var(ddof=1) / size if size > 1 else np.nan), size - 1


def crossed_mean(
    values: Float[np.ndarray, "networks shared"],
    ensembles: pd.Series,
    resampling: Resampling,
    *,
    scale: Callable[[Numbers], Numbers] = np.asarray,
    limits: Limits | None = None,
    lacking: str = "finite value",
) -> dict[str, Any]:
    """Return the mean over networks of what was taken at things that all networks share.

    Networks and points, ellipses, planes or images are two crossed samples. The squared error is
    that of ensemble means plus that of the means of things. Both hold the interaction, so that the
    sum errs on the wide side by one of it, as the pigeonhole bootstrap does by two (Owen 2007,
    "The pigeonhole bootstrap"), of which percentiles would be too narrow with few
    ensembles or things.

    Args:
        values: One per network and thing; those that are not finite are passed over.
        scale: Applied to means, as for ``mean_over_networks``.

    Returns:
        What ``mean_over_networks`` returns, and ``shared``, how many things have a finite value.
        With one of them there is no interval.
    """
    table = pd.DataFrame(np.where(np.isfinite(values), values, np.nan))
    of_networks = table.mean(axis=1)
    means = of_networks.groupby(np.asarray(ensembles)).mean().dropna().to_numpy()
    of_things = table.groupby(np.asarray(ensembles)).mean().mean().dropna().to_numpy()
    networks, shared = int(of_networks.notna().sum()), len(of_things)
    errors = [error_of_mean(means), error_of_mean(of_things)]
    found = t_interval(_mean(means), errors, level=resampling.level, scale=scale, limits=limits)
    note = joined(
        missing(networks, len(table), lacking), few_ensembles(len(means)), few_shared(shared)
    )
    counts = {"networks": networks, "ensembles": len(means), "shared": shared}
    return found | counts | {"note": note}


def paired_contrast(
    values: Float[np.ndarray, "networks *shared"] | pd.Series,
    control: Float[np.ndarray, "networks *shared"] | pd.Series,
    ensembles: pd.Series,
    resampling: Resampling,
    *,
    name: str,
    scale: Callable[[Numbers], Numbers] = np.asarray,
) -> dict[str, float]:
    """Return the mean of what a statistic has over its control, each in one and the same network.

    Args:
        values: Statistic of each network, or of each network at each thing that all share.
        control: Control of the same networks, and things. A pair with a value that is not finite
            does not count.
        name: Name of the column.
        scale: Applied to means of differences: with ``np.exp``, those of logarithms are ratios.

    Returns:
        ``name``, and that with ``_low`` and ``_high``: columns of the row of the statistic.
    """
    with np.errstate(invalid="ignore"):
        difference = np.asarray(values, float) - np.asarray(control, float)
    if difference.ndim == 1:
        found = mean_over_networks(pd.Series(difference), ensembles, resampling, scale=scale)
    else:
        found = crossed_mean(difference, ensembles, resampling, scale=scale)
    return {name: found["estimate"], f"{name}_low": found["low"], f"{name}_high": found["high"]}


def _mean(values: Numbers) -> float:
    return values.mean() if len(values) else np.nan


def means_of_columns(
    networks: pd.DataFrame,
    columns: Iterable[str],
    resampling: Resampling,
    *,
    logarithms: Collection[str] = (),
    limits: Mapping[str, Limits] = MappingProxyType({}),
    lacking: str = "finite value",
) -> Iterator[dict[str, Any]]:
    """Mean of each statistic over networks, each as a row of a table.

    Args:
        networks: One row each, with ``ensemble``.
        columns: Statistics to average.
        logarithms: Columns that hold logarithms, of which the estimate is a geometric mean.
        limits: Column → limits of its values.

    Yields:
        ``statistic``, the column, and what ``mean_over_networks`` gives.
    """
    for column in columns:
        scale = np.exp if column in logarithms else np.asarray
        yield {"statistic": column} | mean_over_networks(
            networks[column],
            networks["ensemble"],
            resampling,
            scale=scale,
            limits=limits.get(column),
            lacking=lacking,
        )


def groups(
    table: pd.DataFrame, keys: Sequence[str], *, sort: bool = False, dropna: bool = True
) -> Iterator[Group]:
    """Rows that agree in some columns, with what they agree in.

    Args:
        table: Table of any rows.
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
        whole: Groups, as ``groups`` gives them.
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

    Every estimate of fewer ensembles than a verdict needs says so in its note, whatever its
    interval is of.

    Args:
        rows: Column → value; what does not exist may be missing.
        columns: Names in order, ``INTERVAL`` among them.
        resampling: Bootstrap behind the intervals, whose level they have.
    """
    table = pd.DataFrame(list(rows), columns=columns).assign(level=resampling.level)
    table = table.astype(dict.fromkeys(["estimate", "low", "high"], float))
    if {"ensembles", "note"} <= set(columns):
        there = table["estimate"].notna()
        notes = zip(table["note"], table["ensembles"].where(there), strict=True)
        table["note"] = [_with_few(note, ensembles) for note, ensembles in notes]
    return table


def _with_few(note: object, ensembles: float) -> object:
    """A note that says if there are too few ensembles, unless it does already."""
    few = few_ensembles(int(ensembles)) if pd.notna(ensembles) else ""
    told = note if isinstance(note, str) else ""
    return joined(told, few) if few and few.split(" that")[0] not in told else note


def joined(*notes: str) -> str:
    """One note of all that say something."""
    return "; ".join(filter(None, notes))


def missing(networks: int, of: int, what: str) -> str:
    """Say how many networks a mean lacks, and if none is left.

    Args:
        networks: Number of networks that have what is averaged.
        what: Name of what is averaged.
    """
    lost = f"{of - networks} of {of} networks have no {what}"
    return joined(lost if networks < of else "", "" if networks else "no network is left")


def undefined(networks: int, of: int) -> str:
    """Say for how many networks a statistic does not exist.

    Args:
        networks: Number of networks that have it.
    """
    return f"not defined for {of - networks} of {of} networks" if networks < of else ""


def few_ensembles(ensembles: int, things: str = "ensembles") -> str:
    """Say that there are too few ensembles to tell of others; empty if there are enough, or none.

    Args:
        ensembles: Number of ensembles.
        things: Word for what is counted, where pairs of ensembles stand for them.
    """
    if not 0 < ensembles < FEWEST_ENSEMBLES:
        return ""
    return f"{ensembles} of the {FEWEST_ENSEMBLES} {things} that a verdict needs"


def few_shared(shared: int) -> str:
    """Say that networks share too few points, ellipses or images; empty if enough, or none.

    Args:
        shared: Number that they share.
    """
    few = 0 < shared < FEWEST_SHARED
    return f"{shared} of the {FEWEST_SHARED} shared inputs that a verdict needs" if few else ""

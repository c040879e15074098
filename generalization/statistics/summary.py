"""A study in at most five sentences."""

from __future__ import annotations

from collections.abc import Collection
from numbers import Integral

import pandas as pd

from generalization.names import interval, listed, number, value_name, values_of, within
from generalization.statistics.selection import excluded, final_networks, has_fitted
from generalization.tables import swept_hyperparameters


def summary(
    statistics: pd.DataFrame,
    measures: pd.DataFrame,
    *,
    baselines: Collection[str] = (),
    fitted_accuracy: float = 0.999,
) -> list[str]:
    """What was studied and what came out, for the front page of the report.

    Networks of all datasets are taken together. A relation is claimed only where the interval of
    Spearman's correlation leaves out 0 and its p-value, corrected for the number of measures, is at
    most 1 − level. One measure is said to rank the gap better than another only where their
    intervals do not overlap.

    Args:
        statistics: Table of ``fit_statistics``.
        measures: Table of ``collect_measures``.
        baselines: Measures that any other has to beat.
        fitted_accuracy: Train accuracy from which on a network counts as fitted.

    Returns:
        At most five sentences, in plain text.
    """
    networks = final_networks(measures)
    ranks = statistics.query("statistic == 'spearman' and dataset == 'all'").assign(shown=_shown)
    fitted = ranks[ranks["selection"] == "fitted"]
    return [
        _studied(networks),
        _fitted(networks, fitted_accuracy),
        _best(fitted, ranks[ranks["selection"] == "all"], statistics),
        *_baselines(fitted[fitted["measure"].isin(baselines)]),
        _excluded(measures, fitted_accuracy),
    ]


def _studied(networks: pd.DataFrame) -> str:
    seeds = networks.groupby("ensemble").size()
    each = f"{seeds.min()}" if seeds.min() == seeds.max() else f"{seeds.min()} to {seeds.max()}"
    swept = [
        f"{within(key)} ({', '.join(_values(networks[key]))})"
        for key in swept_hyperparameters(networks)
        if key != "dataset"
    ]
    return (
        f"{len(networks):,} networks were trained on {listed(_values(networks['dataset']))}: "
        f"{_count(len(seeds), 'ensemble')} of {each} {'seed' if each == '1' else 'seeds'}"
        f"{', over ' + listed(swept) if swept else ''}."
    )


def _fitted(networks: pd.DataFrame, fitted_accuracy: float) -> str:
    fitted = networks[has_fitted(networks, fitted_accuracy=fitted_accuracy)]
    gaps = fitted["generalization_gap"].dropna()
    spread = (
        f"; their generalization gap, train − test accuracy, goes from {gaps.min() * 100:.1f} "
        f"to {gaps.max() * 100:.1f} percentage points"
        if len(gaps)
        else ""
    )
    return (
        f"{len(fitted):,} of them, in {_count(fitted['ensemble'].nunique(), 'ensemble')}, fitted "
        f"their training set (train accuracy of at least {fitted_accuracy * 100:g} %){spread}."
    )


def _best(fitted: pd.DataFrame, everyone: pd.DataFrame, statistics: pd.DataFrame) -> str:
    estimated = fitted.dropna(subset="estimate")
    if estimated.empty:
        reasons = listed(sorted(set(fitted["note"])))
        return f"No relation to the gap of fitted networks could be estimated: {reasons}."
    if not estimated["shown"].any():
        return (
            f"No relation to the gap of fitted networks is shown by any of "
            f"{_count(len(estimated), 'measure')}; the largest Spearman correlation is that of "
            f"{_named(estimated.loc[estimated['estimate'].abs().idxmax()])}."
        )
    best = estimated.loc[estimated["estimate"].abs().where(estimated["shown"]).idxmax()]
    close = [
        within(row["measure"])
        for _, row in estimated.iterrows()
        if row["measure"] != best["measure"] and _strengths(row)[1] >= _strengths(best)[0]
    ]
    all_networks = everyone[everyone["measure"] == best["measure"]].iloc[0]
    apart = (
        f"the intervals of {listed(close)} overlap with it"
        if len(close) > 1
        else f"the interval of {close[0] if close else 'no other measure'} overlaps with it"
    )
    return (
        f"Of {_count(len(estimated), 'measure')}, {within(best['measure'])} has the strongest rank "
        f"correlation with the gap of fitted networks: Spearman {_interval(best)} over "
        f"{_over(best)}, and {_interval(all_networks)} over all {all_networks['networks']:,}; "
        f"{apart}{_in_datasets(statistics, best['measure'])}."
    )


def _in_datasets(statistics: pd.DataFrame, measure: str) -> str:
    """The same correlation within each dataset of several, whose gaps differ anyway."""
    rows = statistics.query(
        "statistic == 'spearman' and selection == 'fitted' and dataset != 'all'"
        f" and measure == {measure!r}"
    )
    told = [f"{row['dataset']} {_interval(row)}" for _, row in rows.iterrows()]
    return f". Within datasets it is {listed(told)}" if told else ""


def _baselines(baselines: pd.DataFrame) -> list[str]:
    shown = [_named(row) for _, row in baselines[baselines["shown"]].iterrows()]
    not_shown = [_named(row) for _, row in baselines[~baselines["shown"]].iterrows()]
    parts = [
        f"a relation is shown by {listed(shown)}" if shown else "",
        f"no relation is shown by {listed(not_shown)}" if not_shown else "",
    ]
    said = "; ".join(filter(None, parts))
    return [f"Of the baselines, {said}."] if said else []


def _excluded(measures: pd.DataFrame, fitted_accuracy: float) -> str:
    out = excluded(measures, fitted_accuracy=fitted_accuracy).query("selection == 'fitted'")
    out = out.assign(measure=out["measure"].map(within, na_action="ignore"))
    counts = out.groupby(["measure", "reason"], dropna=False, sort=False)["networks"].sum()
    reasons = [
        f"{_count(networks, 'network')} ({reason}{'' if pd.isna(measure) else f': {measure}'})"
        for (measure, reason), networks in counts.items()
    ]
    return (
        f"Left out of these statistics: {listed(reasons)}."
        if reasons
        else "No network is left out of these statistics."
    )


def _shown(ranks: pd.DataFrame) -> pd.Series:
    """Whether a relation may be claimed."""
    apart_from_zero = (ranks["low"] > 0) | (ranks["high"] < 0)
    return apart_from_zero & (ranks["p_value_corrected"] <= 1 - ranks["level"])


def _strengths(row: pd.Series) -> tuple[float, float]:
    """The interval of a correlation, turned so that the estimate is positive."""
    return (row["low"], row["high"]) if row["estimate"] > 0 else (-row["high"], -row["low"])


def _named(row: pd.Series) -> str:
    told = row["note"] if pd.isna(row["estimate"]) else _interval(row)
    if not row["shown"] and (row["low"] > 0 or row["high"] < 0):
        told += f", corrected p = {number(row['p_value_corrected'], digits=2)}"
    return f"{within(row['measure'])} ({told})"


def _interval(row: pd.Series) -> str:
    return interval(row["estimate"], row["low"], row["high"])


def _over(row: pd.Series) -> str:
    return f"{_count(row['networks'], 'network')} of {_count(row['ensembles'], 'ensemble')}"


def _count(number: Integral, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _values(column: pd.Series) -> list[str]:
    return [value_name(value) for value in values_of(column)]

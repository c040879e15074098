"""Summary of a study in at most five sentences."""

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
    """Summarize what was studied and found, for the front page of the report.

    Networks of all datasets are pooled. A relation is claimed only if the interval of Spearman's
    correlation excludes 0 and its p-value, corrected for the number of measures, is at most
    1 − level. One measure is said to rank the gap better than another only if their intervals do
    not overlap.

    Args:
        statistics: Table of ``fit_statistics``.
        measures: Table of ``collect_measures``.
        baselines: Measures that any other has to outperform.
        fitted_accuracy: Train accuracy from which a network counts as fitted.

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
        f"{', varying ' + listed(swept) if swept else ''}."
    )


def _fitted(networks: pd.DataFrame, fitted_accuracy: float) -> str:
    fitted = networks[has_fitted(networks, fitted_accuracy=fitted_accuracy)]
    gaps = fitted["generalization_gap"].dropna()
    spread = (
        f"; their generalization gap (train − test accuracy) ranges from {gaps.min() * 100:.1f} "
        f"to {gaps.max() * 100:.1f} percentage points"
        if len(gaps)
        else ""
    )
    return (
        f"{len(fitted):,} of them, in {_count(fitted['ensemble'].nunique(), 'ensemble')}, fit "
        f"their training set (train accuracy of at least {fitted_accuracy * 100:g} %){spread}."
    )


def _best(fitted: pd.DataFrame, everyone: pd.DataFrame, statistics: pd.DataFrame) -> str:
    estimated = fitted.dropna(subset="estimate")
    if estimated.empty:
        reasons = listed(sorted(set(fitted["note"])))
        return f"No relation to the gap of fitted networks could be estimated: {reasons}."
    if not estimated["shown"].any():
        return (
            "No relation to the gap of fitted networks was detected "
            f"({_count(len(estimated), 'measure')} tested); the strongest Spearman correlation is "
            f"that of {_named(estimated.loc[estimated['estimate'].abs().idxmax()])}."
        )
    best = estimated.loc[estimated["estimate"].abs().where(estimated["shown"]).idxmax()]
    close = [
        within(row["measure"])
        for _, row in estimated.iterrows()
        if row["measure"] != best["measure"] and _strengths(row)[1] >= _strengths(best)[0]
    ]
    all_networks = everyone[everyone["measure"] == best["measure"]].iloc[0]
    others = f"{'those' if len(close) > 1 else 'that'} of {listed(close) or 'no other measure'}"
    return (
        f"Among {_count(len(estimated), 'measure')}, {within(best['measure'])} has the strongest "
        f"rank correlation with the gap of fitted networks: Spearman's ρ is {_interval(best)} over "
        f"{_over(best)}, and {_interval(all_networks)} over all {all_networks['networks']:,}; its "
        f"interval overlaps with {others}{_in_datasets(statistics, best['measure'])}."
    )


def _in_datasets(statistics: pd.DataFrame, measure: str) -> str:
    """Clause with the correlation within each of several datasets, whose gaps differ anyway."""
    rows = statistics.query(
        "statistic == 'spearman' and selection == 'fitted' and dataset != 'all'"
        f" and measure == {measure!r}"
    )
    within_each = [f"{_interval(row)} ({row['dataset']})" for _, row in rows.iterrows()]
    return f". Within datasets, ρ is {listed(within_each)}" if within_each else ""


def _baselines(baselines: pd.DataFrame) -> list[str]:
    shown = [_named(row) for _, row in baselines[baselines["shown"]].iterrows()]
    not_shown = [_named(row) for _, row in baselines[~baselines["shown"]].iterrows()]
    show, do = "shows" if len(shown) == 1 else "show", "does" if len(not_shown) == 1 else "do"
    clauses = [
        f"{listed(shown)} {show} a relation" if shown else "",
        f"{listed(not_shown)} {do} not{'' if shown else ' show a relation'}" if not_shown else "",
    ]
    sentence = "; ".join(filter(None, clauses))
    return [f"Among the baselines, {sentence}."] if sentence else []


def _excluded(measures: pd.DataFrame, fitted_accuracy: float) -> str:
    out = excluded(measures, fitted_accuracy=fitted_accuracy).query("selection == 'fitted'")
    out = out.assign(measure=out["measure"].map(within, na_action="ignore"))
    counts = out.groupby(["measure", "reason"], dropna=False, sort=False)["networks"].sum()
    reasons = [
        f"{_count(networks, 'network')} ({reason}{'' if pd.isna(measure) else f': {measure}'})"
        for (measure, reason), networks in counts.items()
    ]
    return (
        f"Excluded from these statistics: {listed(reasons)}."
        if reasons
        else "No network is excluded from these statistics."
    )


def _shown(ranks: pd.DataFrame) -> pd.Series:
    """Whether the interval and the corrected p-value both support a relation."""
    apart_from_zero = (ranks["low"] > 0) | (ranks["high"] < 0)
    return apart_from_zero & (ranks["p_value_corrected"] <= 1 - ranks["level"])


def _strengths(row: pd.Series) -> tuple[float, float]:
    """Interval of the correlation, mirrored if necessary so that the estimate is positive."""
    return (row["low"], row["high"]) if row["estimate"] > 0 else (-row["high"], -row["low"])


def _named(row: pd.Series) -> str:
    words = row["note"] if pd.isna(row["estimate"]) else _interval(row)
    if not row["shown"] and (row["low"] > 0 or row["high"] < 0):
        words += f", corrected p = {number(row['p_value_corrected'], digits=2)}"
    return f"{within(row['measure'])} ({words})"


def _interval(row: pd.Series) -> str:
    return interval(row["estimate"], row["low"], row["high"])


def _over(row: pd.Series) -> str:
    return f"{_count(row['networks'], 'network')} of {_count(row['ensembles'], 'ensemble')}"


def _count(number: Integral, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _values(column: pd.Series) -> list[str]:
    return [value_name(value) for value in values_of(column)]

"""Rows of the league: which statistic decides, and when a relation counts as shown."""

from __future__ import annotations

import pandas as pd

from generalization.statistics.shown import is_shown

WITHIN = "spearman_within_"
TEST_SET_SHARE = "test_set_share_of_seed_variance"
BEST_RIVAL = "less that of "  # begins a note on which baseline or hyper-parameter is the best


def primary_statistic(statistics: pd.DataFrame, primary: str) -> str:
    """Return the name in the table of the statistic by which measures are judged.

    ``spearman_within`` is the correlation within the factor that explains most of the gap, whose
    name the table appends. A study that sweeps over nothing else has the one within datasets, and
    one that sweeps over nothing has the pooled correlation only.

    Args:
        primary: Setting of the study.
    """
    if primary != "spearman_within":
        return primary
    there = [one for one in statistics["statistic"].unique() if one.startswith(WITHIN)]
    by_factor = [one for one in there if one != f"{WITHIN}dataset"]
    return next(iter([*by_factor, *there, "spearman"]))


def stratum(statistic: str) -> str:
    """Return the hyper-parameter that a stratified correlation holds fixed, or an empty string."""
    return statistic.removeprefix(WITHIN) if statistic.startswith(WITHIN) else ""


def companion(name: str, statistic: str) -> str:
    """Return the name of what is told of the ranks that a statistic correlates.

    Args:
        name: ``noise_ceiling`` or ``minimum_detectable_correlation``, of pooled ranks.
        statistic: Name in the table; those that are no rank correlations stand beside the pooled.
    """
    held = statistic.removeprefix("spearman") if statistic.startswith("spearman") else ""
    return f"{name}{held}"


def league_rows(
    statistics: pd.DataFrame, statistic: str, *, selection: str = "fitted", dataset: str = "all"
) -> pd.DataFrame:
    """Return the rows of one statistic, by measure.

    Args:
        statistic: Name in the table.
        selection: ``fitted`` or ``all``.
        dataset: ``all`` or the name of one.

    Returns:
        Rows in the order of the table, indexed by ``measure``, with ``shown``.
    """
    chosen = statistics[
        (statistics["statistic"] == statistic)
        & (statistics["selection"] == selection)
        & (statistics["dataset"] == dataset)
    ]
    return chosen.assign(shown=shown(chosen)).set_index("measure")


def shown(rows: pd.DataFrame) -> pd.Series:
    """Tell whether each row shows a relation.

    It does by ``is_shown`` of its interval and its corrected p-value. Controls and swept
    hyper-parameters, for which no p-value is corrected, are judged by their own p-value.

    Args:
        rows: With low, high, level, p_value, p_value_corrected and ensembles.

    Returns:
        One truth value per row.
    """
    # Of measures without a p-value, none is shown.
    p_values = rows["p_value_corrected"].fillna(rows["p_value"]).fillna(1.0)
    bounds = rows["low"], rows["high"], p_values, rows["ensembles"]
    return pd.Series(is_shown(*bounds, level=rows["level"]), rows.index)

"""Up to which fraction of ablated units networks trained with dropout are protected."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from generalization.statistics.estimates import (
    INTERVAL,
    few_ensembles,
    groups,
    means_of_columns,
    table_of,
)
from generalization.statistics.resampling import Resampling
from generalization.tables import hyperparameters_of, with_networks

KEYS = ["dataset", "normalization", "dropout"]
STATISTICS = ["advantage_within", "advantage_beyond"]
COLUMNS = [*KEYS, "statistic", *INTERVAL, "pairs", "note"]
FRACTIONS = np.linspace(0, 1, 201)


def dropout_protection(
    ablation_curves: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
) -> pd.DataFrame:
    """Compare ablation curves with and without dropout, up to the dropout rate and beyond.

    Morcos et al. 2018: dropout with probability p protects against the ablation of a fraction of
    up to p of the units, and not beyond. Pairs of ensembles are compared that differ in nothing but
    dropout, of which one has none. The accuracy of a network relative to its own with no unit
    ablated, units of all hidden layers set to zero, is averaged over seeds at their last step, and

    ``advantage_within``
        is the mean over fractions q ≤ p of what dropout adds to it,
    ``advantage_beyond``
        the mean over q > p.

    Args:
        resampling: Settings of the intervals, of which the level counts; pairs share no network of
            dropout.

    Returns:
        Means over pairs, one row per dataset, normalization (``all`` where there are several),
        dropout and statistic, with the columns ``COLUMNS``.
    """
    found = list(advantages(ablation_curves, training))
    found = pd.DataFrame(found, columns=None if found else ["ensemble", *KEYS, *STATISTICS])
    rows = []
    # What dropout does is one question, whatever the normalization.
    several = found.groupby(["dataset", "dropout"])["normalization"].transform("nunique") > 1
    pooled = found[several].assign(normalization="all")
    for about, pairs in groups(pd.concat([found, pooled]), KEYS, sort=True):
        for mean in means_of_columns(pairs, STATISTICS, resampling):
            note = few_ensembles(mean["networks"], "pairs")
            rows.append(about | mean | {"pairs": mean["networks"], "note": note})
    return table_of(rows, COLUMNS, resampling)


def advantages(
    ablation_curves: pd.DataFrame, training: pd.DataFrame
) -> Iterator[dict[str, object]]:
    """Gain in relative accuracy through dropout, for every pair of ensembles.

    Yields:
        ``ensemble``, the one with dropout; ``dataset``, ``normalization``, ``dropout``, and both
        statistics.
    """
    rows = with_networks(ablation_curves, training)
    rows = rows[rows["final"] & (rows["layer"] == "all") & (rows["mode"] == "zero")]
    names = [key for key in hyperparameters_of(training) if key not in ("dropout", "kept_steps")]
    # Missing values are equal here.
    alike = rows.drop_duplicates("ensemble").groupby(names, dropna=False, sort=False)
    for _, ensembles in alike:
        without = ensembles.loc[ensembles["dropout"] == 0, "ensemble"]
        for ensemble in ensembles[ensembles["dropout"] > 0].to_dict("records"):
            if len(without):
                own, other = (
                    relative_accuracy(rows[rows["ensemble"] == name])
                    for name in (ensemble["ensemble"], without.iloc[0])
                )
                within = ensemble["dropout"] + 1e-9 >= FRACTIONS
                yield {
                    **{key: ensemble[key] for key in ("ensemble", "dataset", "normalization")},
                    "dropout": ensemble["dropout"],
                    "advantage_within": (own - other)[within].mean(),
                    "advantage_beyond": (own - other)[~within].mean(),
                }


def relative_accuracy(curves: pd.DataFrame) -> np.ndarray:
    """Accuracy over that with no unit ablated, its mean over seeds, at ``FRACTIONS``.

    Args:
        curves: Rows of one ensemble and one kind of ablation.
    """
    of_seeds = []
    for _, curve in curves.sort_values("amount", kind="stable").groupby("seed"):
        accuracy = np.interp(FRACTIONS, curve["amount"], curve["accuracy"])
        of_seeds.append(accuracy / accuracy[0])
    return np.mean(of_seeds, axis=0)

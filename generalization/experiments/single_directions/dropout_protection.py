"""Up to which fraction of ablated units networks trained with dropout are protected."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from generalization.statistics.fit_statistics import FEWEST_ENSEMBLES
from generalization.statistics.means import check_resampling, mean_over_networks
from generalization.tables import hyperparameters_of, with_networks

COLUMNS = [
    "dataset",
    "normalization",
    "dropout",
    "statistic",
    "estimate",
    "low",
    "high",
    "level",
    "pairs",
    "note",
]
FRACTIONS = np.linspace(0, 1, 201)


def dropout_protection(
    ablation_curves: pd.DataFrame,
    training: pd.DataFrame,
    *,
    generator: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
) -> pd.DataFrame:
    """What dropout does to curves of ablation, up to the fraction dropped in training and beyond.

    Morcos et al. 2018: dropout with probability p protects against the ablation of a fraction of
    up to p of the units, and not beyond. Pairs of ensembles are compared that differ in nothing but
    dropout, of which one has none. The accuracy of a network relative to its own with no unit
    ablated, units of all hidden layers set to zero, is averaged over seeds at their last step, and

    ``advantage_within``
        is the mean over fractions q ≤ p of what dropout adds to it,
    ``advantage_beyond``
        the mean over q > p.

    Args:
        ablation_curves: Table of the profile of a study.
        training: Table of ``collect_training``.
        generator: Of resamples. Every row sees the same ones.
        resamples: Number of bootstrap resamples of pairs, which share no network of dropout.
        level: Of the percentile intervals.

    Returns:
        Means over pairs, one row per dataset, normalization, dropout and statistic, with the
        columns ``COLUMNS``.

    Raises:
        ValueError: If level is not between 0 and 1, or resamples are none.
    """  # noqa: DOC502
    check_resampling(level, resamples)
    entropy = int(generator.integers(2**63))
    found = pd.DataFrame(advantages(ablation_curves, training))
    rows = []
    if len(found):
        for keys, pairs in found.groupby(["dataset", "normalization", "dropout"]):
            for statistic in ("advantage_within", "advantage_beyond"):
                mean = mean_over_networks(
                    pairs[statistic],
                    pairs["ensemble"],
                    generator=np.random.default_rng(entropy),
                    resamples=resamples,
                    level=level,
                )
                few = mean["networks"] < FEWEST_ENSEMBLES
                note = f"fewer than {FEWEST_ENSEMBLES} pairs" if few else ""
                about = dict(zip(["dataset", "normalization", "dropout"], keys, strict=True))
                rows.append(
                    about | {"statistic": statistic, "pairs": mean["networks"], "note": note} | mean
                )
    return pd.DataFrame(rows, columns=COLUMNS).assign(level=level)


def advantages(
    ablation_curves: pd.DataFrame, training: pd.DataFrame
) -> Iterator[dict[str, object]]:
    """What dropout adds to the relative accuracy, of every pair of ensembles.

    Args:
        ablation_curves: Table of the profile of a study.
        training: Table of ``collect_training``.

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
    for _, curve in curves.sort_values("amount").groupby("seed"):
        accuracy = np.interp(FRACTIONS, curve["amount"], curve["accuracy"])
        of_seeds.append(accuracy / accuracy[0])
    return np.mean(of_seeds, axis=0)

"""Output sensitivities of networks before and after training, and which networks to compare."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from generalization.hyperparameters import FIXED_SIZE
from generalization.statistics.selection import final_networks
from generalization.tables import NETWORK, hyperparameters_of

# Of logits, in squared logits: their mean, single ones, what is left of them less their mean.
OF_LOGITS = (
    "output_sensitivity",
    "output_sensitivity_per_output",
    "centered_output_sensitivity",
)
SENSITIVITIES = (*OF_LOGITS, "softmax_output_sensitivity")
# ASSUME: networks are of one size if none has more than a tenth more parameters than the least; the
# sources say "fixed", but widths are whole numbers.
SAME_SIZE = 1.1


def sensitivities(measures: pd.DataFrame) -> pd.DataFrame:
    """Every sensitivity of every network at step 0 and at its last step, beside how it ended.

    Returns:
        One row per network, ``measure`` and ``trained`` (whether the step is not 0): ``step`` and
        ``sensitivity`` there, and the hyper-parameters and performance of the network at its last
        step. Networks whose sensitivity or test loss is not positive and finite have no logarithm
        of it, and are left out.
    """
    rows = measures[measures["measure"].isin(SENSITIVITIES)]
    rows = rows[rows["final"] | (rows["step"] == 0)].rename(columns={"value": "sensitivity"})
    ended = final_networks(measures).drop(columns=["step", "final"])
    rows = rows[[*NETWORK, "step", "measure", "sensitivity"]].merge(
        ended, on=NETWORK, validate="many_to_one"
    )
    positive = rows[["sensitivity", "test_loss"]].gt(0) & np.isfinite(
        rows[["sensitivity", "test_loss"]].astype(float)
    )
    return rows.assign(trained=rows["step"] > 0)[positive.all(axis=1)].reset_index(drop=True)


def alike_but_for(measures: pd.DataFrame, factor: str) -> pd.Series:
    """Which ensembles differ in nothing but a factor.

    Args:
        factor: A hyper-parameter; or ``FIXED_SIZE``, for which width differs as well, so that the
            number of parameters is the same within a tenth.

    Returns:
        Ensemble → a number that ensembles which differ in nothing else share; missing if its size
        is asked for and not measured.
    """
    ensembles = measures.drop_duplicates("ensemble").set_index("ensemble")
    free = {factor, "kept_steps"} | ({"depth", "width"} if factor == FIXED_SIZE else set())
    same = [key for key in hyperparameters_of(measures) if key not in free]
    if factor == FIXED_SIZE:
        ensembles = ensembles.assign(size=_sizes(measures)).dropna(subset="size")
        by_size = ensembles.groupby(same, dropna=False)["size"].transform(_size_classes)
        ensembles, same = ensembles.assign(size_class=by_size), [*same, "size_class"]
    return ensembles.groupby(same, dropna=False).ngroup().astype(float)


def values_of_factor(table: pd.DataFrame, factor: str) -> pd.Series:
    """The column in which a factor stands."""
    return table["depth" if factor == FIXED_SIZE else factor]


def _sizes(measures: pd.DataFrame) -> pd.Series:
    """Ensemble → number of parameters."""
    rows = measures[measures["measure"] == "number_of_parameters"].drop_duplicates("ensemble")
    return rows.set_index("ensemble")["value"]


def _size_classes(sizes: pd.Series) -> pd.Series:
    """From the least size on, a class goes as far as to ``SAME_SIZE`` times its own least."""
    ascending, least, classes = sizes.sort_values(kind="stable"), -np.inf, []
    for size in ascending:
        least = size if size > SAME_SIZE * least else least
        classes.append(least)
    return pd.Series(classes, ascending.index)


def comparable_pairs(groups: Sequence[float]) -> np.ndarray:
    """Which pairs of rows are of one group; what is missing is of none."""
    groups = np.asarray(groups, float)
    return groups[:, None] == groups[None, :]

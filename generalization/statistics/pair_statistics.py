"""How often the setting that generalizes worse has the larger value, over pairs of ensembles."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from statsmodels.stats.proportion import proportion_confint

from generalization.statistics.estimates import INTERVAL
from generalization.statistics.pairs import COMPARISON, NO_PAIR
from generalization.statistics.resampling import check_level
from generalization.statistics.selection import by_dataset

COLUMNS = [
    *COMPARISON,
    "quantity",
    "dataset",
    "larger_in",
    "pairs",
    "ties",
    *INTERVAL,
    "p_value",
    "ratio",
    "networks",
    "left_out",
    "note",
]


def pair_statistics(pairs: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """The sign test of every comparison, quantity and dataset, with an exact interval.

    ``estimate`` is the fraction of pairs in which the setting that should generalize worse has the
    larger value; of ``test_accuracy``, in which it has the smaller one, as Novak et al. 2018,
    §A.5.4, checked of data augmentation. Ties count half. The interval is Clopper and Pearson's;
    ``p_value`` is of the two-sided sign test of the pairs that are not tied, that either setting
    is as likely to have the larger value. Both take pairs for independent: each ensemble is in one
    pair of a comparison at most, so that no two pairs share a network. p-values are not corrected
    for the number of comparisons and quantities.

    Args:
        pairs: Table of ``pairs``.
        level: Of the intervals.

    Returns:
        One row per comparison, quantity and dataset, with the columns ``COLUMNS``. ``dataset`` is
        ``all``, and each where the pairs are of several. ``larger_in`` is the value of the setting
        whose excess is counted; ``ratio`` the geometric mean of worse / better, where all values
        are positive; ``networks`` are those of the pairs. ``left_out`` counts pairs without both
        values; ``note`` says why.

    Raises:
        ValueError: If level is not between 0 and 1.
    """  # noqa: DOC502
    check_level(level)
    datasets = pairs["dataset"].dropna().unique()
    rows = [
        {
            **dict(zip([*COMPARISON, "quantity"], key, strict=True)),
            "dataset": dataset,
            "larger_in": group["better" if key[-1] == "test_accuracy" else "worse"].iloc[0],
            **_sign_test(block, key[-1], level),
        }
        for key, group in pairs.groupby([*COMPARISON, "quantity"], sort=False)
        for dataset, block in by_dataset(group, datasets).items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS).assign(level=level)


def _sign_test(block: pd.DataFrame, quantity: str, level: float) -> dict[str, object]:
    """Everything about the pairs of one comparison, quantity and dataset."""
    there = block["value_better"].notna() & block["value_worse"].notna()
    better, worse = (block.loc[there, f"value_{side}"] for side in ("better", "worse"))
    first, second = (better, worse) if quantity == "test_accuracy" else (worse, better)
    larger, ties, size = (first > second).sum(), (first == second).sum(), int(there.sum())
    low, high = _clopper_pearson(larger + ties / 2, size, level)
    positive = size > 0 and (better > 0).all() and (worse > 0).all()
    left_out = block[~there & block["ensemble_better"].notna()]
    return {
        "pairs": size,
        "ties": int(ties),
        "estimate": (larger + ties / 2) / size if size else np.nan,
        "low": low,
        "high": high,
        "p_value": _p_value(int(larger), int(size - ties)),
        "ratio": np.exp(np.log(worse / better).mean()) if positive else np.nan,
        "networks": int(block.loc[there, "networks"].sum()),
        "left_out": len(left_out),
        "note": "; ".join(dict.fromkeys(block.loc[~there, "note"])) if len(block) else NO_PAIR,
    }


def _clopper_pearson(larger: float, size: int, level: float) -> tuple[float, float]:
    """Interval of a fraction; a tie, half of each, varies less than the coin that it stands for."""
    if not size:
        return np.nan, np.nan
    return proportion_confint(larger, size, alpha=1 - level, method="beta")


def _p_value(larger: int, untied: int) -> float:
    return binomtest(larger, untied).pvalue if untied else np.nan

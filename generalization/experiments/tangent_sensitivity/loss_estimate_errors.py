"""How far estimates of the test loss and accuracy are from the truth.

Args:
    skipped_share: Share of the estimated steps of every network that do not count, the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np
import pandas as pd

from generalization.statistics.estimates import (
    groups,
    joined,
    mean_over_networks,
    paired_contrast,
    table_of,
)
from generalization.statistics.resampling import Resampling
from generalization.tables import KEPT_NETWORK, NETWORK, swept_hyperparameters, with_networks

COLUMNS = [
    "quantity",
    "estimator",
    "estimate",
    "low",
    "high",
    "per_batch_of_64",
    "difference",
    "difference_low",
    "difference_high",
    "over_train",
    "over_train_low",
    "over_train_high",
    "level",
    "networks",
    "ensembles",
    "note",
]
# Of which the paper shows variants, apart from each other.
VARIANTS = ("normalization", "dropout", "optimizer")
# Estimators whose errors are compared, all variants of a dataset together.
COMPARED = tuple(permutations(("eq_5_log", "eq_6_log", "eq_7_log"), 2))
# The paper's loss is a sum of means over batches of 64, divided by the number of samples.
BATCH = 64


def loss_estimate_errors(
    loss_estimates: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
    skipped_share: float = 0.5,
) -> pd.DataFrame:
    """Mean absolute errors of estimates of the test loss and accuracy (Daróczy 2020, Table 2).

    The error of a network is the mean of |estimate − truth| over the steps at which it has both;
    the estimate here is the mean over networks. ``difference`` is the error less that of the
    estimator ``train``, the training loss or accuracy itself, at the same steps of the same
    networks: what is below 0 estimates better than that. It is our baseline; the paper compares its
    estimators with each other alone.

    Rows of the estimators ``eq_7_log / eq_5_log`` … compare two of the paper's: the estimate is the
    geometric mean over networks of the ratio of their errors; below 1, the first is better. As the
    paper's table does not tell variants apart, these rows are over all of a dataset.
    ``over_train`` is the ratio of the error of the first over that of ``train``.

    Returns:
        One row per dataset (and normalization, dropout and optimizer, where the study sweeps over
        them), quantity and estimator, with the columns ``COLUMNS``. Losses are in nats;
        ``per_batch_of_64`` is the estimate in the unit of the paper, a 64th. What does not exist is
        empty; ``note`` says why.

    Raises:
        ValueError: If skipped_share is not from 0 to less than 1.
    """
    if not 0 <= skipped_share < 1:
        raise ValueError(f"skipped_share must be from 0 to less than 1, not {skipped_share!r}.")
    networks = errors_of_networks(loss_estimates, training, skipped_share=skipped_share)
    keys = [*group_keys(training), "quantity", "estimator"]
    rows = [
        about | _means(alike, resampling) for about, alike in groups(networks, keys, dropna=False)
    ]
    whole = groups(networks, ["dataset", "quantity"])
    rows += [about | row for about, alike in whole for row in _comparisons(alike, resampling)]
    table = table_of(rows, [*keys[:-2], *COLUMNS], resampling)
    in_nats = (table["quantity"] == "loss") & ~table["estimator"].str.contains("/")
    return table.assign(per_batch_of_64=table["estimate"].where(in_nats) / BATCH)


def group_keys(training: pd.DataFrame) -> list[str]:
    """Hyper-parameters that keep rows apart: dataset, and variants of which there are several."""
    swept = swept_hyperparameters(training)
    return ["dataset", *(key for key in VARIANTS if key in swept)]


def errors_of_networks(
    loss_estimates: pd.DataFrame, training: pd.DataFrame, *, skipped_share: float = 0.5
) -> pd.DataFrame:
    """The errors of every network, means over its later steps.

    Returns:
        ensemble, seed, the keys of ``group_keys``, quantity, estimator, ``error``, ``difference``,
        ``steps`` that count, and ``lost``, how many of them have no error.
    """
    rows = with_networks(loss_estimates, training)
    # ASSUME: the second half of the kept steps counts; the author evaluates epochs 15 to 49 of 50.
    courses = rows.groupby([*NETWORK, "quantity", "estimator"])["step"]
    rows = rows[courses.rank() > skipped_share * courses.transform("size")]
    error = (rows["estimate"] - rows["truth"]).abs().astype(float)
    rows = rows.assign(error=error, lost=error.isna())
    same = [*KEPT_NETWORK, "quantity"]
    baseline = rows.loc[rows["estimator"] == "train", [*same, "error"]]
    rows = rows.merge(baseline, on=same, how="left", suffixes=("", "_of_train"))
    rows["difference"] = rows["error"] - rows["error_of_train"]
    keys = [*group_keys(training), "quantity", "estimator", *NETWORK]
    return rows.groupby(keys, sort=False, dropna=False, as_index=False).agg(
        error=("error", "mean"),
        difference=("difference", "mean"),
        steps=("lost", "size"),
        lost=("lost", "sum"),
    )


def _means(networks: pd.DataFrame, resampling: Resampling) -> dict[str, object]:
    """Means over the networks that have an error, and their intervals."""
    mean, difference = (
        mean_over_networks(
            networks[column].where(np.isfinite(networks["error"])),
            networks["ensemble"],
            resampling,
            lacking="estimate",
        )
        for column in ("error", "difference")
    )
    lost, steps = networks["lost"].sum(), networks["steps"].sum()
    at_steps = f"no estimate at {lost} of {steps} steps" if lost else ""
    return mean | {
        "difference": difference["estimate"],
        "difference_low": difference["low"],
        "difference_high": difference["high"],
        "note": joined(at_steps, mean["note"]),
    }


def _comparisons(networks: pd.DataFrame, resampling: Resampling) -> Iterator[dict[str, object]]:
    """Ratios of the errors of two estimators in the same networks, each as a row."""
    with np.errstate(divide="ignore"):
        errors = np.log(networks.pivot(index=NETWORK, columns="estimator", values="error"))
    ensembles = errors.index.get_level_values("ensemble").to_series()
    for one, other in COMPARED:
        if {one, other, "train"} <= {*errors}:
            ratio = errors[one] - errors[other]
            mean = mean_over_networks(
                ratio, ensembles, resampling, scale=np.exp, lacking="positive errors"
            )
            yield (
                {"estimator": f"{one} / {other}"}
                | mean
                | paired_contrast(
                    *(errors[one], errors["train"], ensembles, resampling),
                    name="over_train",
                    scale=np.exp,
                )
            )

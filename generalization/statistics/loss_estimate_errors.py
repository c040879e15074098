"""How far estimates of the test loss and accuracy are from the truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float

from generalization.statistics.fit_statistics import FEWEST_ENSEMBLES
from generalization.statistics.resampling import bootstrap_counts
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
    "level",
    "networks",
    "ensembles",
    "note",
]
# Of which the paper shows variants, apart from each other.
VARIANTS = ("normalization", "dropout", "optimizer")
# The paper's loss is a sum of means over batches of 64, divided by the number of samples.
BATCH = 64


def loss_estimate_errors(
    loss_estimates: pd.DataFrame,
    training: pd.DataFrame,
    *,
    generator: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
    skipped_share: float = 0.5,
) -> pd.DataFrame:
    """Mean absolute errors of estimates of the test loss and accuracy (Daróczy 2020, Table 2).

    The error of a network is the mean of |estimate − truth| over the steps at which it has both;
    the estimate here is the mean over networks. ``difference`` is the error less that of the
    estimator ``train``, the training loss or accuracy itself, at the same steps of the same
    networks: what is below 0 estimates better than that. Intervals are percentile intervals of a
    bootstrap that resamples ensembles, then seeds within them, both for the same resamples.

    Args:
        loss_estimates: Table of ``loss_estimates``.
        training: Table of ``collect_training``.
        generator: Of resamples. Every row sees the same ones.
        resamples: Number of bootstrap resamples.
        level: Of the intervals.
        skipped_share: Share of the estimated steps of every network that do not count, the first.

    Returns:
        One row per dataset (and normalization, dropout and optimizer, where the study sweeps over
        them), quantity and estimator, with the columns ``COLUMNS``. Losses are in nats;
        ``per_batch_of_64`` is the estimate in the unit of the paper, a 64th. What does not exist is
        empty; ``note`` says why.

    Raises:
        ValueError: If level is not between 0 and 1, resamples are none, or skipped_share is not
            from 0 to less than 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level!r}.")
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, not {resamples!r}.")
    if not 0 <= skipped_share < 1:
        raise ValueError(f"skipped_share must be from 0 to less than 1, not {skipped_share!r}.")
    entropy = int(generator.integers(2**63))
    networks = errors_of_networks(loss_estimates, training, skipped_share=skipped_share)
    keys = [*group_keys(training), "quantity", "estimator"]
    rows = [
        dict(zip(keys, group, strict=True))
        | _mean(rows, np.random.default_rng(entropy), level, resamples)
        for group, rows in networks.groupby(keys, sort=False, dropna=False)
    ]
    table = pd.DataFrame(rows, columns=[*keys[:-2], *COLUMNS]).assign(level=level)
    in_nats = table["quantity"] == "loss"
    return table.assign(per_batch_of_64=table["estimate"].where(in_nats) / BATCH)


def group_keys(training: pd.DataFrame) -> list[str]:
    """Hyper-parameters whose values stay apart: dataset, and variants of which there are several.

    Args:
        training: Table of ``collect_training``.
    """
    swept = swept_hyperparameters(training)
    return ["dataset", *(key for key in VARIANTS if key in swept)]


def errors_of_networks(
    loss_estimates: pd.DataFrame, training: pd.DataFrame, *, skipped_share: float = 0.5
) -> pd.DataFrame:
    """The errors of every network, means over its later steps.

    Args:
        loss_estimates: Table of ``loss_estimates``.
        training: Table of ``collect_training``.
        skipped_share: Share of the estimated steps of every network that do not count, the first.

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


def _mean(
    networks: pd.DataFrame, generator: np.random.Generator, level: float, resamples: int
) -> dict[str, object]:
    """Means over the networks that have an error, and their intervals."""
    there = networks[np.isfinite(networks["error"])]
    ensembles, names = pd.factorize(there["ensemble"])
    values = there[["error", "difference"]].to_numpy(float)
    low = high = means = np.full(2, np.nan)
    if len(there):
        means = values.mean(0)
    if len(there) > 1:
        counts = bootstrap_counts(ensembles, resamples=resamples, generator=generator)
        low, high = _interval(counts @ values / counts.sum(1, keepdims=True), level)
    return {
        **dict(zip(("estimate", "difference"), means, strict=True)),
        **dict(zip(("low", "difference_low"), low, strict=True)),
        **dict(zip(("high", "difference_high"), high, strict=True)),
        "networks": len(there),
        "ensembles": len(names),
        "note": _note(networks, len(there), len(names)),
    }


def _interval(
    draws: Float[np.ndarray, "resamples columns"], level: float
) -> Float[np.ndarray, "two columns"]:
    return np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)


def _note(networks: pd.DataFrame, there: int, ensembles: int) -> str:
    """What is missing, and whether the interval tells of other ensembles."""
    lost, steps = networks["lost"].sum(), networks["steps"].sum()
    notes = [f"no estimate at {lost} of {steps} steps"] if lost else []
    if there < len(networks):
        notes.append(f"none of {len(networks) - there} of {len(networks)} networks")
    if there == 1:
        notes.append("no interval of 1 network")
    elif 0 < ensembles < FEWEST_ENSEMBLES:
        notes.append(f"{ensembles} of the {FEWEST_ENSEMBLES} ensembles that an interval needs")
    return "; ".join(notes)

"""Cross-entropy against the root of the squared error, over networks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from jaxtyping import Float

from generalization.statistics.correlations import pearson, slope
from generalization.statistics.estimates import (
    ESTIMATE,
    few_ensembles,
    groups,
    interval_over_networks,
    mean_over_networks,
    table_of,
)
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import on_true_labels
from generalization.tables import with_networks

COLUMNS = ["dataset", "labels", "output", "statistic", *ESTIMATE]
# Output → its squared error in the profile.
ERRORS = {"softmax": "squared_error", "logits": "squared_logit_error"}


def loss_chain(
    prediction_errors: pd.DataFrame, training: pd.DataFrame, *, resampling: Resampling
) -> pd.DataFrame:
    """Compare the cross-entropy L with √(L_MSE / 2) (Forouzesh, Salehi & Thiran 2020, slides).

    Of networks at their last step, with L_MSE of the softmax and of the logits, from which the
    authors' code computes it:

    ``log_ratio_mse``
        Mean of ln L − ½ ln(L_MSE / 2): 0 if the relation holds. At a single point, L is never below
        the root with the error of the softmax: one side of its relation holds by algebra.
    ``pearson_log_mse``, ``slope_log_mse``
        Pearson's correlation of ln L with ½ ln(L_MSE / 2), and the least-squares slope: 1.
    ``r_squared``
        1 − Σ (ln L − ½ ln(L_MSE / 2))² / Σ (ln L − mean ln L)², without any fit: negative if one
        constant predicts the losses better than the relation does.

    Returns:
        One row per dataset, labels (``true``, and ``all`` where others were trained on), output and
        statistic, with the columns ``COLUMNS``. Networks without a positive, finite L and L_MSE do
        not count. What does not exist is empty; ``note`` says why.
    """
    networks = with_networks(prediction_errors, training)
    networks = networks[networks["final"]]
    rows = [
        about | {"labels": labels, "output": output} | row
        for about, block in groups(networks, ["dataset"], sort=True)
        for labels, some in by_labels(block).items()
        for output, column in ERRORS.items()
        for row in _rows(some, column, resampling)
    ]
    return table_of(rows, COLUMNS, resampling)


def explained_variance(
    counts: Float[np.ndarray, "resamples networks"],
    x: Float[np.ndarray, "networks"],
    y: Float[np.ndarray, "networks"],
) -> Float[np.ndarray, "resamples"]:
    """Share of the variance of y that x explains as it is, without a fit; NaN where y is constant.

    Args:
        counts: Multiplicity of each network in each resample.
        x: Predictions.
        y: Finite values.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (counts * y).sum(1, keepdims=True) / counts.sum(1, keepdims=True)
        left, variance = (counts * (y - x) ** 2).sum(1), (counts * (y - mean) ** 2).sum(1)
        return np.where(variance > 0, 1 - left / variance, np.nan)


STATISTICS = {"pearson_log_mse": pearson, "slope_log_mse": slope, "r_squared": explained_variance}


def by_labels(networks: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Networks on true labels, and all where there are others.

    Args:
        networks: With ``label_corruption`` and ``randomization``.
    """
    on_true = networks[on_true_labels(networks)]
    every = {} if len(on_true) == len(networks) else {"all": networks}
    return ({"true": on_true} if len(on_true) else {}) | every


def _rows(
    networks: pd.DataFrame, column: str, resampling: Resampling
) -> Iterator[dict[str, object]]:
    """The statistics of one squared error."""
    loss, error = (networks[key].to_numpy(float) for key in ("cross_entropy", column))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = pd.DataFrame({"loss": np.log(loss), "root": 0.5 * np.log(error / 2)})
    logs = logs.assign(ensemble=networks["ensemble"].to_numpy())
    ratio = logs["loss"] - logs["root"]
    yield {"statistic": "log_ratio_mse"} | mean_over_networks(ratio, logs["ensemble"], resampling)
    there = logs[np.isfinite(ratio)]
    for name, statistic in STATISTICS.items():
        yield {"statistic": name} | relation(
            there["root"], there["loss"], there["ensemble"], statistic, resampling
        )


def relation(
    x: pd.Series, y: pd.Series, ensembles: pd.Series, statistic, resampling: Resampling
) -> dict[str, object]:
    """Return a statistic of two columns over networks, with its interval.

    Args:
        x: One per network.
        y: One per network.
        statistic: Function of weights, ``x`` and ``y``, such as ``pearson``.
    """
    found = {"networks": len(x), "ensembles": ensembles.nunique()}
    if x.nunique() < 2 or y.nunique() < 2:
        return found | {"note": "all networks are alike"}
    of_networks = partial(statistic, x=x.to_numpy(float), y=y.to_numpy(float))
    found |= interval_over_networks(
        of_networks, ensembles, resampling, correlation=statistic is pearson
    )
    return found | {"note": few_ensembles(found["ensembles"])}

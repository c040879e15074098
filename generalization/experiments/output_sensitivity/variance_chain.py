"""Variance of logits against its prediction from output sensitivity, over ensembles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from generalization.experiments.output_sensitivity.loss_chain import by_labels, relation
from generalization.statistics.correlations import pearson
from generalization.statistics.estimates import (
    ESTIMATE,
    SHARE,
    groups,
    mean_over_networks,
    paired_contrast,
    table_of,
)
from generalization.statistics.resampling import Resampling

CONTROL = ["over_untrained", "over_untrained_low", "over_untrained_high"]
COLUMNS = ["dataset", "labels", "trained", "statistic", *ESTIMATE, *CONTROL]


def variance_chain(
    bias_variance: pd.DataFrame, training: pd.DataFrame, *, resampling: Resampling
) -> pd.DataFrame:
    """Compare the variance of logits with K (S C + Σ) (Forouzesh, Salehi & Thiran 2020, slides).

    Of ensembles, each with as many seeds as it has:

    ``variance_over_predicted``
        Mean of ln(variance / predicted): 0 if the relation holds. Of untrained networks it holds by
        derivation, which checks the method. ``over_untrained`` and its interval: how much larger
        the absolute ln(variance / predicted) is than with the sensitivity *before* training in the
        prediction. It is negative if the sensitivity of trained networks predicts their variance
        better.
    ``pearson_log_variance``
        Pearson's correlation of the logarithms of both.
    ``variance_share``
        Mean share of the squared error that is variance.

    Returns:
        One row per dataset, labels (``true``, and ``all`` where others were trained on), whether
        networks are ``trained``, and statistic, with the columns ``COLUMNS``. What does not exist
        is empty; ``note`` says why.
    """
    wide = _ensembles(bias_variance).merge(
        training.drop_duplicates("ensemble")[["ensemble", "label_corruption", "randomization"]],
        on="ensemble",
    )
    rows = [
        about | {"labels": labels, "trained": trained} | row
        for about, block in groups(wide, ["dataset"], sort=True)
        for labels, some in by_labels(block).items()
        for trained in (False, True)
        for row in _rows(some[some["trained"] == trained], trained, resampling)
    ]
    return table_of(rows, COLUMNS, resampling)


def _ensembles(bias_variance: pd.DataFrame) -> pd.DataFrame:
    """Quantities of the logits of every ensemble, and the prediction before training."""
    logits = bias_variance[bias_variance["output"] == "logits"]
    keys = ["dataset", "ensemble", "trained"]
    wide = logits.pivot(index=keys, columns="quantity", values="estimate").reset_index()
    wide = wide.reindex(columns=[*keys, "variance", "predicted", "variance_share"])
    before = wide[~wide["trained"].astype(bool)].set_index("ensemble")["predicted"]
    seeds = logits[logits["quantity"] == "variance"].set_index(["ensemble", "trained"])["networks"]
    of_row = pd.MultiIndex.from_frame(wide[["ensemble", "trained"]])
    return wide.assign(
        predicted_before=wide["ensemble"].map(before), seeds=seeds.reindex(of_row).to_numpy()
    )


def _rows(
    ensembles: pd.DataFrame, trained: bool, resampling: Resampling
) -> Iterator[dict[str, object]]:
    """The statistics of untrained, or of trained networks."""
    names = ensembles["ensemble"]
    with np.errstate(divide="ignore", invalid="ignore"):
        variance, predicted, before = (
            np.log(ensembles[key].astype(float)).replace([np.inf, -np.inf], np.nan)
            for key in ("variance", "predicted", "predicted_before")
        )
    ratio = variance - predicted
    there = ratio.notna()
    seeds = int(ensembles["seeds"].fillna(0).sum())
    row = mean_over_networks(ratio, names, resampling) | {"networks": seeds}
    if trained:
        row |= paired_contrast(
            ratio.abs(), (variance - before).abs(), names, resampling, name="over_untrained"
        )
    yield {"statistic": "variance_over_predicted"} | row
    found = relation(predicted[there], variance[there], names[there], pearson, resampling)
    yield {"statistic": "pearson_log_variance"} | found | {"networks": seeds}
    share = mean_over_networks(
        ensembles["variance_share"].astype(float), names, resampling, limits=SHARE
    )
    yield {"statistic": "variance_share"} | share | {"networks": seeds}

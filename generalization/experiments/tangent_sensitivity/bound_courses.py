"""Correlation of sensitivities with the generalization gap in the course of training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from jaxtyping import Float

from generalization.statistics.correlations import spearman
from generalization.statistics.estimates import (
    CORRELATION,
    ESTIMATE,
    groups,
    mean_over_networks,
    paired_contrast,
    table_of,
)
from generalization.statistics.resampling import Resampling
from generalization.statistics.selection import on_true_labels
from generalization.tables import NETWORK, with_networks

OVER_EPOCH = ["over_epoch", "over_epoch_low", "over_epoch_high"]
COLUMNS = ["dataset", "quantity", "measure", "statistic", *ESTIMATE, *OVER_EPOCH]
# Sensitivities of Eqs 5, 6 and 7, all logarithms.
MEASURES = ("log_norm", "log_maximal_test", "log_empirical_test")
CHANGES, LEVELS = "gap_change_spearman", "gap_level_spearman"
FEWEST_CHANGES = 5  # ASSUME: a correlation of fewer changes of a network says nothing.

Course = Float[np.ndarray, "steps"]


def bound_courses(
    train_test_sensitivity: pd.DataFrame, training: pd.DataFrame, *, resampling: Resampling
) -> pd.DataFrame:
    """Correlate sensitivities with the gap over the epochs of a network (Daróczy 2020, Fig. 3).

    The course of a network begins at its first kept step after step 0, which is an epoch where
    every one is kept, and ends at its last. The gap is test loss − train loss, or train accuracy −
    test accuracy. Of ln w, ln B at test inputs, and E at test inputs, see
    ``train_test_sensitivity``, the statistics of a network are Spearman's correlations

    ``gap_change_spearman``
        of changes between consecutive steps with those of the gap,
    ``gap_level_spearman``
        of values with the gap. Anything that grows in training goes with a gap that grows:
        ``over_epoch`` is the correlation less that of the step itself with the gap.

    Returns:
        One row per dataset, quantity (``loss``, ``accuracy``), measure and statistic: means over
        the networks on true labels, of all variants together, with the columns ``COLUMNS``.
        Networks with fewer than ``FEWEST_CHANGES`` changes, and correlations of what does not vary,
        do not count; ``note`` says so.
    """
    profile = train_test_sensitivity.reindex(columns=[*NETWORK, "step", *MEASURES])
    rows = with_networks(profile, training)
    courses = rows[(rows["step"] > 0) & on_true_labels(rows)].sort_values("step", kind="stable")
    keys = ["dataset", *NETWORK]
    found = pd.DataFrame(
        [about | row for about, course in groups(courses, keys) for row in _of_network(course)],
        columns=[*keys, "quantity", "measure", CHANGES, LEVELS, "epoch_spearman"],
    )
    table = [
        about | row
        for about, networks in groups(found, ["dataset", "quantity", "measure"])
        for row in _means(networks, resampling)
    ]
    return table_of(table, COLUMNS, resampling)


def _of_network(course: pd.DataFrame) -> Iterator[dict[str, object]]:
    """Correlations of one network, by quantity and measure."""
    gaps = {
        "loss": course["test_loss"] - course["train_loss"],
        "accuracy": course["train_accuracy"] - course["test_accuracy"],
    }
    for quantity, gap in gaps.items():
        for measure in MEASURES:
            values = course[measure].to_numpy(float)
            there = np.isfinite(values) & np.isfinite(gap.to_numpy(float))
            x, y = values[there], gap.to_numpy(float)[there]
            yield {
                "quantity": quantity,
                "measure": measure,
                CHANGES: _correlation(np.diff(x), np.diff(y)),
                LEVELS: _correlation(x, y),
                "epoch_spearman": _correlation(course["step"].to_numpy(float)[there], y),
            }


def _correlation(x: Course, y: Course) -> float:
    """Spearman's correlation over the steps of a network; NaN of too few."""
    if len(x) < FEWEST_CHANGES:
        return np.nan
    return float(spearman(np.ones((1, len(x))), x, y)[0])


def _means(networks: pd.DataFrame, resampling: Resampling) -> Iterator[dict[str, object]]:
    """Means over networks, each as a row."""
    ensembles = networks["ensemble"]
    for statistic in (CHANGES, LEVELS):
        mean = mean_over_networks(
            networks[statistic], ensembles, resampling, limits=CORRELATION, lacking="correlation"
        )
        row = {"statistic": statistic} | mean
        if statistic == LEVELS:
            row |= paired_contrast(
                networks[LEVELS],
                networks["epoch_spearman"],
                ensembles,
                resampling,
                name="over_epoch",
            )
        yield row

"""What clouds of noisy copies say: beside their closed form, and in the course of training."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import factorial
from typing import Any

import numpy as np
import pandas as pd

from generalization.experiments.noise_clouds.cloud_courses import CLOUD, VARIANTS, courses
from generalization.statistics.correlations import spearman
from generalization.statistics.estimates import (
    ESTIMATE,
    few_ensembles,
    groups,
    interval_over_networks,
    joined,
    means_of_columns,
    table_of,
)
from generalization.statistics.resampling import Resampling
from generalization.tables import swept_hyperparameters

RATIOS = (
    "measured_over_predicted",
    "noise_over_input",
    "noise_over_untrained",
    "s_1_first_change",
    "s_1_late_change",
    "settled_over_least_loss",
)
DIFFERENCES = ("ev_1_change", "ev_2_change", "ev_1_change_beyond_first")
CORRELATION = "settled_least_loss_spearman"
COLUMNS = [*CLOUD, "statistic", *ESTIMATE]


def noise_cloud_statistics(
    noise_clouds: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
) -> pd.DataFrame:
    """Claims of Graham, *From Generalization to Inner Activations*, as numbers.

    Of every network, with means over the images of all classes; ν = 1 − EV_1 is the share of noise,
    and networks count whether they have fitted or not. Geometric means over networks of ratios:

    ``measured_over_predicted``
        ν over its closed form for small noise, at the last step.
    ``noise_over_input``
        ν over that of the noisy copies themselves, at the last step: below 1 where a layer filters
        noise out.
    ``noise_over_untrained``
        ν at the last step over that at step 0.
    ``s_1_first_change``, ``s_1_late_change``
        s_1 at the first kept step after step 0 over that at step 0; at the last step over that at
        the step of the least test loss.
    ``settled_over_least_loss``
        Step at which EV_rest has settled over that of the least test loss, both plus 1: 1 where it
        settles when the test loss stops to fall.

    Means over networks of differences, of the last step to step 0: ``ev_1_change``,
    ``ev_2_change``, and ``ev_1_change_beyond_first``, that of a layer less that of the first. And
    ``settled_least_loss_spearman``, the rank correlation of these two steps over networks.

    Args:
        noise_clouds: Table of the profile of a study.
        training: Table of ``collect_training``.
        resampling: Settings of the intervals, of which the level counts.

    Returns:
        One row per dataset (and label corruption, randomization, architecture and depth, where the
        study sweeps over them), part, hidden layer, σ and statistic, with the columns ``COLUMNS``.
        What does not exist is empty; ``note`` says why.
    """
    swept = swept_hyperparameters(training)
    keys = ["dataset", *(key for key in VARIANTS if key in swept), *CLOUD]
    clouds = groups(courses(noise_clouds, training), keys, sort=True, dropna=False)
    rows = [about | row for about, networks in clouds for row in _of_clouds(networks, resampling)]
    return table_of(rows, [*keys, *COLUMNS[len(CLOUD) :]], resampling)


def _of_clouds(networks: pd.DataFrame, resampling: Resampling) -> Iterator[dict[str, Any]]:
    """All statistics of clouds that are alike but for their network."""
    columns = (*RATIOS, *DIFFERENCES)
    yield from means_of_columns(networks, columns, resampling, logarithms=RATIOS)
    yield {"statistic": CORRELATION} | _correlation(networks, resampling)


def _correlation(networks: pd.DataFrame, resampling: Resampling) -> dict[str, Any]:
    """Of the two steps, with its jackknife interval; none of steps that are all the same.

    Nor is there an interval of so few ensembles that any order of theirs is likely: two orders of n
    agree, or are opposite, by chance with probability 2 / n!.
    """
    steps = networks[["settled_step", "least_loss_step"]]
    there = networks[steps.notna().all(axis=1)]
    found = {"networks": len(there), "ensembles": there["ensemble"].nunique()}
    x, y = (there[key].to_numpy(float) for key in steps)
    if len(there) < 3 or len(set(x)) < 2 or len(set(y)) < 2:
        return found | {"note": "steps of too few networks differ"}
    few = few_ensembles(found["ensembles"])
    found |= interval_over_networks(
        partial(spearman, x=x, y=y), there["ensemble"], resampling, correlation=True
    )
    if 2 / factorial(found["ensembles"]) > 1 - resampling.level:
        found |= {"low": np.nan, "high": np.nan}
        few = joined("no interval: too few ensembles", few)
    return found | {"note": few}

"""Statistics of clouds of noisy copies: against their closed form, and over training."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from generalization.experiments.noise_clouds.cloud_courses import VARIANTS, courses
from generalization.statistics.correlations import spearman
from generalization.statistics.estimates import (
    INTERVAL,
    crossed_mean,
    few_ensembles,
    groups,
    interval_over_networks,
    joined,
    table_of,
)
from generalization.statistics.resampling import Resampling
from generalization.tables import NETWORK

RATIOS = (
    "measured_over_predicted",
    "noise_over_input",
    "noise_over_untrained",
    "s_1_first_change",
    "s_1_first_change_from_untrained",
    "s_1_late_change",
    "s_1_change_since_least_loss",
    "settled_over_converged",
    "settled_over_least_loss",
    "settled_over_least_loss_from_untrained",
)
OF_NETWORK = "accuracy_change"
DIFFERENCES = (
    OF_NETWORK,
    "ev_1_change",
    "ev_2_change",
    "ev_1_change_from_untrained",
    "ev_2_change_from_untrained",
    "ev_1_change_beyond_first",
    "s_1_volatility",
    "settled_beyond_first",
)
NO_LAYER = {"layer": np.nan, "kind": ""}
CORRELATION = "settled_least_loss_spearman"
# Statistics that do not need a network that was kept at the end of the first epoch.
WITHOUT_EPOCH = (
    "measured_over_predicted",
    "noise_over_input",
    "noise_over_untrained",
    OF_NETWORK,
    "s_1_change_since_least_loss",
)
KEYS = ["dataset", *VARIANTS, "part", "layer", "kind", "sigma"]
COLUMNS = [*KEYS, "statistic", *INTERVAL, "networks", "ensembles", "shared", "note"]


def noise_cloud_statistics(
    noise_clouds: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
) -> pd.DataFrame:
    """Claims of Graham, *From Generalization to Inner Activations*, as numbers.

    ν = 1 − EV_1 is the share of noise, and networks count whether they have fitted or not. As in
    the blog, each image is looked at by itself, and courses begin at the end of the first epoch and
    end at the last step; ``…_from_untrained`` begin at step 0. Losses have *converged* at the first
    epoch from which on train and test loss both stay within a tenth of their largest excursion from
    their last values. Geometric means over networks and images of ratios:

    ``measured_over_predicted``
        ν over its closed form for small noise, at the last step.
    ``noise_over_input``
        ν over that of the noisy copies themselves, at the last step: below 1 where a layer filters
        noise out.
    ``noise_over_untrained``
        ν at the last step over that at step 0.
    ``s_1_first_change``
        s_1 at the next kept step over that at the end of the first epoch.
    ``s_1_first_change_from_untrained``
        s_1 at the first kept step after step 0 over that at step 0.
    ``s_1_late_change``, ``s_1_change_since_least_loss``
        s_1 at the last step over that where losses have converged, and where the test loss is
        least.
    ``settled_over_converged``, ``settled_over_least_loss``
        Step at which EV_rest has settled over that where losses have converged, and where the test
        loss is least.
    ``settled_over_least_loss_from_untrained``
        The latter of courses from step 0, both steps plus 1.

    Means of differences:

    ``accuracy_change``
        Accuracy with noise σ less that at the same images without, at the last step; of the whole
        network, without a layer.
    ``ev_1_change``, ``ev_2_change`` and both ``…_from_untrained``
        Last value less the first one.
    ``ev_1_change_beyond_first``, ``settled_beyond_first``
        Change of EV_1, and ln of the step at which EV_rest has settled, of a layer less that of
        the first one.
    ``s_1_volatility``
        ln of the mean change of ln s_1 per epoch, without its sign, before losses have converged
        over that after it. Needs five epochs on each side.

    And ``settled_least_loss_spearman``, the rank correlation over networks of the step at which
    EV_rest has settled, its mean over images, with that of the least test loss.

    All networks see the same images: networks and images are two crossed samples, see
    ``crossed_mean``.

    Returns:
        One row per dataset, label corruption, randomization, architecture, depth, part, hidden
        layer (``kind``: whether its units are convolutions), σ and statistic, with the columns
        ``COLUMNS``; ``shared`` is the number of classes whose images count. What does not exist is
        empty; ``note`` says why.
    """
    found = courses(noise_clouds, training)
    keys = [key for key in KEYS if key in found]
    rows = [
        about | row | (NO_LAYER if row["statistic"] == OF_NETWORK else {})
        for about, clouds in groups(found, keys, sort=True, dropna=False)
        for row in _of_clouds(clouds, resampling)
        # All layers have the same accuracy.
        if row["statistic"] != OF_NETWORK or about["layer"] == found["layer"].min()
    ]
    return table_of(rows, COLUMNS, resampling)


def _of_clouds(clouds: pd.DataFrame, resampling: Resampling) -> Iterator[dict[str, Any]]:
    """All statistics of clouds that are alike but for their network and image."""
    wide = clouds.pivot(index=NETWORK, columns="class")
    ensembles = wide.index.get_level_values("ensemble").to_series()
    for name in (*RATIOS, *DIFFERENCES):
        scale = np.exp if name in RATIOS else np.asarray
        values = wide[name].to_numpy(float)
        row = crossed_mean(values, ensembles, resampling, scale=scale)
        yield {"statistic": name} | row | {"note": joined(row["note"], _lacking(clouds, name))}
    networks = clouds.groupby(NETWORK)[["settled_step", "least_loss_step"]].mean().reset_index()
    yield {"statistic": CORRELATION} | _correlation(networks, resampling)


def _lacking(clouds: pd.DataFrame, name: str) -> str:
    """Say of how many networks there is no course from the first epoch on."""
    if name in WITHOUT_EPOCH or name.endswith("_from_untrained"):
        return ""
    networks = clouds.drop_duplicates(NETWORK)
    lost = (networks["epoch_note"] != "").sum()
    return f"{lost} networks were not kept at the end of the first epoch" if lost else ""


def _correlation(networks: pd.DataFrame, resampling: Resampling) -> dict[str, Any]:
    """Rank correlation of the two steps; there is none of steps that are all the same."""
    steps = networks[["settled_step", "least_loss_step"]]
    there = networks[steps.notna().all(axis=1)]
    found = {"networks": len(there), "ensembles": there["ensemble"].nunique()}
    x, y = (there[key].to_numpy(float) for key in steps)
    if len(there) < 3 or len(set(x)) < 2 or len(set(y)) < 2:
        return found | {"note": "steps of too few networks differ"}
    correlation = partial(spearman, x=x, y=y)
    found |= interval_over_networks(correlation, there["ensemble"], resampling, correlation=True)
    return found | {"note": few_ensembles(found["ensembles"])}

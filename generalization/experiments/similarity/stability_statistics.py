"""How much longer stable directions of a layer persist than unstable ones."""

from __future__ import annotations

import numpy as np
import pandas as pd

from generalization.experiments.similarity.network_pairs import GENERALIZING, place, task
from generalization.experiments.similarity.stable_directions import (
    STABLE,
    UNSTABLE,
    reference_step,
)
from generalization.statistics.estimates import (
    CORRELATION,
    ESTIMATE,
    SHARE,
    groups,
    mean_over_networks,
    table_of,
)
from generalization.statistics.resampling import Resampling
from generalization.tables import NETWORK, with_networks

KEYS = ["dataset", "architecture", "depth", "layer"]
COLUMNS = [*KEYS, "place", "statistic", *ESTIMATE]
PHASES = ("earlier", "later")
DIFFERENCE = "stable_minus_unstable"


def stability_statistics(
    canonical_spectra: pd.DataFrame, training: pd.DataFrame, *, resampling: Resampling
) -> pd.DataFrame:
    """Compare the mean canonical correlations of layers with stable and with unstable directions.

    After Morcos, Raghu & Bengio 2018; see ``canonical_spectra``. The kept step at which directions
    were told apart counts nowhere. Correlations are averaged over the kept steps before it
    (``stable_earlier``, ``unstable_earlier``) and after it, without the last one (``stable_later``,
    ``unstable_later``); ``stable_minus_unstable_…`` are the differences, network by network.

    Returns:
        One row per dataset, architecture, depth, layer (weight layers from 0, the last are the
        logits) and statistic, over networks on true labels, with the columns ``COLUMNS``. What does
        not exist is empty; ``note`` says why.
    """
    means = means_of_networks(canonical_spectra, training)
    rows = [
        about
        | mean_over_networks(
            networks["mean"],
            networks["ensemble"],
            resampling,
            # Of a mean of correlations that are not negative, or of a difference of two.
            limits=CORRELATION if about["statistic"].startswith(DIFFERENCE) else SHARE,
            lacking="steps of this phase",
        )
        for about, networks in groups(means, [*KEYS, "statistic"])
    ]
    table = table_of(rows, COLUMNS, resampling)
    return table.assign(place=place(table["layer"], table["depth"]))


def means_of_networks(canonical_spectra: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Mean correlations of every network and layer with its directions, by phase of training.

    Returns:
        ``KEYS``, ensemble, seed, ``statistic`` and ``mean``.
    """
    rows = with_networks(one_row_each(canonical_spectra, STABLE, UNSTABLE), training)
    rows = rows[task(rows) == GENERALIZING]
    last = training[training["final"]].set_index(NETWORK)["step"]
    parts = []
    for network, steps in rows.groupby(NETWORK, sort=False):
        reference = reference_step(steps["step"], last[network])
        phase = np.select([steps["step"] < reference, steps["step"] > reference], PHASES, "")
        parts.append(steps.assign(phase=phase))
    columns = [*KEYS, *NETWORK, "statistic", "mean"]
    if not parts:
        return pd.DataFrame(columns=columns)
    courses = pd.concat(parts)
    courses = courses[courses["phase"] != ""]
    keys = [*KEYS, *NETWORK, "phase"]
    means = courses.pivot_table("mean", keys, "compared", aggfunc="mean")
    means[DIFFERENCE] = means[STABLE] - means[UNSTABLE]
    long = means.reset_index().melt(keys, [STABLE, UNSTABLE, DIFFERENCE], "kind", "mean")
    return long.assign(statistic=long["kind"] + "_" + long["phase"])[columns]


def one_row_each(canonical_spectra: pd.DataFrame, *compared: str) -> pd.DataFrame:
    """Return one row for all ranks of each comparison of these kinds."""
    rows = canonical_spectra[canonical_spectra["compared"].isin(compared)]
    return rows[rows["rank"] == 1]

"""Does the area under curves of ablation tell when to stop training?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from generalization.experiments.single_directions.curve_areas import GROUP, curve_areas
from generalization.statistics.correlations import spearman
from generalization.statistics.estimates import (
    ESTIMATE,
    groups,
    means_of_columns,
    paired_contrast,
    table_of,
)
from generalization.statistics.resampling import Resampling
from generalization.tables import NETWORK

STATISTICS = (
    "step_of_largest_area",
    "step_of_least_loss",
    "log2_ratio_of_steps",
    "area_against_loss",
    "log_loss_saved",
    "log_loss_left",
)
OVER_RANDOM = ["over_random_step", "over_random_step_low", "over_random_step_high"]
COLUMNS = [*GROUP, "label_corruption", "statistic", *ESTIMATE, *OVER_RANDOM]
FEWEST_STEPS = 5  # Kept after step 0, for a course to be seen.
GEOMETRIC = ["step_of_largest_area", "step_of_least_loss"]


def early_stopping(
    ablation_curves: pd.DataFrame,
    training: pd.DataFrame,
    *,
    resampling: Resampling,
) -> pd.DataFrame:
    """The area under curves of ablation over training, beside the test loss.

    Morcos et al. 2018 see the area turn down where the test loss departs from the training loss,
    and propose it as a signal to stop that needs no test set. Steps are those after 0 at which
    networks were kept; the areas are of all hidden units, set to zero. The statistics of a network:

    ``step_of_largest_area``, ``step_of_least_loss``, ``log2_ratio_of_steps``
        Where the area is largest, where the test loss is least, and how many times the former step
        has to be halved to be the latter.
    ``area_against_loss``
        Spearman's correlation of area and test loss over steps from the least test loss on. It is
        negative if the area falls while the loss rises.
    ``log_loss_saved``, ``log_loss_left``
        ln of the test loss at the last step over that at the largest area, and of that over the
        least one: what stopping there would save, and what it would miss. ``over_random_step`` and
        its interval are what the former saves beyond stopping at a random kept step, its mean over
        these steps.

    Returns:
        Means over networks (of steps, geometric ones), one row per dataset, normalization, dropout,
        label corruption and statistic, with the columns ``COLUMNS``, of networks with at least
        ``FEWEST_STEPS`` steps. Label corruption is empty where it is of all networks.
    """
    networks = courses(ablation_curves, training)
    networks[GEOMETRIC] = np.log(networks[GEOMETRIC].astype(float))
    rows = []
    for about, alike in groups(networks, GROUP, dropna=False):
        parts = [(np.nan, alike), *alike.groupby("label_corruption")]
        for corruption, some in parts if alike["label_corruption"].nunique() > 1 else parts[1:]:
            for row in means_of_columns(some, STATISTICS, resampling, logarithms=GEOMETRIC):
                if row["statistic"] == "log_loss_saved":
                    row |= paired_contrast(
                        some["log_loss_saved"],
                        some["saved_at_random"],
                        some["ensemble"],
                        resampling,
                        name="over_random_step",
                    )
                rows.append(about | {"label_corruption": corruption} | row)
    return table_of(rows, COLUMNS, resampling)


def courses(ablation_curves: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """The statistics of every network that was kept at enough steps.

    Returns:
        ensemble, seed, what ``GROUP`` names, label_corruption, one column per statistic, and
        ``saved_at_random``, what stopping at a random kept step would save.
    """
    areas = curve_areas(ablation_curves, training)
    areas = areas[(areas["layer"] == "all") & (areas["mode"] == "zero") & (areas["step"] > 0)]
    keys = [*NETWORK, *GROUP, "label_corruption"]
    found = [
        network | _of_network(steps.sort_values("step", kind="stable"))
        for network, steps in groups(areas.dropna(subset="test_loss"), keys, dropna=False)
        if len(steps) >= FEWEST_STEPS
    ]
    return pd.DataFrame(found, columns=None if found else [*keys, *STATISTICS, "saved_at_random"])


def _of_network(course: pd.DataFrame) -> dict[str, float]:
    """All statistics of one network."""
    step, area, loss = (course[key].to_numpy(float) for key in ("step", "area", "test_loss"))
    # Of equal areas the first is the one at which one would have stopped.
    largest, least = area.argmax(), loss.argmin()
    later = area[least:], loss[least:]
    return {
        "step_of_largest_area": step[largest],
        "step_of_least_loss": step[least],
        "log2_ratio_of_steps": np.log2(step[largest] / step[least]),
        "area_against_loss": spearman(np.ones((1, len(later[0]))), *later)[0],
        "log_loss_saved": np.log(loss[-1] / loss[largest]),
        "log_loss_left": np.log(loss[largest] / loss[least]),
        "saved_at_random": np.log(loss[-1] / loss).mean(),
    }

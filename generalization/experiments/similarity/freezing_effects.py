"""What freezing layers from the bottom up saves, and what it does to accuracy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from generalization.experiments.similarity.freezing_courses import COLUMNS as OF_COURSES
from generalization.experiments.similarity.freezing_courses import FREEZING
from generalization.statistics.estimates import ESTIMATE, groups, mean_over_networks, table_of
from generalization.statistics.resampling import Resampling
from generalization.tables import NETWORK

KEYS = ["dataset", "architecture", "depth", "freeze_until"]
COLUMNS = [*KEYS, "statistic", *ESTIMATE]


def freezing_effects(freezing_courses: pd.DataFrame, *, resampling: Resampling) -> pd.DataFrame:
    """Compare networks whose layers were frozen with those that learned in all layers.

    After freeze training of Raghu et al. 2017. Networks of one setting share everything but the
    freezing of layers and their seeds; a setting counts with the means over its networks:

    ``cost_ratio``
        FLOPs of the whole training with frozen layers over those without.
    ``accuracy_gain``
        Test accuracy at the last step with frozen layers, less that without.
    ``accuracy_gain_at_equal_cost``
        The same, less that of training without frozen layers when it had cost as much; between
        steps at which networks were evaluated, accuracy is interpolated along ln FLOPs.

    Args:
        freezing_courses: Accuracy and cost of networks at evaluated steps.

    Returns:
        One row per dataset, architecture, depth, ``freeze_until`` and statistic, with the columns
        ``COLUMNS``: means over settings, which are the units of their t intervals and are counted
        as ``ensembles``; of ratios they are geometric.
    """
    keys = [key for key in freezing_courses if key not in OF_COURSES]
    settings = pd.DataFrame(
        [
            about | row
            for about, alike in groups(freezing_courses, keys, dropna=False)
            for row in _of_setting(alike)
        ],
        columns=[*keys, "freeze_until", "statistic", "value", "networks"],
    ).assign(setting=lambda table: table.groupby(keys, dropna=False).ngroup())
    rows = [
        about | _mean(about["statistic"], alike, resampling)
        for about, alike in groups(settings, [*KEYS, "statistic"])
    ]
    return table_of(rows, COLUMNS, resampling)


def _of_setting(alike: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Statistics of one setting, for every way in which its layers are frozen."""
    whole = alike[alike["freeze_layers"] == "none"]
    ends = whole[whole["final"]]
    for about, frozen in groups(alike[alike["freeze_layers"] != "none"], FREEZING[1:]):
        last = frozen[frozen["final"]]
        accuracy, cost = last["test_accuracy"].mean(), last["flops"].mean()
        as_dear = [
            np.interp(np.log(cost), np.log(course["flops"]), course["test_accuracy"])
            for _, course in whole[whole["step"] > 0]
            .sort_values("step", kind="stable")
            .groupby(NETWORK)
        ]
        values = {
            "cost_ratio": cost / ends["flops"].mean(),
            "accuracy_gain": accuracy - ends["test_accuracy"].mean(),
            "accuracy_gain_at_equal_cost": accuracy - np.mean(as_dear),
        }
        for statistic, value in values.items():
            found = {"statistic": statistic, "value": value, "networks": len(last) + len(ends)}
            yield about | found


def _mean(statistic: str, settings: pd.DataFrame, resampling: Resampling) -> dict[str, Any]:
    """Mean over settings, with the number of networks that they hold."""
    values, scale = settings["value"].astype(float), np.asarray
    if statistic == "cost_ratio":
        values, scale = np.log(values), np.exp
    found = mean_over_networks(values, settings["setting"], resampling, scale=scale)
    return found | {"networks": int(settings["networks"].sum())}

"""Clouds of noisy copies in the course of training, one row per network and cloud."""

from __future__ import annotations

import numpy as np
import pandas as pd

from generalization.statistics.estimates import groups
from generalization.tables import KEPT_NETWORK, NETWORK, with_networks

CLOUD = ["part", "layer", "sigma"]
# What stays apart beside the dataset, if a study sweeps over it.
VARIANTS = ("label_corruption", "randomization", "architecture", "depth")
# ASSUME: a course has settled when it has gone nine tenths of its largest excursion from step 0.
SETTLED = 0.9


def mean_over_classes(noise_clouds: pd.DataFrame) -> pd.DataFrame:
    """Every quantity of ``noise_clouds``, a row per network, step, part, layer and σ.

    Args:
        noise_clouds: Table of the profile of a study.

    Returns:
        Means over classes, and ``noise``, 1 − EV_1.
    """
    keys = [*KEPT_NETWORK, *CLOUD]
    means = noise_clouds.drop(columns="class").groupby(keys, as_index=False).mean()
    return means.assign(noise=means["ev_2"] + means["ev_rest"])


def courses(noise_clouds: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """What happens to each cloud of each network in the course of training.

    Args:
        noise_clouds: Table of the profile of a study.
        training: Table of ``collect_training``.

    Returns:
        ensemble, seed, dataset and ``VARIANTS``, ``part``, hidden ``layer``, ``sigma``,
        the steps at which ``ev_rest`` settles and at which the test loss is least, and the columns
        that ``of_course`` gives; ``ev_1_change_beyond_first``, the change of a layer less that of
        the first hidden layer. What needs step 0, a loss, or a layer below, and has none is NaN.
    """
    means = mean_over_classes(noise_clouds)
    at_input = means.loc[means["layer"] == 0, [*KEPT_NETWORK, "part", "sigma", "noise"]]
    means = means[means["layer"] > 0].merge(
        at_input, on=[*KEPT_NETWORK, "part", "sigma"], suffixes=("", "_at_input")
    )
    rows = with_networks(means, training).sort_values("step")
    there = [key for key in ("dataset", *VARIANTS) if key in rows]
    keys = [*NETWORK, *there, *CLOUD]
    found = [
        about | of_course(course) for about, course in groups(rows, keys, sort=True, dropna=False)
    ]
    table = pd.DataFrame(found, columns=None if found else keys)
    return _beyond_first(table) if found else table


def _beyond_first(table: pd.DataFrame) -> pd.DataFrame:
    same = [*NETWORK, "part", "sigma"]
    first = table[table["layer"] == 1].set_index(same)["ev_1_change"]
    of_first = first.reindex(pd.MultiIndex.from_frame(table[same])).to_numpy()
    change = (table["ev_1_change"] - of_first).where(table["layer"] > 1)
    return table.assign(ev_1_change_beyond_first=change)


def of_course(course: pd.DataFrame) -> dict[str, float]:
    """The numbers of one cloud; changes of ``noise``, ``s_1`` and of ratios are of logarithms.

    Args:
        course: Rows of one network, part, layer and σ, by step.
    """
    first, last = course.iloc[0], course.iloc[-1]
    untrained = first if first["step"] == 0 else None
    after_first_epoch = course.iloc[1] if len(course) > 1 and untrained is not None else None
    least = course.loc[course["test_loss"].idxmin()] if course["test_loss"].notna().any() else None
    settled = _settled(course)
    return {
        "settled_step": settled,
        "least_loss_step": np.nan if least is None else least["step"],
        "measured_over_predicted": _log_ratio(last["noise"], last["predicted_noise"]),
        "noise_over_input": _log_ratio(last["noise"], last["noise_at_input"]),
        "noise_over_untrained": _change(untrained, last, "noise"),
        "ev_1_change": np.nan if untrained is None else last["ev_1"] - untrained["ev_1"],
        "ev_2_change": np.nan if untrained is None else last["ev_2"] - untrained["ev_2"],
        "s_1_first_change": _change(untrained, after_first_epoch, "s_1"),
        "s_1_late_change": _change(least, last, "s_1"),
        "settled_over_least_loss": (
            np.nan if least is None else np.log1p(settled) - np.log1p(least["step"])
        ),
    }


def _settled(course: pd.DataFrame) -> float:
    """First step at which ``ev_rest`` has gone ``SETTLED`` of its largest excursion from step 0."""
    if course["step"].iloc[0] > 0 or len(course) < 2:
        return np.nan
    excursion = (course["ev_rest"] - course["ev_rest"].iloc[0]).abs()
    gone = excursion >= SETTLED * excursion.max()
    return float(course.loc[gone.idxmax(), "step"]) if excursion.max() > 0 else np.nan


def _change(before: pd.Series | None, after: pd.Series | None, quantity: str) -> float:
    """Of the logarithm; NaN without both, and of one and the same step."""
    if before is None or after is None or before["step"] == after["step"]:
        return np.nan
    return _log_ratio(after[quantity], before[quantity])


def _log_ratio(above: float, below: float) -> float:
    return float(np.log(above / below)) if above > 0 and below > 0 else np.nan

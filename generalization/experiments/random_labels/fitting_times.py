"""How long networks take to fit random data, relative to true labels, and what they get wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from generalization.statistics.estimates import (
    INTERVAL,
    groups,
    joined,
    mean_over_networks,
    table_of,
)
from generalization.statistics.resampling import Resampling
from generalization.tables import NETWORK, swept_hyperparameters

COLUMNS = [
    "randomization",
    "label_corruption",
    "statistic",
    *INTERVAL,
    "networks",
    "ensembles",
    "fitted",
    "note",
]
# Statistics of which means over settings are geometric.
RATIOS = (
    "fitting_step",
    "starting_step",
    "over_true_labels",
    "over_true_labels_at_least",
    "over_random_labels",
    "start_over_true_labels",
    "test_error_over_chance",
)
# Those that have no interval where a network has not fitted: the time may be any.
OF_FITTED = ("fitting_step", "over_true_labels", "over_random_labels")
# By which networks of one architecture on one dataset may differ.
OF_DATA = ("randomization", "label_corruption", "dataset", "max_steps", "kept_steps")
# ASSUME: training has started when the train accuracy is 0.1 above chance.
STARTED = 0.1
TRUE, RANDOM_LABELS = ("none", 0.0), ("random_labels", 1.0)

Values = Float[np.ndarray, "networks"]
Draws = Float[np.ndarray, "resamples"]


def fitting_times(
    training: pd.DataFrame,
    fitting: Mapping[str, float],
    classes: Mapping[str, int],
    *,
    resampling: Resampling,
) -> pd.DataFrame:
    """Times to fit and errors by what is randomized (Zhang et al. 2017, §2, Fig. 1).

    A network has fitted at the step at which its train accuracy reaches ``accuracy``, see
    ``steps_to_fit``. The statistics of networks that are alike but for their seed:

    ``fitting_step``
        Geometric mean over networks that have fitted.
    ``over_true_labels``, ``over_random_labels``
        That over the same of true labels, and of random ones.
    ``over_true_labels_at_least``
        The former with networks that have not fitted counted as if they had at their last step.
    ``starting_step``, ``start_over_true_labels``
        The same of the step at which the train accuracy is 0.1 above that of chance.
    ``train_error``, ``test_error``
        Means over all networks of 1 − accuracy at the last step; test labels are the true ones.
    ``test_error_over_chance``
        The latter over 1 − 1/K, that of K classes told at random.

    and of networks that are alike but for seed and label corruption, random labels being 1:

    ``rise_a_b``
        The difference of the mean test error between neighboring label corruptions a and b.
    ``least_rise``
        The difference whose interval begins lowest, with as many settings as the fewest of all
        differences have: the test error rises steadily if it is positive (intersection–union test).

    Settings are what networks of different data share: architecture, width, depth, training. Each
    has rows of its own, of one ensemble a kind, with intervals over seeds. The rows of a dataset
    are means over its settings, which are the units of their t intervals.

    Args:
        fitting: ``accuracy``, the train accuracy that counts as fitted.
        resampling: Bootstrap of the seeds of what is compared.

    Returns:
        One row per dataset and architecture (what else the study sweeps over), ``randomization``,
        ``label_corruption`` and statistic, with the columns ``COLUMNS``. ``fitted`` counts networks
        that have. Of those that have not the time is not known: a note says how many there are,
        times are then too short, and means over settings have no interval. ``ensembles`` is 1 in
        rows of a setting, and the number of settings in rows of a dataset, in which columns of
        settings are empty.
    """
    keys = architecture_keys(training)
    networks = steps_to_fit(training, fitting["accuracy"])
    networks["classes"] = networks["dataset"].map(classes)
    networks["starting_step"] = _steps_to(training, networks, 1 / networks["classes"] + STARTED)
    rows = [
        about | row
        for about, alike in groups(networks, keys, sort=True, dropna=False)
        for row in _of_architecture(alike, resampling)
    ]
    rows += list(_over_settings(rows, resampling))
    return table_of(rows, [*keys, *COLUMNS], resampling)


def _over_settings(rows: list[dict[str, Any]], resampling: Resampling) -> Iterator[dict[str, Any]]:
    """Means over the settings of every dataset, where there are several."""
    keys = ["dataset", "randomization", "label_corruption", "statistic"]
    columns = [*keys, "estimate", "networks", "fitted"]
    table = pd.DataFrame(rows, columns=columns).assign(setting=range(len(rows)))
    # The mean of least rises is less than the least mean rise.
    table = table[table["statistic"] != "least_rise"]
    rises: dict[str, list[dict[str, Any]]] = {}
    for about, settings in groups(table, keys, dropna=False):
        found = rows[settings["setting"].iloc[0]]
        if len(settings) > 1:
            found = about | _mean_over_settings(about["statistic"], settings, resampling)
            yield found
        if about["statistic"].startswith("rise_"):
            rises.setdefault(about["dataset"], []).append(found)
    for found in rises.values():
        # What one setting alone has is in its own rows.
        if any(row["ensembles"] > 1 for row in found):
            least = next(_least_rise(_between_neighbors(found)))
            yield {key: least[key] for key in ("dataset", *COLUMNS) if key in least}


def _between_neighbors(rises: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rises without those of settings that lack a level which others have between both."""
    ends = [tuple(map(float, row["statistic"].split("_")[1:])) for row in rises]
    neighbors = set(pairwise(sorted({level for both in ends for level in both})))
    return [row for row, both in zip(rises, ends, strict=True) if both in neighbors]


def _least_rise(rises: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rise whose interval begins lowest, on as many settings as the fewest of all have."""
    if rises:
        lows = [row["low"] if np.isfinite(row["low"]) else row["estimate"] for row in rises]
        fewest = min(row["ensembles"] for row in rises)
        yield rises[int(np.argmin(lows))] | {"statistic": "least_rise", "ensembles": fewest}


def _mean_over_settings(
    statistic: str, settings: pd.DataFrame, resampling: Resampling
) -> dict[str, Any]:
    """Mean of one statistic, geometric of ratios; without interval if its times are not known."""
    values, scale = settings["estimate"].astype(float), np.asarray
    if statistic in RATIOS:
        values, scale = np.log(values), np.exp
    found = mean_over_networks(values, settings["setting"], resampling, scale=scale)
    found |= {"networks": settings["networks"].sum()}
    if not statistic.startswith("rise_"):
        found |= {"fitted": settings["fitted"].sum()}
        lost = int(found["networks"] - found["fitted"])
        if lost and statistic in OF_FITTED:
            note = f"{lost} of {found['networks']} networks have not fitted"
            found |= {"low": np.nan, "high": np.nan, "note": joined(found["note"], note)}
    return found


def architecture_keys(training: pd.DataFrame) -> list[str]:
    """What networks are compared within: the dataset, and hyper-parameters not of the data."""
    return ["dataset", *(key for key in swept_hyperparameters(training) if key not in OF_DATA)]


def steps_to_fit(training: pd.DataFrame, accuracy: float) -> pd.DataFrame:
    """Every network at its last step, with the step at which it fitted.

    Networks are evaluated at some steps only: powers of two, kept steps, the last one. Between the
    first of these with the accuracy and the one before, the accuracy is interpolated along ln(1 +
    step). Random labels count as label corruption 1.

    Args:
        accuracy: On the training set.

    Returns:
        The rows of ``training`` that are final, with ``fitting_step``, NaN of networks that have
        not fitted.
    """
    final = training[training["final"]].sort_values([*NETWORK, "step"])
    random_labels = final["randomization"] == "random_labels"
    return final.assign(
        fitting_step=_steps_to(training, final, pd.Series(accuracy, final.index)),
        label_corruption=final["label_corruption"].mask(random_labels, 1.0),
    )


def _steps_to(training: pd.DataFrame, final: pd.DataFrame, accuracies: pd.Series) -> list[float]:
    """Of every network at its last step, the step at which it reached an accuracy of its own."""
    courses = dict(list(training.sort_values("step").groupby(NETWORK)))
    networks = final[NETWORK].itertuples(index=False, name=None)
    return [
        _step_to_fit(courses[network], accuracy)
        for network, accuracy in zip(networks, accuracies, strict=True)
    ]


def _step_to_fit(course: pd.DataFrame, accuracy: float) -> float:
    """Of the rows of one network, by step."""
    reached = course["train_accuracy"].to_numpy() >= accuracy
    if not reached.any():
        return np.nan
    first = int(reached.argmax())
    if first == 0:
        return float(course["step"].iloc[0])
    around = course.iloc[first - 1 : first + 1]
    return float(np.expm1(np.interp(accuracy, around["train_accuracy"], np.log1p(around["step"]))))


def _of_architecture(networks: pd.DataFrame, resampling: Resampling) -> Iterator[dict[str, Any]]:
    """All rows of one dataset and architecture."""
    kinds = dict(list(networks.groupby(["randomization", "label_corruption"], sort=False)))
    columns = {
        kind: {
            "time": np.log(alike["fitting_step"].dropna().to_numpy(float)),
            "time_at_least": np.log(
                alike["fitting_step"].fillna(alike["step"]).clip(lower=1).to_numpy(float)
            ),
            # Some have started before the first step.
            "start": np.log(alike["starting_step"].dropna().clip(lower=1).to_numpy(float)),
            "train_error": 1 - alike["train_accuracy"].to_numpy(float),
            "test_error": 1 - alike["test_accuracy"].to_numpy(float),
        }
        for kind, alike in kinds.items()
    }
    chance = 1 - 1 / networks["classes"].iloc[0]
    # Each with draws of its own: networks of different ensembles have no seed in common.
    draws = {
        kind: {name: _means(values, place, resampling) for name, values in by_name.items()}
        for place, (kind, by_name) in enumerate(columns.items())
    }
    for kind, of_kind in draws.items():
        fitted = len(columns[kind]["time"])
        about = {
            **dict(zip(("randomization", "label_corruption"), kind, strict=True)),
            "networks": len(kinds[kind]),
            "ensembles": 1,
            "fitted": fitted,
            "note": _note(kinds[kind], fitted),
        }
        found = {
            "fitting_step": np.exp(of_kind["time"]),
            "starting_step": np.exp(of_kind["start"]),
        }
        for name, other in (("over_true_labels", TRUE), ("over_random_labels", RANDOM_LABELS)):
            if other in draws and kind != other:
                found[name] = np.exp(of_kind["time"] - draws[other]["time"])
        if TRUE in draws and kind != TRUE:
            later = of_kind["time_at_least"] - draws[TRUE]["time_at_least"]
            found["over_true_labels_at_least"] = np.exp(later)
            found["start_over_true_labels"] = np.exp(of_kind["start"] - draws[TRUE]["start"])
        found |= {name: of_kind[name] for name in ("train_error", "test_error")}
        found["test_error_over_chance"] = of_kind["test_error"] / chance
        for statistic, values in found.items():
            yield {**about, "statistic": statistic, **_summary(values, resampling)}
    levels = sorted((corruption, name) for name, corruption in draws if _is_label_noise(name))
    rises = []
    for (low, below), (high, above) in pairwise(levels):
        rise = draws[above, high]["test_error"] - draws[below, low]["test_error"]
        rises.append({
            "statistic": f"rise_{low:g}_{high:g}",
            **_summary(rise, resampling),
            "networks": len(kinds[below, low]) + len(kinds[above, high]),
            "ensembles": 1,
        })
    yield from (*rises, *_least_rise(rises))


def _is_label_noise(randomization: str) -> bool:
    return randomization in ("none", "random_labels")


def _means(values: Values, place: int, resampling: Resampling) -> Draws:
    """The mean, and then means of resamples; NaN of no value, and no resamples of one."""
    draws = np.full(1 + resampling.resamples, np.nan)
    if len(values):
        draws[0] = values.mean()
    if len(values) > 1:
        size = (resampling.resamples, len(values))
        chosen = resampling.stream(place).integers(len(values), size=size)
        draws[1:] = values[chosen].mean(axis=1)
    return draws


def _summary(draws: Draws, resampling: Resampling) -> dict[str, float]:
    """Estimate and percentile interval."""
    return {"estimate": draws[0]} | resampling.interval(draws[1:])


def _note(networks: pd.DataFrame, fitted: int) -> str:
    lost = len(networks) - fitted
    unfitted = f"{lost} of {len(networks)} networks have not fitted" if lost else ""
    alone = "no interval of one network" if len(networks) == 1 else ""
    return joined(unfitted, alone)

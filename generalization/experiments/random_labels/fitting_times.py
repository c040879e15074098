"""How long networks take to fit random data, relative to true labels, and what they get wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from generalization.statistics.estimates import (
    INTERVAL,
    SHARE,
    Error,
    Limits,
    error_of_mean,
    groups,
    joined,
    mean_over_networks,
    t_interval,
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
# Shares, whose intervals stay between 0 and 1 and have a width where all settings agree.
SHARES = ("train_error", "test_error", "fitted_share")
# Those that have no interval where a network has not fitted: the time may be any.
OF_FITTED = ("fitting_step", "over_true_labels", "over_random_labels")
# By which networks of one architecture on one dataset may differ.
OF_DATA = ("randomization", "label_corruption", "dataset", "max_steps", "kept_steps")
# ASSUME: training has started when the train accuracy is 0.1 above chance.
STARTED = 0.1
TRUE, RANDOM_LABELS = ("none", 0.0), ("random_labels", 1.0)

# Geometric means → logarithms that they are of.
OF_LOGARITHMS = {"fitting_step": "time", "starting_step": "start"}

Values = Float[np.ndarray, "networks"]
Kind = tuple[str, float]
Mean = tuple[float, Error]
Scale = Callable[[np.ndarray], np.ndarray]


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
    ``fitted_share``
        Share of networks whose train accuracy is at least ``accuracy`` at the last step.
    ``test_error_over_chance``
        The latter over 1 − 1/K, that of K classes told at random.

    and of networks that are alike but for seed and label corruption, random labels being 1:

    ``rise_a_b``
        The difference of the mean test error between neighboring label corruptions a and b.
    ``least_rise``
        The difference whose interval begins lowest, with as many settings as the fewest of all
        differences have: the test error rises steadily if it is positive (intersection–union test).

    Settings are what networks of different data share: architecture, width, depth, training. Each
    has rows of its own, of one ensemble a kind. Their t intervals tell of other seeds of that
    setting, with the degrees of freedom of Satterthwaite where two kinds are compared, and of no
    other setting: no verdict rests on them. The rows of a dataset are means over its settings,
    which are the units of their t intervals.

    Args:
        fitting: ``accuracy``, the train accuracy that counts as fitted.

    Returns:
        One row per dataset and architecture (what else the study sweeps over), ``randomization``,
        ``label_corruption`` and statistic, with the columns ``COLUMNS``. ``fitted`` counts networks
        that have. Of those that have not the time is not known: a note says how many there are,
        times are then too short, and have no interval. ``ensembles`` is 1 in
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
        for row in _of_architecture(alike, fitting["accuracy"], resampling)
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
    limits = SHARE if statistic in SHARES else None
    found = mean_over_networks(values, settings["setting"], resampling, scale=scale, limits=limits)
    found |= {"networks": settings["networks"].sum()}
    if not statistic.startswith("rise_"):
        found |= {"fitted": settings["fitted"].sum()}
        lost = int(found["networks"] - found["fitted"])
        if lost and statistic in OF_FITTED:
            note = f"{lost} of {found['networks']} networks have not fitted"
            found |= {"low": np.nan, "high": np.nan, "note": joined(found["note"], note)}
    return found


def architecture_keys(training: pd.DataFrame) -> list[str]:
    """Columns within which networks are compared: dataset and architecture, not labels."""
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
    """Step at which every network reached its own target accuracy."""
    courses = dict(list(training.sort_values("step", kind="stable").groupby(NETWORK)))
    networks = final[NETWORK].itertuples(index=False, name=None)
    return [
        _step_to_fit(courses[network], accuracy)
        for network, accuracy in zip(networks, accuracies, strict=True)
    ]


def _step_to_fit(course: pd.DataFrame, accuracy: float) -> float:
    """Step at which one network reached an accuracy; its rows are sorted by step."""
    reached = course["train_accuracy"].to_numpy() >= accuracy
    if not reached.any():
        return np.nan
    first = int(reached.argmax())
    if first == 0:
        return float(course["step"].iloc[0])
    around = course.iloc[first - 1 : first + 1]
    return float(np.expm1(np.interp(accuracy, around["train_accuracy"], np.log1p(around["step"]))))


def _of_architecture(
    networks: pd.DataFrame, accuracy: float, resampling: Resampling
) -> Iterator[dict[str, Any]]:
    """All rows of one dataset and architecture."""
    kinds = dict(list(networks.groupby(["randomization", "label_corruption"], sort=False)))
    means = {kind: _means(alike, accuracy) for kind, alike in kinds.items()}
    chance = 1 - 1 / networks["classes"].iloc[0]
    for kind, alike in kinds.items():
        fitted = int(alike["fitting_step"].notna().sum())
        about = {
            **dict(zip(("randomization", "label_corruption"), kind, strict=True)),
            "networks": len(alike),
            "ensembles": 1,
            "fitted": fitted,
            "note": _note(alike, fitted),
        }
        for statistic, (of_both, scale) in _statistics(kind, means, chance).items():
            limits = SHARE if statistic in SHARES else None
            found = _difference(*of_both, level=resampling.level, scale=scale, limits=limits)
            unknown = not about["note"] and np.isnan(found["low"])
            lacking = {"note": "not all times of what it is compared with are known"}
            yield {**about, "statistic": statistic, **found} | (lacking if unknown else {})
    levels = sorted((corruption, name) for name, corruption in kinds if _is_label_noise(name))
    rises = []
    for (low, below), (high, above) in pairwise(levels):
        of_both = means[above, high]["test_error"], means[below, low]["test_error"]
        rises.append({
            "statistic": f"rise_{low:g}_{high:g}",
            **_difference(*of_both, level=resampling.level),
            "networks": len(kinds[below, low]) + len(kinds[above, high]),
            "ensembles": 1,
        })
    yield from (*rises, *_least_rise(rises))


def _statistics(
    kind: Kind, means: Mapping[Kind, Mapping[str, Mean]], chance: float
) -> dict[str, tuple[tuple[Mean, ...], Scale]]:
    """Statistic → the mean that it is of, that which is subtracted, if any, and its scale."""
    own = means[kind]
    found = {name: ((own[mean],), np.exp) for name, mean in OF_LOGARITHMS.items()}
    for name, other in (("over_true_labels", TRUE), ("over_random_labels", RANDOM_LABELS)):
        if other in means and kind != other:
            found[name] = (own["time"], means[other]["time"]), np.exp
    if TRUE in means and kind != TRUE:
        true = means[TRUE]
        later = own["time_at_least"], true["time_at_least"]
        found["over_true_labels_at_least"] = later, np.exp
        found["start_over_true_labels"] = (own["start"], true["start"]), np.exp
    found |= {name: ((own[name],), np.asarray) for name in SHARES}
    found["test_error_over_chance"] = (own["test_error"],), lambda error: error / chance
    return found


def _is_label_noise(randomization: str) -> bool:
    return randomization in ("none", "random_labels")


def _means(networks: pd.DataFrame, accuracy: float) -> dict[str, Mean]:
    """Means over the seeds of one setting and kind of data, of times their logarithms."""
    columns = {
        "time": np.log(networks["fitting_step"]),
        "time_at_least": np.log(networks["fitting_step"].fillna(networks["step"]).clip(lower=1)),
        # Some have started before the first step.
        "start": np.log(networks["starting_step"].clip(lower=1)),
        "train_error": 1 - networks["train_accuracy"],
        "test_error": 1 - networks["test_accuracy"],
        "fitted_share": networks["train_accuracy"] >= accuracy,
    }
    return {name: _mean(values.to_numpy(float)) for name, values in columns.items()}


def _mean(values: Values) -> Mean:
    """Mean of what is known, with its squared error, NaN if the time of a network is not known."""
    known = values[~np.isnan(values)]
    square, free = error_of_mean(known)
    complete = len(known) == len(values)
    return (known.mean() if len(known) else np.nan), (square if complete else np.nan, free)


def _difference(
    mean: Mean,
    *less: Mean,
    level: float,
    scale: Scale = np.asarray,
    limits: Limits | None = None,
) -> dict[str, float]:
    """One mean, less another if there is one: the seeds of both are independent samples."""
    estimate = mean[0] - sum(other for other, _ in less)
    errors = [error for _, error in (mean, *less)]
    return t_interval(estimate, errors, level=level, scale=scale, limits=limits)


def _note(networks: pd.DataFrame, fitted: int) -> str:
    lost = len(networks) - fitted
    unfitted = f"{lost} of {len(networks)} networks have not fitted" if lost else ""
    alone = "no interval of one network" if len(networks) == 1 else ""
    return joined(unfitted, alone)

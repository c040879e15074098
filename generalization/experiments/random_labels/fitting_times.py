"""How long networks take to fit random data, relative to true labels, and what they get wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from generalization.statistics.estimates import (
    INTERVAL,
    error_of_mean,
    few_ensembles,
    groups,
    joined,
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
# By which networks of one architecture on one dataset may differ.
OF_DATA = ("randomization", "label_corruption", "dataset", "max_steps", "kept_steps")
# ASSUME: training has started when the train accuracy is 0.1 above chance.
STARTED = 0.1
TRUE, RANDOM_LABELS = ("none", 0.0), ("random_labels", 1.0)

RISE = "least_rise"
LOGARITHMS = (
    "fitting_step",
    "starting_step",
    "over_true_labels",
    "over_random_labels",
    "start_over_true_labels",
)
SHARES = ("train_error", "test_error")


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
    ``starting_step``, ``start_over_true_labels``
        The same of the step at which the train accuracy is 0.1 above that of chance.
    ``train_error``, ``test_error``
        Means over all networks of 1 − accuracy at the last step; test labels are the true ones.
    ``test_error_over_chance``
        The latter over 1 − 1/K, that of K classes told at random.

    and of networks that are alike but for seed and label corruption, random labels being 1:

    ``least_rise``
        The least difference of the mean test error between neighboring label corruptions, positive
        if it rises steadily. Over architectures, the mean difference whose interval ends lowest:
        the error rises steadily if that one is above 0.

    Args:
        training: Table of ``collect_training``.
        fitting: ``accuracy``, the train accuracy that counts as fitted.
        classes: Dataset → number of classes.
        resampling: Settings of the intervals, of which the level counts.

    Returns:
        One row per dataset and architecture (what else the study sweeps over), ``randomization``,
        ``label_corruption`` and statistic, without interval: seeds of one ensemble tell nothing of
        others. Where a dataset has several architectures, then the same of all of them, with the
        architecture empty: the mean over architectures, each of which counts as one ensemble, and
        its t interval. Columns ``COLUMNS``; ``fitted`` counts networks
        that have. Of those that have not the time is not known: a note says how many there are, and
        times are then too short.
    """
    keys = architecture_keys(training)
    networks = steps_to_fit(training, fitting["accuracy"])
    networks["classes"] = networks["dataset"].map(classes)
    networks["starting_step"] = _steps_to(training, networks, 1 / networks["classes"] + STARTED)
    rows = []
    for dataset, of_dataset in groups(networks, ["dataset"], sort=True):
        architectures = [
            (about, list(_of_architecture(alike)))
            for about, alike in groups(of_dataset, keys, sort=True, dropna=False)
        ]
        for about, found in architectures:
            rows += [about | _over_architectures([row], resampling) for row in found]
        if len(architectures) > 1:
            together: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
            for row in (row for _, found in architectures for row in found):
                kind = row.get("randomization"), row.get("label_corruption")
                together.setdefault((*kind, row["statistic"]), []).append(row)
            rows += [dataset | _over_architectures(some, resampling) for some in together.values()]
    return table_of(rows, [*keys, *COLUMNS], resampling)


def architecture_keys(training: pd.DataFrame) -> list[str]:
    """What networks are compared within: the dataset, and hyper-parameters not of the data."""
    return ["dataset", *(key for key in swept_hyperparameters(training) if key not in OF_DATA)]


def steps_to_fit(training: pd.DataFrame, accuracy: float) -> pd.DataFrame:
    """Every network at its last step, with the step at which it fitted.

    Networks are evaluated at some steps only: powers of two, kept steps, the last one. Between the
    first of these with the accuracy and the one before, the accuracy is interpolated along ln(1 +
    step). Random labels count as label corruption 1.

    Args:
        training: Table of ``collect_training``.
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


def _of_architecture(networks: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """All rows of one dataset and architecture, with each ``value`` before it is scaled."""
    kinds = dict(list(networks.groupby(["randomization", "label_corruption"], sort=False)))
    chance = 1 - 1 / networks["classes"].iloc[0]
    means = {kind: _means(alike) for kind, alike in kinds.items()}
    for kind, of_kind in means.items():
        fitted = int(kinds[kind]["fitting_step"].notna().sum())
        about = {
            **dict(zip(("randomization", "label_corruption"), kind, strict=True)),
            "networks": len(kinds[kind]),
            "fitted": fitted,
            "ensembles": kinds[kind]["ensemble"].nunique(),
        }
        found = {"fitting_step": of_kind["time"], "starting_step": of_kind["start"]}
        for name, other in (("over_true_labels", TRUE), ("over_random_labels", RANDOM_LABELS)):
            if other in means and kind != other:
                found[name] = of_kind["time"] - means[other]["time"]
        if TRUE in means and kind != TRUE:
            found["start_over_true_labels"] = of_kind["start"] - means[TRUE]["start"]
        found |= {name: of_kind[name] for name in ("train_error", "test_error")}
        found["test_error_over_chance"] = of_kind["test_error"] / chance
        for statistic, value in found.items():
            yield {**about, "statistic": statistic, "value": value}
    levels = sorted((corruption, name) for name, corruption in means if _is_label_noise(name))
    if len(levels) > 1:
        errors = [means[name, corruption]["test_error"] for corruption, name in levels]
        yield {
            "statistic": RISE,
            "value": np.diff(errors),
            "networks": sum(len(kinds[name, corruption]) for corruption, name in levels),
            "ensembles": 1,
        }


def _means(alike: pd.DataFrame) -> dict[str, float]:
    """Means over networks that are alike but for their seed; of steps, of their logarithms."""
    return {
        "time": np.log(alike["fitting_step"].astype(float)).mean(),
        # Some have started before the first step.
        "start": np.log(alike["starting_step"].astype(float).clip(lower=1)).mean(),
        "train_error": 1 - alike["train_accuracy"].mean(),
        "test_error": 1 - alike["test_accuracy"].mean(),
    }


def _over_architectures(rows: list[dict[str, Any]], resampling: Resampling) -> dict[str, Any]:
    """One statistic of some architectures of a dataset, with its t interval."""
    statistic = rows[0]["statistic"]
    values = [row["value"] for row in rows if np.isfinite(row["value"]).all()]
    # Differences between neighboring label corruptions are as many as the first has.
    columns = np.array([v for v in values if np.size(v) == np.size(values[0])], float)
    size = len(columns)
    columns = columns.reshape(size, -1) if size else np.full((0, 1), np.nan)
    found = [
        t_interval(
            column.mean() if size else np.nan,
            [error_of_mean(column)],
            level=resampling.level,
            scale=np.exp if statistic in LOGARITHMS else np.asarray,
            share=statistic in SHARES,
        )
        for column in columns.T
    ]
    # All of them rise if the one of least evidence does (intersection-union).
    chosen = min(found, key=lambda one: (np.nan_to_num(one["low"]), one["estimate"]))
    kept = {key: rows[0].get(key) for key in ("randomization", "label_corruption", "statistic")}
    networks = sum(row["networks"] for row in rows)
    counts = {"networks": networks, "ensembles": size}
    note = few_ensembles(size)
    if statistic != RISE:
        counts["fitted"] = sum(row["fitted"] for row in rows)
        lost = networks - counts["fitted"]
        note = joined(f"{lost} of {networks} networks have not fitted" if lost else "", note)
    return kept | chosen | counts | {"note": note}


def _is_label_noise(randomization: str) -> bool:
    return randomization in ("none", "random_labels")

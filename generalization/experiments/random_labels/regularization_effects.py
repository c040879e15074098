"""What explicit regularization does for generalization, and what networks do without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from generalization.experiments.random_labels.fitting_times import OF_DATA
from generalization.statistics.estimates import (
    ESTIMATE,
    SHARE,
    groups,
    joined,
    mean_over_networks,
    table_of,
)
from generalization.statistics.resampling import Resampling
from generalization.tables import NETWORK, swept_hyperparameters

# Hyper-parameter → its name in words, in the order of the columns of the paper's tables, and the
# value that turns it off.
REGULARIZERS = {
    "augmentation": ("augmentation", "none"),
    "weight_decay": ("weight decay", 0),
    "dropout": ("dropout", 0),
}
NONE, ALL = "none", "all"
# Of every network; the other statistics compare networks of one setting.
OF_NETWORKS = (
    "train_accuracy",
    "test_accuracy",
    "train_error",
    "test_error_over_chance",
    "early_stopping_gain",
)
# Their intervals stay between 0 and 1, and have a width where all settings agree.
SHARES = (
    *("train_accuracy", "test_accuracy", "train_error"),
    *("random_label_error", "random_label_fitted"),
)
COLUMNS = ["randomization", "regularizers", "statistic", *ESTIMATE, "fitted"]


def regularization_effects(
    training: pd.DataFrame,
    regularization: Mapping[str, float],
    classes: Mapping[str, int],
    *,
    resampling: Resampling,
) -> pd.DataFrame:
    """Accuracies with and without explicit regularizers (Zhang et al. 2017, §3, Tables 1, 2, 4).

    Regularizers are ``augmentation``, weight decay and ``dropout``; ``regularizers`` names those
    that are on, ``all`` if these are all that the study turns on and the networks can have: the
    dropout of a foreign architecture is part of it. Statistics of networks at their last step,
    whether or not they have fitted:

    ``train_accuracy``, ``test_accuracy``, ``train_error``
        Means over networks.
    ``test_error_over_chance``
        1 − test accuracy, over 1 − 1/K, that of K classes told at random.
    ``early_stopping_gain``
        Largest test accuracy of all steps at which a network was evaluated, less the last: what
        stopping early could gain at most, were the best step known.

    ``random_label_error``
        Train error on random labels of settings whose networks with true labels have all fitted
        with the same regularizers: of others, more steps might fit both. Empty for these.
    ``random_label_fitted``
        Share of networks of the same settings that have fitted random labels.

    and of networks with true labels:

    ``gain``
        Test accuracy with these regularizers less that with none.
    ``kept_without``
        Test accuracy above chance with none over that with the regularizers with which it is
        largest: what networks keep if all are turned off.
    ``architecture_over_regularization``
        Test accuracy of the best setting less that of another, both with none, less the largest
        ``gain`` of the other: whether a change of architecture gains more than regularization.

    Settings are what networks share beside labels and regularizers: architecture, width, depth.
    Each has rows of its own, without intervals. The rows of a dataset are means over its settings,
    which are the units of their t intervals.

    Args:
        regularization: ``accuracy``, the train accuracy that counts as fitted.

    Returns:
        One row per dataset, setting, ``randomization``, regularizers and statistic, with the
        columns ``COLUMNS``. ``fitted`` counts the networks that have fitted. ``ensembles`` is 1 in
        rows of a setting, and the number of settings in rows of a dataset, in which columns of
        settings are empty. No row, if no regularizer is turned on and off.
    """
    keys = ["dataset", *_setting_keys(training)]
    columns = [*keys, *COLUMNS]
    if not _turned(training):
        return table_of([], columns, resampling)
    networks = _last_steps(training, regularization["accuracy"], classes)
    rows = [
        about | row
        for about, alike in groups(networks, keys, sort=True, dropna=False)
        for row in _of_setting(alike)
    ]
    rows += list(_against_architectures(rows, keys))
    rows += list(_over_settings(rows, resampling))
    return table_of(rows, columns, resampling)


def _turned(training: pd.DataFrame) -> list[str]:
    """Regularizers that are on in some networks and off in others."""
    on = {
        key: training[key].notna() & (training[key] != off)
        for key, (_, off) in REGULARIZERS.items()
        if key in training
    }
    return [key for key, values in on.items() if values.nunique() > 1]


def _setting_keys(training: pd.DataFrame) -> list[str]:
    """Columns of what networks share beside labels and regularizers."""
    apart = {*OF_DATA, *REGULARIZERS}
    return [key for key in swept_hyperparameters(training) if key not in apart]


def _last_steps(
    training: pd.DataFrame, accuracy: float, classes: Mapping[str, int]
) -> pd.DataFrame:
    """Every network at its last step, with its regularizers and its statistics."""
    clean = training[training["label_corruption"].eq(0)]
    best = clean.groupby(NETWORK, as_index=False)["test_accuracy"].max()
    final = clean[clean["final"]].merge(best, on=NETWORK, suffixes=("", "_best"))
    turned = _turned(training)
    chance = 1 / final["dataset"].map(classes)
    return final.assign(
        regularizers=[_named(row, turned) for row in final[turned].to_dict("records")],
        train_error=1 - final["train_accuracy"],
        test_error_over_chance=(1 - final["test_accuracy"]) / (1 - chance),
        early_stopping_gain=final["test_accuracy_best"] - final["test_accuracy"],
        above_chance=final["test_accuracy"] - chance,
        fits=final["train_accuracy"] >= accuracy,
    )


def _named(row: Mapping[str, Any], turned: list[str]) -> str:
    """Regularizers of a network, in words."""
    there = [key for key in turned if not pd.isna(row[key])]
    on = [REGULARIZERS[key][0] for key in there if row[key] != REGULARIZERS[key][1]]
    if len(on) == len(there) > 1:
        return ALL
    return " + ".join(on) or NONE


def _of_setting(networks: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """All rows of one setting but those that compare it with others."""
    means: dict[tuple[str, str], pd.DataFrame] = {}
    for about, alike in groups(networks, ["randomization", "regularizers"]):
        means[about["randomization"], about["regularizers"]] = alike
        for name in OF_NETWORKS:
            yield about | _row(name, alike[name].mean(), alike)
    true = {kind: alike for (data, kind), alike in means.items() if data == "none"}
    for (data, kind), alike in means.items():
        if data == "random_labels":
            comparable = kind in true and true[kind]["fits"].all()
            error = alike["train_error"].mean() if comparable else np.nan
            share = alike["fits"].mean() if comparable else np.nan
            note = "" if comparable else "networks with true labels have not fitted"
            about = {"randomization": data, "regularizers": kind}
            yield about | _row("random_label_error", error, alike) | {"note": note}
            yield about | _row("random_label_fitted", share, alike) | {"note": note}
    if NONE not in true:
        return
    above = {kind: alike["above_chance"].mean() for kind, alike in true.items()}
    about = {"randomization": "none", "regularizers": NONE}
    for kind, alike in true.items():
        if kind != NONE:
            both = pd.concat([true[NONE], alike])
            gain = above[kind] - above[NONE]
            yield about | {"regularizers": kind} | _row("gain", gain, both)
    largest, everything = max(above.values()), pd.concat(true.values())
    if len(true) > 1 and largest > 0:
        yield about | _row("kept_without", above[NONE] / largest, everything)


def _row(statistic: str, estimate: float, networks: pd.DataFrame) -> dict[str, Any]:
    """A row of one setting, which has no interval."""
    return {
        "statistic": statistic,
        "estimate": estimate,
        "networks": len(networks),
        "ensembles": 1,
        "fitted": int(networks["fits"].sum()),
    }


def _against_architectures(rows: list[dict[str, Any]], keys: list[str]) -> Iterator[dict[str, Any]]:
    """What the best setting gains over every other, less what regularizers gain there."""
    about = {"randomization": "none", "regularizers": NONE}
    table = pd.DataFrame(rows)
    table = table[table["randomization"] == "none"]
    for _, some in groups(table, ["dataset"]):
        bare = some[(some["regularizers"] == NONE) & (some["statistic"] == "test_accuracy")]
        if len(bare) < 2:
            continue
        best = bare["estimate"].idxmax()
        gains = some[some["statistic"] == "gain"]
        for place, one in bare.drop(index=best).iterrows():
            same = (gains[keys] == one[keys]) | (gains[keys].isna() & one[keys].isna())
            own = gains[same.all(axis=1)]
            if own.empty:
                continue
            over = bare.loc[best, "estimate"] - bare.loc[place, "estimate"]
            # Turning regularizers on may lose; then none is the best choice.
            gain = max(own["estimate"].max(), 0.0)
            counts = {key: one[key] for key in (*keys, "networks", "ensembles", "fitted")}
            name = "architecture_over_regularization"
            yield counts | about | {"statistic": name, "estimate": over - gain}


def _over_settings(rows: list[dict[str, Any]], resampling: Resampling) -> Iterator[dict[str, Any]]:
    """Means over the settings of every dataset, where there are several."""
    keys = ["dataset", "randomization", "regularizers", "statistic"]
    table = pd.DataFrame(rows).assign(setting=range(len(rows)))
    for about, settings in groups(table, keys):
        if len(settings) < 2:
            continue
        values = settings["estimate"].astype(float)
        limits = SHARE if about["statistic"] in SHARES else None
        found = mean_over_networks(values, settings["setting"], resampling, limits=limits)
        counts = {key: int(settings[key].sum()) for key in ("networks", "fitted")}
        lost = counts["networks"] - counts["fitted"]
        note = f"{lost} of {counts['networks']} networks have not fitted" if lost else ""
        yield about | found | counts | {"note": joined(found["note"], note)}

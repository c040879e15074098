"""Pairs of ensembles that differ in one setting, of which one should generalize better."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from generalization.errors import InputError
from generalization.names import value_name
from generalization.statistics.selection import final_networks, has_fitted
from generalization.tables import NETWORK, hyperparameters_of

COMPARISON = ["setting", "better", "worse"]
COLUMNS = [
    *COMPARISON,
    "dataset",
    "ensemble_better",
    "ensemble_worse",
    "draw",
    "quantity",
    "value_better",
    "value_worse",
    "error_better",
    "error_worse",
    "untrained_better",
    "untrained_worse",
    "networks",
    "unfitted",
    "note",
]
PERFORMANCES = ("generalization_gap", "test_accuracy", "test_loss")
# A line search on the whole training set needs no batch size and no learning rate.
IGNORED_BY_LBFGS = ("batch_size", "learning_rate", "decay_epochs")
NO_PAIR = "no two ensembles differ in this setting alone"
NO_NETWORK = "one of the two ensembles has not fitted"
NO_VALUE = "one of the two ensembles has no finite value"


def pairs(
    measures: pd.DataFrame,
    comparisons: Sequence[Mapping[str, Any]],
    *,
    quantities: Sequence[str] | None = None,
    fitted_accuracy: float = 0.999,
    whole_ensembles: bool = False,
) -> pd.DataFrame:
    """Ensembles that are equal in all hyper-parameters but one, side by side.

    As Novak et al. 2018, §4.2.1, Fig. 4. A value is the mean over the seeds of an ensemble that
    count: at their last step, finite, and fitted unless the comparison says otherwise; then all
    count that did not diverge. Seeds are averaged and not matched, since networks draw their
    randomness from their ensemble and seed: those of equal seeds have none in common.

    Every ensemble is in one pair of a comparison at most, so that pairs share no network. What
    settles this: keys that L-BFGS ignores do not tell ensembles apart where it is compared, and
    of several ensembles that are then alike only one enters.

    Args:
        comparisons: Each with ``setting``, a hyper-parameter; ``better`` and ``worse``, two of its
            values, of which the first should generalize better; and maybe ``fitted``, false where
            networks count that have not fitted.
        quantities: Measures to compare beside the gap and what a test finds; all, if not given.

    Returns:
        One row per comparison, pair and quantity, with the columns ``COLUMNS``: names of the two
        ensembles, their values with the standard error of the mean, the number of networks of
        both; ``unfitted`` counts those of them that have not fitted. ``untrained_better`` and
        ``untrained_worse`` are the means of the same networks before training, of measures that
        were taken there. ``draw`` is the same for pairs of a comparison that differ in the dataset
        alone. A value that does not exist is empty, and ``note`` says why. A comparison without
        any pair has one row per quantity that says so.

    Raises:
        InputError: If a setting cannot be compared in this study.
    """
    comparable = _comparable(measures)
    for comparison in comparisons:
        if comparison["setting"] not in comparable:
            raise InputError(
                f"setting of a comparison must be one of {', '.join(comparable)}, "
                f"not {comparison['setting']!r}."
            )
    asked = measures["measure"].unique() if quantities is None else quantities
    fitted = partial(has_fitted, fitted_accuracy=fitted_accuracy, whole_ensembles=whole_ensembles)
    networks = _networks(measures, asked)
    ensembles = measures.drop_duplicates("ensemble")
    tables = [
        _compared(ensembles, networks, [*PERFORMANCES, *asked], comparison, fitted)
        for comparison in comparisons
    ]
    empty = pd.DataFrame(columns=COLUMNS)
    return pd.concat(tables, ignore_index=True)[COLUMNS] if tables else empty


def _comparable(measures: pd.DataFrame) -> list[str]:
    """Hyper-parameters in which the ensembles of a pair may differ, or must be equal."""
    return [key for key in hyperparameters_of(measures) if key not in ("dataset", "kept_steps")]


def _networks(measures: pd.DataFrame, quantities: Sequence[str]) -> pd.DataFrame:
    """One row per network and quantity: how it ended, its value, and that before training."""
    about = ["ensemble", "seed", "train_accuracy", "status"]
    performance = final_networks(measures).melt(about, PERFORMANCES, "quantity")
    measured = measures[measures["final"] & measures["measure"].isin(quantities)]
    before = measures[~measures["final"] & (measures["step"] == 0)]
    measured = measured.merge(
        before[[*NETWORK, "measure", "value"]].rename(columns={"value": "untrained"}),
        on=[*NETWORK, "measure"],
        how="left",
        validate="one_to_one",
    ).rename(columns={"measure": "quantity"})
    return pd.concat(
        [performance, measured[[*about, "quantity", "value", "untrained"]]], ignore_index=True
    )


def _compared(
    ensembles: pd.DataFrame,
    networks: pd.DataFrame,
    quantities: Sequence[str],
    comparison: Mapping[str, Any],
    fitted: Callable[[pd.DataFrame], pd.Series],
) -> pd.DataFrame:
    """The rows of one comparison."""
    networks = networks.assign(unfitted=~fitted(networks))
    counting = _counting(networks, comparison)
    values = (
        counting[np.isfinite(counting["value"])]
        .groupby(["ensemble", "quantity"])
        .agg(
            value=("value", "mean"),
            error=("value", "sem"),
            untrained=("untrained", "mean"),
            networks=("value", "size"),
            unfitted=("unfitted", "sum"),
        )
        .reset_index()
    )
    matched = _matched(ensembles, set(counting["ensemble"]), comparison)
    rows = matched.merge(pd.DataFrame({"quantity": quantities}), how="cross")
    for side in ("better", "worse"):
        of_side = values.add_suffix(f"_{side}").rename(columns={f"quantity_{side}": "quantity"})
        rows = rows.merge(
            of_side, on=[f"ensemble_{side}", "quantity"], how="left", validate="many_to_one"
        )
    sizes = rows[["networks_better", "networks_worse"]].fillna(0).astype(int)
    return rows.assign(
        **{key: value_name(comparison[key]) for key in COMPARISON},
        networks=sizes.sum(axis=1),
        unfitted=rows[["unfitted_better", "unfitted_worse"]].fillna(0).sum(axis=1).astype(int),
        note=_notes(rows, sizes, set(counting["ensemble"])),
    )


def _counting(networks: pd.DataFrame, comparison: Mapping[str, Any]) -> pd.DataFrame:
    """The networks that count in a comparison."""
    # ASSUME: as in Novak et al. 2018, Fig. 4, both ensembles of a pair must have fitted, unless the
    # study excepts a comparison, as the paper does that of data augmentation; those that diverged
    # never count.
    if comparison.get("fitted", True):
        return networks[~networks["unfitted"]]
    return networks[networks["status"] != "diverged"]


def _matched(
    ensembles: pd.DataFrame, counting: set[str], comparison: Mapping[str, Any]
) -> pd.DataFrame:
    """dataset, ensemble_better, ensemble_worse and draw of every pair; none if there is none."""
    setting, *values = (comparison[key] for key in COMPARISON)
    ignored = IGNORED_BY_LBFGS if setting == "optimizer" and "lbfgs" in values else ()
    comparable = [key for key in _comparable(ensembles) if key not in {setting, *ignored}]
    same = ["dataset", *comparable]
    # ASSUME: of ensembles that differ only in what L-BFGS ignores, the first of the study that has
    # a network that counts enters the pair; the paper does not say how it matched them.
    ordered = ensembles.sort_values(
        "ensemble", key=lambda names: ~names.isin(counting), kind="stable"
    )
    better, worse = (
        ordered[_has(ordered[setting], value)].drop_duplicates(same) for value in values
    )
    matched = better.merge(worse, on=same, suffixes=("_better", "_worse"), validate="one_to_one")
    draw = matched.groupby(comparable, dropna=False, sort=False).ngroup() if comparable else 0
    matched = matched.assign(draw=draw)[["dataset", "ensemble_better", "ensemble_worse", "draw"]]
    return matched if len(matched) else matched.reindex([0])


def _has(column: pd.Series, value: object) -> pd.Series:
    """Where a hyper-parameter has a value; one that is null is missing."""
    return column.isna() if value is None else column == value


def _notes(rows: pd.DataFrame, sizes: pd.DataFrame, counting: set[str]) -> np.ndarray:
    """Why a value is missing; empty where none is."""
    names = rows[["ensemble_better", "ensemble_worse"]]
    reasons = {
        NO_PAIR: names.isna().any(axis=1),
        NO_NETWORK: ~names.isin(counting).all(axis=1),
        NO_VALUE: (sizes == 0).any(axis=1),
    }
    return np.select([*reasons.values()], [*reasons], default="")

"""Which networks enter a statistic, and which are left out and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from generalization.tables import NETWORK, TOLD, swept_hyperparameters, with_networks

SELECTIONS = ("fitted", "all")
NOT_MEASURED = "was not measured"
NO_VALUE = "no finite value"
OF_MEASURE = ["measure", "value", *TOLD]  # Columns that differ between measures of a network.


def final_networks(measures: pd.DataFrame) -> pd.DataFrame:
    """Every network once, at its last step, without the measures."""
    return (
        measures[measures["final"]]
        .drop(columns=OF_MEASURE, errors="ignore")
        .drop_duplicates(NETWORK)
    )


def has_fitted(
    networks: pd.DataFrame, *, fitted_accuracy: float, whole_ensembles: bool = False
) -> pd.Series:
    """Whether every network reached the train accuracy from which on it counts as fitted."""
    fitted = networks["train_accuracy"] >= fitted_accuracy
    return fitted.groupby(networks["ensemble"]).transform("all") if whole_ensembles else fitted


def before_and_after(profile: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """The rows of networks at step 0, and at their last step.

    Args:
        profile: Table of a profile of a study.

    Returns:
        These rows, with the columns of ``training`` and ``trained``, whether the step is not 0.
    """
    rows = with_networks(profile, training)
    rows = rows[rows["final"] | (rows["step"] == 0)]
    return rows.assign(trained=rows["step"] > 0)


def on_true_labels(networks: pd.DataFrame) -> pd.Series:
    """Whether every network was trained on true labels, of true inputs."""
    return (networks["label_corruption"] == 0) & (networks["randomization"] == "none")


def by_dataset(rows: pd.DataFrame, datasets: Sequence[str]) -> dict[str, pd.DataFrame]:
    """All rows together, then those of each dataset of several.

    Args:
        rows: With ``dataset``.
        datasets: Those of the study.
    """
    each = {name: rows[rows["dataset"] == name] for name in datasets}
    return {"all": rows} | (each if len(datasets) > 1 else {})


def selected(
    measures: pd.DataFrame, measure: str, selection: str, *, fitted_accuracy: float
) -> pd.DataFrame:
    """The networks that tell how a measure goes with the gap.

    Args:
        measure: Measure whose rows are taken.
        selection: ``fitted``: networks that have fitted. ``all``: all networks. Both only where
            the measure and the gap are finite.

    Returns:
        Rows of the measure, each a network at its last step.
    """
    rows = measures[measures["final"] & (measures["measure"] == measure)]
    usable = np.isfinite(rows["value"]) & np.isfinite(rows["generalization_gap"])
    if selection == "fitted":
        # ASSUME: a network counts by itself; Novak et al. 2018, §A.5.1, drop a configuration if
        # one of its seeds has not fitted, which would let one seed decide over the others. Their
        # own figures do so where a study asks for it by ``whole_ensembles``.
        usable &= has_fitted(rows, fitted_accuracy=fitted_accuracy)
    return rows[usable]


def excluded(measures: pd.DataFrame, *, fitted_accuracy: float = 0.999) -> pd.DataFrame:
    """Networks that were left out of the statistics, and why.

    Args:
        fitted_accuracy: As for ``selected``.

    Returns:
        One row per selection, ensemble, reason and measure: the hyper-parameters that the study
        sweeps over; ``measure``, empty where all measures lose the networks; ``networks``, how many
        were left out; ``of``, how many the ensemble has; their ``seeds``.
    """
    swept = swept_hyperparameters(measures)
    # Only what is looked at below: each network stands here once for every measure.
    needed = [*NETWORK, "status", "train_accuracy", "generalization_gap", *swept]
    networks = final_networks(measures)[needed]
    final = measures[measures["final"]]
    values = final.reindex(columns=[*NETWORK, *OF_MEASURE]).assign(measured=True)
    values = values.rename(columns={"reason": "why"})
    cells = networks.merge(measures[["measure"]].drop_duplicates(), how="cross").merge(
        values, on=[*NETWORK, "measure"], how="left", validate="one_to_one"
    )
    out = pd.concat([
        cells[reason != ""].assign(selection=selection, reason=reason[reason != ""])
        for selection, reason in _reasons(cells, fitted_accuracy).items()
    ])
    # A network that no measure can have is left out once, not once for each measure.
    out["measure"] = out["measure"].where(out["reason"].isin([NO_VALUE, NOT_MEASURED]))
    told = (out["reason"] == NO_VALUE) & out["why"].notna() & (out["why"] != "")
    out["reason"] = out["reason"].mask(told, out["why"].astype(object))
    out = out.drop_duplicates(["selection", *NETWORK, "measure"]).sort_values(
        ["selection", "ensemble", "measure"],
        key=lambda column: column.map(SELECTIONS.index) if column.name == "selection" else column,
        na_position="first",
    )
    keys = ["selection", "ensemble", *swept, "reason", "measure"]
    counts = out.groupby(keys, dropna=False, sort=False)["seed"].agg(
        networks="size", seeds=lambda seeds: ", ".join(map(str, sorted(seeds)))
    )
    sizes = networks.groupby("ensemble").size().rename("of")
    return counts.reset_index().merge(sizes, on="ensemble", validate="many_to_one")[
        [*keys, "networks", "of", "seeds"]
    ]


def _reasons(cells: pd.DataFrame, fitted_accuracy: float) -> dict[str, np.ndarray]:
    """Selection → why it leaves out a network for a measure; empty where it does not."""
    diverged = cells["status"] == "diverged"
    unfitted = ~has_fitted(cells, fitted_accuracy=fitted_accuracy)
    no_gap = ~np.isfinite(cells["generalization_gap"])
    first = {
        "fitted": {
            "diverged": unfitted & diverged,
            f"train accuracy below {fitted_accuracy:g}": unfitted,
        },
        "all": {"diverged": no_gap & diverged},
    }
    then = {
        "no generalization gap": no_gap,
        NOT_MEASURED: cells["measured"].isna(),
        NO_VALUE: ~np.isfinite(cells["value"]),
    }
    return {
        selection: np.select([*(reasons | then).values()], [*(reasons | then)], default="")
        for selection, reasons in first.items()
    }

"""Data dictionary: meaning and unit of every column of the tables of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from generalization.hyperparameters import Hyperparameters

# Column → meaning and unit, for columns that several tables share.
COLUMNS = {
    "ensemble": ("Name of the ensemble: networks that differ only in their random seed", ""),
    "seed": ("Random seed of the network; with ensemble, it identifies the network", ""),
    "step": ("Number of training steps after which the network was kept", "steps"),
    "final": ("Whether it is the last step of the network", ""),
    "status": ("How training ended: fitted, stopped or diverged", ""),
    "measure": ("Name of the measure", ""),
    "value": ("Value of the measure, or of the row's quantity", "see its definition"),
    "train_loss": ("Mean loss on the whole training set", "nats for cross-entropy"),
    "train_accuracy": ("Fraction of the training set that is classified correctly", "fraction"),
    "test_loss": ("Mean loss on the whole test set", "nats for cross-entropy"),
    "test_accuracy": ("Fraction of the test set that is classified correctly", "fraction"),
    "generalization_gap": ("Train accuracy − test accuracy", "fraction"),
    "kind": ("candidate, baseline, factor (a swept hyper-parameter) or control", ""),
    "statistic": ("Name of the statistic", ""),
    "selection": ("Networks that count: fitted, or all with finite values", ""),
    "dataset": ("Dataset; in statistics, all pools those of the study", ""),
    "estimate": ("Estimate of the statistic", "see its definition"),
    "low": ("Lower end of the interval", "unit of the estimate"),
    "high": ("Upper end of the interval", "unit of the estimate"),
    "level": ("Confidence level of the interval", "fraction"),
    "p_value": ("p-value of no relation", "probability"),
    "p_value_corrected": ("p-value corrected for the number of measures", "probability"),
    "networks": ("Number of networks that the row rests on", "networks"),
    "ensembles": ("Number of ensembles that the row rests on", "ensembles"),
    "cells": ("Number of cells or environments that the row rests on", "cells"),
    "note": ("Why something is missing, or what to beware of", ""),
    "factor": ("Swept hyper-parameter, or several together", ""),
    "levels": ("Number of values of the factor", "values"),
    "r_squared": ("Fraction of the variance of the gap that the factor explains", "fraction"),
    "adjusted_r_squared": ("R² adjusted for the number of parameters", "fraction"),
    "one_factor_pairs": ("Pairs of ensembles that differ in this factor alone", "pairs"),
    "reason": ("Why networks are excluded, or a verdict is what it is", ""),
    "of": ("Number that the row is taken from", ""),
    "seeds": ("Random seeds of the networks", ""),
    "setting": ("Hyper-parameter that the two ensembles of a pair differ in", ""),
    "better": ("Value that is expected to generalize better", ""),
    "worse": ("Value that it is compared with", ""),
    "quantity": ("What is compared: a measure or a test accuracy", ""),
    "claim": ("Claim of a paper", ""),
    "labels": ("Labels of the networks that speak to the claim: true, or all", ""),
    "quote": ("Words of the source", ""),
    "ours": ("What of the expectation is ours, not that of the paper", ""),
    "control": ("What would show the same if the claim said nothing", ""),
    "control_estimate": ("Contrast of the estimate to its control", ""),
    "control_low": ("Lower bound of the interval of the contrast", ""),
    "control_high": ("Upper bound of the interval of the contrast", ""),
    "heterogeneity": ("How far datasets differ in the estimate", ""),
    "source": ("Place of the claim in the paper", ""),
    "about": ("What the row is about: dataset, architecture, layer …", ""),
    "expected": ("What the claim expects of the estimate", ""),
    "verdict": ("Whether the claim replicates in this study", ""),
    "pairs": ("Number of pairs that the row rests on", "pairs"),
}


def column_dictionary(
    tables: Mapping[str, Sequence[str]], hyperparameters: Mapping[str, Mapping[str, object]]
) -> pd.DataFrame:
    """Describe the columns of tables.

    Args:
        tables: Name of each table → its columns.
        hyperparameters: Hyper-parameter → its schema, with ``description``.

    Returns:
        One row per table and column: ``table``, ``column``, ``meaning`` and ``unit``. Columns of a
        single table are described in the definition of that table.
    """
    settings = {
        key: (" ".join(str(about.get("description", "")).split()), "")
        for key, about in hyperparameters.items()
        if key in Hyperparameters.__dataclass_fields__ and key not in COLUMNS
    }
    known = COLUMNS | settings
    return pd.DataFrame(
        [
            (table, column, *known.get(column, (f"See the definition of {table}", "")))
            for table, columns in tables.items()
            for column in columns
        ],
        columns=["table", "column", "meaning", "unit"],
    )

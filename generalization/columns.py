"""Data dictionary: meaning and unit of every column of the tables of a study."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from generalization.hyperparameters import Hyperparameters

# Column → meaning and unit, for columns that several tables share.
COLUMNS = {
    "ensemble": ("Name of the ensemble: networks that differ only in their random seed", ""),
    "seed": ("Random seed of the network; with ensemble, it identifies the network", ""),
    "step": ("Number of training steps after which the network was kept", "steps"),
    "final": ("Whether it is the last step of the network", ""),
    "status": (
        "How training ended: fitted, stopped or diverged; of a value, whether it exists or why not",
        "",
    ),
    "measure": ("Name of the measure", ""),
    "value": ("Value of the measure, or of the row's quantity", "see its definition"),
    "standard_error": (
        "Standard error of the value: over inputs where it is their mean, else over random draws; "
        "empty if it is not known",
        "unit of the value",
    ),
    "method": (
        "How the value was found: exact; sampled, with random numbers, on a grid or at part of the "
        "training set; searched, the best of a search that has not looked everywhere",
        "",
    ),
    "train_loss": ("Mean loss on the whole training set", "nats for cross-entropy"),
    "train_accuracy": ("Fraction of the training set that is classified correctly", "fraction"),
    "test_loss": ("Mean loss on the whole test set", "nats for cross-entropy"),
    "test_accuracy": ("Fraction of the test set that is classified correctly", "fraction"),
    "device": ("GPU, or vector instructions of the CPU, on which the network was trained", ""),
    "driver": ("Version of the driver of the GPU", ""),
    "torch": ("Version of PyTorch with which the network was trained", ""),
    "stack_size": ("Number of networks of the largest stack in training", "networks"),
    "generalization_gap": ("Train accuracy − test accuracy", "fraction"),
    "kind": (
        "In the league: candidate, baseline, factor (a swept hyper-parameter) or control; in other "
        "tables what the row is of",
        "",
    ),
    "statistic": ("Name of the statistic", ""),
    "selection": ("Networks that count: fitted, or all with finite values", ""),
    "dataset": ("Dataset; in statistics, all pools those of the study", ""),
    "estimate": ("Estimate of the statistic", "see its definition"),
    "low": ("Lower end of the interval", "unit of the estimate"),
    "high": ("Upper end of the interval", "unit of the estimate"),
    "level": ("Confidence level of the interval", "fraction"),
    "p_value": (
        "p-value of no relation; of granulated correlations, conditional information and sign "
        "errors, of independence, hyper-parameters included",
        "probability",
    ),
    "p_value_corrected": ("p-value corrected for the number of measures", "probability"),
    "networks": ("Number of networks that the row rests on", "networks"),
    "ensembles": ("Number of ensembles that the row rests on", "ensembles"),
    "cells": ("Number of cells or environments that the row rests on", "cells"),
    "note": ("Why something is missing, or what to beware of", ""),
    "factor_level": ("Value of the factor", ""),
    "factor": ("Swept hyper-parameter, or several together", ""),
    "levels": ("Number of values of the factor", "values"),
    "r_squared": ("Fraction of the variance of the gap that the factor explains", "fraction"),
    "adjusted_r_squared": ("R² adjusted for the number of parameters", "fraction"),
    "one_factor_pairs": ("Pairs of ensembles that differ in this factor alone", "pairs"),
    "reason": (
        "Why a value is missing or approximate, networks are excluded, or a verdict is what it is",
        "",
    ),
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
    "network": ("Position of the network in its ensemble, from 0", ""),
    "ensemble_better": ("Ensemble of the value that is expected to generalize better", ""),
    "ensemble_worse": ("Ensemble of the value that it is compared with", ""),
    "value_better": ("Mean of the quantity over the networks of the one ensemble", ""),
    "value_worse": ("Mean of the quantity over the networks of the other ensemble", ""),
    "error_better": ("Standard error of the mean over seeds of the one ensemble", ""),
    "error_worse": ("Standard error of the mean over seeds of the other ensemble", ""),
    "ratio": ("Worse over better value of pairs, or the ratio that the row estimates", ""),
    "ties": ("Number of pairs with equal values", "pairs"),
    "coupled_loss_excess": ("coupled_loss less its value for exchanged changes", "fraction"),
    "x": ("Measure", ""),
    "y": ("Measure or performance that it is related to", ""),
    "variant": ("Variant of the measure", ""),
    "hyperparameter": ("Hyper-parameter that splits the networks; empty where all count", ""),
    "output": ("Output of the network that is looked at", ""),
    "outputs": ("Output of the network that is looked at", ""),
    "trained": ("Whether networks are at their last step, or untrained", ""),
    "contrast": ("Two kinds that are compared", ""),
    "bound": ("Name of the bound", ""),
    "deeper": ("Depth that it is compared with", "layers"),
    "estimator": ("Name of the estimator", ""),
    "truth": ("Value that is estimated", "unit of the quantity"),
    "similarity": ("Name of the similarity", ""),
    "layer": ("Layer, numbered as in the definition of the table", ""),
    "place": ("Place of the layer: first, hidden_2 …, last_hidden or logits", ""),
    "null": ("Value that is expected by chance", "unit of the value"),
    "samples": ("Number of inputs", "inputs"),
    "held_out": ("Mean correlation on inputs that directions were not fitted on", ""),
    "network_pairs": ("Number of pairs of networks that the row rests on", "pairs"),
    "rank": ("Place of a canonical correlation, from the largest", ""),
    "correlation": ("Canonical correlation of this rank", ""),
    "directions": ("Kind of directions in the space of activations", ""),
    "part": ("Part of the dataset: train or test", ""),
    "sigma": ("Standard deviation of the noise on pixels, from 0 to 1", "pixels"),
    "mode": ("What ablated units are replaced by", ""),
    "row": ("Number of the row of pixels", ""),
    "u": ("Horizontal place on the plane, from −1 to 1", ""),
    "v": ("Vertical place on the plane, from −1 to 1", ""),
    "k": ("Number of directions that are kept", "directions"),
    "accuracy": ("Fraction of the points that is classified correctly", "fraction"),
    "units": ("Number of units", "units"),
    "pairs": ("Number of pairs that the row rests on", "pairs"),
    "check": ("Name of the check of a measure", ""),
    "outcome": ("What the check found", ""),
    "unit": ("Unit of the value of a check", ""),
    "detail": ("What is to be known of the outcome of a check", ""),
}
BOUNDS = {"_low": "Lower", "_high": "Upper"}
PARTS = {
    "_train": "of training inputs",
    "_test": "of test inputs",
    "_a": "of the first of a pair",
    "_b": "of the second of a pair",
}


def column_dictionary(
    tables: Mapping[str, Sequence[str]],
    hyperparameters: Mapping[str, Mapping[str, object]],
    definitions: Mapping[str, Mapping[str, str]] | None = None,
) -> pd.DataFrame:
    """Describe the columns of tables.

    Args:
        tables: Name of each table → its columns.
        hyperparameters: Hyper-parameter → its schema, with ``description``.
        definitions: Table → column → meaning, of columns that mean something of their own in this
            table: see ``docstrings.columns``.

    Returns:
        One row per table and column: ``table``, ``column``, ``meaning`` and ``unit``.
    """
    settings = {
        key: (" ".join(str(about.get("description", "")).split()), "")
        for key, about in hyperparameters.items()
        if key in Hyperparameters.__dataclass_fields__ and key not in COLUMNS
    }
    known = settings | COLUMNS
    return pd.DataFrame(
        [
            (table, column, *_described(column, known, (definitions or {}).get(table, {})))
            for table, columns in tables.items()
            for column in columns
        ],
        columns=["table", "column", "meaning", "unit"],
    )


def _described(
    column: str, known: Mapping[str, tuple[str, str]], own: Mapping[str, str]
) -> tuple[str, str]:
    """Meaning and unit of a column: its own in this table, or the one in all tables."""
    if column in own and column not in known:
        return own[column], ""
    if column in known:
        return known[column]
    for end, words in BOUNDS.items():
        if column.endswith(end):
            base = column.removesuffix(end)
            return f"{words} bound of the interval of {base}", f"unit of {base}"
    for end, words in PARTS.items():
        base = column.removesuffix(end)
        meaning = own.get(base) or known.get(base, ("",))[0]
        if base != column and meaning:
            return f"{meaning.rstrip('.')}, {words}", ""
    if numbered := re.fullmatch(r"(\w+)_(\d+)", column):
        first = own.get(f"{numbered[1]}_1", known.get(f"{numbered[1]}_1", ("",))[0])
        if first:
            return first, ""
    return "See the definition of the table", ""

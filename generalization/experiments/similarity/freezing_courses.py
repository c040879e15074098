"""Accuracy and cost in the course of training, with and without layers that are frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from generalization.hyperparameters import Hyperparameters, freezing_steps, frozen_layers
from generalization.networks.training_flops import layer_products, training_flops
from generalization.tables import KEPT_NETWORK, swept_hyperparameters

FREEZING = ["freeze_layers", "freeze_until"]
# What tells settings apart in any case.
ALWAYS = ["dataset", "architecture", "depth"]
OF_NETWORK = [*KEPT_NETWORK, "final", "status", "train_accuracy", "test_accuracy"]
COLUMNS = [*FREEZING, *OF_NETWORK, "frozen", "flops"]


def freezing_courses(
    training: pd.DataFrame, images: Mapping[str, Sequence[int]], classes: Mapping[str, int]
) -> pd.DataFrame:
    """Count the FLOPs that networks have cost at every step at which they were evaluated.

    Settings are what networks share beside the freezing of layers; those count whose layers are
    frozen in some networks and not in others.

    Args:
        training: Training history of a study.
        images: Dataset → channels, height and width of an image.

    Returns:
        One row per network and evaluated step: the columns of the setting, and ``COLUMNS``.
        ``frozen`` layers do not learn from the next step; ``flops`` are of matrix products with
        weights, see ``training_flops``.
    """
    keys = setting_keys(training)
    there = training.groupby(keys, dropna=False)["freeze_layers"].transform("nunique") > 1
    rows = training[there & ~training["architecture"].astype(str).str.contains(":")]
    costs = [
        _costs(ensemble, images[str(ensemble["dataset"].iloc[0])], classes)
        for _, ensemble in rows.groupby("ensemble", sort=False)
    ]
    found = pd.concat(costs) if costs else rows.assign(frozen=0, flops=0)
    return found.sort_index()[[*keys, *COLUMNS]]


def setting_keys(training: pd.DataFrame) -> list[str]:
    """Columns of what networks share beside the freezing of layers."""
    swept = [key for key in swept_hyperparameters(training) if key not in {*FREEZING, *ALWAYS}]
    return [*ALWAYS, *swept]


def _costs(
    ensemble: pd.DataFrame, image: Sequence[int], classes: Mapping[str, int]
) -> pd.DataFrame:
    """Add frozen layers and FLOPs to the rows of an ensemble."""
    one = _hyperparameters(ensemble.iloc[0].to_dict())
    channels, height, width = image
    sides = (one.crop, one.crop) if one.crop else (height, width)
    products = layer_products(one, (channels, *sides), classes[one.dataset])
    freezing = freezing_steps(one, len(products))
    return ensemble.assign(
        frozen=[frozen_layers(freezing, step) for step in ensemble["step"]],
        flops=[training_flops(one, products, step) for step in ensemble["step"]],
    )


def _hyperparameters(row: Mapping[str, Any]) -> Hyperparameters:
    """Hyper-parameters of a row of the training history, of which those that cost depends on."""
    words = ("dataset", "architecture", "pooling", "freeze_layers")
    numbers = ("depth", "width", "batch_size", "max_steps")
    return Hyperparameters(
        **{key: row[key] for key in (*words, "freeze_until")},
        **{key: int(row[key]) for key in numbers},
        crop=None if pd.isna(row["crop"]) else int(row["crop"]),
    )

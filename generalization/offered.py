"""Arguments offered to measures and profiles, and checks of the values that they return.

Measures and profiles receive the arguments that their signature names; settings are keyword-only. A
measure may also name another measure as a keyword-only argument: it receives the values of that
measure, if they were just computed for the same inputs, else the default.

Args:
    networks: Number R of networks that were passed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from difflib import get_close_matches
from inspect import Parameter, signature
from typing import Any

import pandas as pd
from jaxtyping import Float, Float64, Int64
from torch import Generator, Tensor

from generalization.errors import InputError
from generalization.hyperparameters import Hyperparameters
from generalization.networks.modules import Networks
from generalization.refusals import with_article


@dataclass(frozen=True, kw_only=True)
class Offered:
    """Arguments offered to measures and profiles.

    Attributes:
        networks: Stack of R networks, or a ``torch.nn.Module``, with normalizations folded into the
            weights; convolutional networks come one at a time, as a ``torch.nn.Sequential``.
        inputs: First ``samples`` test inputs.
        pixel_deviations: Pixels per unit of input for each test input, with pixels from 0 to 1, to
            convert quantities that are stated in pixels.
        train_inputs: Training inputs, as used for training.
        train_labels: Training labels, as used for training, corrupted or not.
        hyperparameters: Hyper-parameters that the networks share.
        init_scale: Hyper-parameter ``init_scale``, the factor on initial weights; None for networks
            that initialize themselves.
        loss: Name of the training loss, ``cross_entropy`` or ``squared``.
        generator: Source of randomness on the CPU: for measures one that all networks of an
            ensemble share, for profiles one that all networks of a dataset share.
        shared_generator: Source of randomness on the CPU, shared by all networks of a dataset, all
            measures and all profiles.
    """

    networks: Networks
    inputs: Float[Tensor, "samples channels height width"]
    pixel_deviations: Float64[Tensor, "samples"]
    train_inputs: Float[Tensor, "train_samples channels height width"]
    train_labels: Int64[Tensor, "train_samples"]
    hyperparameters: Hyperparameters
    init_scale: float | None
    loss: str
    generator: Generator
    shared_generator: Generator


@dataclass(frozen=True, kw_only=True)
class OfferedToMeasures(Offered):
    """Arguments offered to measures, which never include test labels.

    Attributes:
        trained_networks: The networks as trained, with weights, biases and normalizations.
        initial_networks: The networks at initialization.
        evaluated_steps: Steps at which the training loss was evaluated, in ascending order, until
            that of the network; NaN where a row is shorter than others.
        evaluated_losses: The training losses at these steps.
    """

    trained_networks: Networks
    initial_networks: Networks
    evaluated_steps: Float64[Tensor, "networks evaluations"]
    evaluated_losses: Float64[Tensor, "networks evaluations"]


@dataclass(frozen=True, kw_only=True)
class OfferedToProfiles(Offered):
    """Arguments offered to profiles.

    Attributes:
        labels: Labels of ``inputs``, never corrupted.
        members: Table with the ``seed`` and the ``step`` of every network, and whether it is the
            ``final`` one of its seed.
        recorded: Function from a slice of the recorded inputs to these inputs and their activations
            in every layer; None without a record.
    """

    labels: Int64[Tensor, "samples"]
    members: pd.DataFrame
    recorded: Callable[[slice], tuple[Tensor, list[Tensor]]] | None


def check_signature(
    name: str, function: Callable[..., Any], offered: type[Offered], settings: Collection[str]
) -> None:
    """Refuse a measure or a profile with a parameter that is not offered.

    Args:
        name: Name of the measure or profile, for the error message.
        function: The measure or profile.
        offered: Class of offered arguments.
        settings: Names of the settings that are given.

    Raises:
        InputError: If a parameter is neither offered nor a setting that is given or has a default.
    """
    names = [field.name for field in fields(offered)]
    for asked, parameter in signature(function).parameters.items():
        has_value = asked in settings or parameter.default is not Parameter.empty
        if asked in names or (parameter.kind is Parameter.KEYWORD_ONLY and has_value):
            continue
        near = get_close_matches(asked, names) or names
        raise InputError(
            f"Parameters of {name} must be settings or among {', '.join(near)}, not {asked!r}."
        )


def checked_values(name: str, values: Any, networks: int) -> Tensor:
    """Return the values of a measure if they are one per network, or one per network and input.

    Args:
        name: Name of the measure, for the error message.
        values: Return value of the measure.

    Raises:
        InputError: If it is not a floating-point tensor of shape (R,) or (R, …).
    """
    if not isinstance(values, Tensor):
        found = with_article(type(values).__name__)
    elif not values.is_floating_point():
        # Missing values are NaN, which requires a floating-point dtype.
        found = f"one of {values.dtype}"
    elif values.dim() not in {1, 2} or len(values) != networks:
        exchanged = values.dim() == 2 and values.shape[1] == networks
        found = f"one of shape {tuple(values.shape)}" + ", its axes exchanged" * exchanged
    else:
        return values
    raise InputError(
        f"{name} must return a floating-point tensor of shape ({networks},) or ({networks}, inputs)"
        f" for {networks} networks, not {found}."
    )


def is_square(values: Tensor) -> bool:
    """Return whether the shape does not distinguish networks from inputs."""
    return values.dim() == 2 and values.shape[0] == values.shape[1] > 1


def checked_table(name: str, table: Any, networks: int) -> pd.DataFrame:
    """Return the table of a profile if its rows identify their network.

    Args:
        name: Name of the profile, for the error message.
        table: Return value of the profile.

    Raises:
        InputError: If it is not a table, or its column ``network`` is not an index of networks.
    """
    if not isinstance(table, pd.DataFrame):
        found = with_article(type(table).__name__)
    elif "network" not in table:
        found = f"one with the columns {', '.join(map(str, table)) or 'none'}"
    elif not (known := table["network"].isin(range(networks))).all():
        found = f"one with the network {table['network'][~known].iloc[0]}"
    else:
        return table
    raise InputError(
        f"{name} must return a table with a column network from 0 to {networks - 1}, not {found}."
    )

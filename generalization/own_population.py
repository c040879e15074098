"""A network of a user, as a row of the tables that a study makes of its own.

Args:
    ensemble: Group of the network.
    seed: Tells the networks of a group apart.
    train: Training inputs and their labels.
    test: Test inputs and their labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from generalization.devices import at_most
from generalization.errors import InputError, NotFinite
from generalization.measuring_modules import fitting_batch_size, measured_row
from generalization.networks.modules import left_as_it_was, logits_of
from generalization.networks.reading import in_one_precision, reads_networks
from generalization.refusals import named_refusals
from generalization.tables import PERFORMANCE, TRAINING

Labelled = tuple[Tensor, Tensor]
STEP = 1  # The networks are there; how many steps were taken is not known.


@contextmanager
def named_network(ensemble: str, seed: int, manifest: str) -> Iterator[None]:
    """Put the row of a network before the sentences of refusals.

    Args:
        manifest: File that has the row.

    Raises:
        InputError: If one is raised within.
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"{manifest}, group {ensemble}, seed {seed}: {error}") from error


def evaluated(
    module: nn.Module, ensemble: str, seed: int, train: Labelled, test: Labelled
) -> pd.DataFrame:
    """Evaluate a network on its training set and its test set.

    Returns:
        One row, as in ``training.csv``: mean cross-entropy and accuracy on both sets. The status is
        ``diverged`` where weights or logits are not finite, which have no accuracy, else
        ``stopped``: whether the network is fitted depends on the study, see ``with_statuses``.

    Raises:
        InputError: If the network is none that measures read, cannot read the inputs, or has no
            logit of a label.
    """  # noqa: DOC502
    module, parts = _precise(module, train, test)
    row: dict[str, Any] = {"ensemble": ensemble, "seed": seed, "step": STEP, "status": "stopped"}
    finite = all(one.isfinite().all() for one in module.parameters())
    with at_most(fitting_batch_size(module, parts[1][0])):
        for name, (inputs, labels) in zip(("train", "test"), parts, strict=True):
            try:
                with named_refusals(f"evaluation on {name}"):
                    logits = _logits(module, inputs, labels).double()
            except NotFinite:
                finite = False
                continue
            row[f"{name}_loss"] = cross_entropy(logits, labels).item()
            row[f"{name}_accuracy"] = (logits.argmax(1) == labels).double().mean().item()
    if not finite:
        row |= dict.fromkeys(PERFORMANCE, np.nan) | {"status": "diverged"}
    return pd.DataFrame([row], columns=TRAINING)


def with_statuses(
    training: pd.DataFrame, known: pd.DataFrame, *, fitted_accuracy: float
) -> pd.DataFrame:
    """Say which networks are fitted, by accuracies that are known or else were measured.

    Args:
        training: Rows of ``evaluated``.
        known: Ensemble, seed, train and test accuracy; NaN where they are not known.

    Returns:
        The rows of ``training`` with these accuracies, and the status ``fitted``, ``stopped`` or
        ``diverged``. Those that diverged have no accuracy: a known one is not of these weights.
    """
    keys = ["ensemble", "seed"]
    found = training.set_index(keys)
    found.update(known.set_index(keys).astype(float))
    diverged = found["status"] == "diverged"
    found.loc[diverged, PERFORMANCE] = np.nan
    found.loc[~diverged & (found["train_accuracy"] >= fitted_accuracy), "status"] = "fitted"
    return found.reset_index()


@reads_networks
def _logits(networks: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    """Return the logits of a network at all inputs, as measures read it, or refuse it."""
    return logits_of(networks, inputs)[0]


def _precise(module: nn.Module, *parts: Labelled) -> tuple[nn.Module, list[Labelled]]:
    """Return a network whose tensors have one precise type, and data in this type."""
    module, dtype = in_one_precision(module)
    return module, [(inputs.to(dtype or inputs.dtype), labels) for inputs, labels in parts]


def measure_own_network(
    module: nn.Module,
    initial: nn.Module | None,
    ensemble: str,
    seed: int,
    train: Labelled,
    test: Labelled,
    measures: Mapping[str, Callable[..., Tensor]],
    settings: Mapping[str, Mapping[str, Any]],
    *,
    repeats: int,
    loss: str,
) -> Iterator[pd.DataFrame]:
    """Compute measures of a network, one table each, with the reason where there is no value.

    Args:
        module: The network.
        initial: The network before training, if it is known.
        measures: Functions by name.
        settings: Keyword arguments of each; ``samples`` is the number of test inputs instead.
        repeats: Draws of a sampled measure.
        loss: Name of the training loss.

    Yields:
        Table of one row: ensemble, seed, step, measure, value, and what ``measure`` of the package
        says beside: standard error, reason, method and seconds.
    """
    module, (train, test) = _precise(module, train, test)
    offered = {
        "networks": module,
        "trained_networks": module,
        "initial_networks": initial,
        "train_inputs": train[0],
        "train_labels": train[1],
        "loss": loss,
    }
    offered = {name: value for name, value in offered.items() if value is not None}
    for name, measure in measures.items():
        chosen = dict(settings[name])
        inputs = test[0][: chosen.pop("samples", None)]
        ones = torch.ones(len(inputs), dtype=torch.float64, device=inputs.device)
        given = offered | {"inputs": inputs, "pixel_deviations": ones}
        with left_as_it_was(module), at_most(fitting_batch_size(module, inputs)):
            row = measured_row(name, partial(measure, **chosen), module, given, repeats, seed)
        yield pd.DataFrame([
            {
                "ensemble": ensemble,
                "seed": seed,
                "step": STEP,
                "measure": name,
                "value": row["value"],
                "standard_error": row["standard_error"],
                "reason": row["note"] if row["status"] == "ok" else row["status"],
                "method": row["method"],
                "seconds": row["seconds"],
            }
        ])

"""Measures and similarities of any ``torch.nn.Module``, without a study.

``generalization.measure`` and ``generalization.compare`` are these functions.
Networks are evaluated in eval mode; afterwards every parameter, buffer and mode is what it was.

Args:
    samples: Number of ``inputs`` that are used, the first ones; all by default.
    batch_size: Inputs at a time; by default as many as a quarter of the free memory holds.
    progress: Whether to report on standard error what is computed and every finished row; by
        default in a terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from inspect import Parameter, signature
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from generalization.catalog import MEASURES, SIMILARITIES, place_of
from generalization.devices import at_most
from generalization.errors import InputError, reason_of
from generalization.given_data import Data
from generalization.measuring_modules import (
    fitting_batch_size,
    measure_row,
    measured_row,
    read_points,
    refuse_shuffled,
    whole,
)
from generalization.module_layers import layer_activations, layer_names, samples_by_units
from generalization.networks.modules import (
    left_as_it_was,
    outside_of_modes,
    refuse_empty,
    unwrapped,
)
from generalization.networks.sharing import sharing_results
from generalization.refusals import named_refusals, with_article
from generalization.signatures import imported

LOSSES = ("cross_entropy", "squared")
TRIAL = torch.eye(8)[:, :2]
COLUMNS = ["measure", "value", "standard_error", "status", "method", "inputs", "seconds", "note"]


def _announce(progress: bool, name: str, number: int, of: int) -> None:
    if progress:
        sys.stderr.write(f"{number}/{of} {name}: ")
        sys.stderr.flush()


def _report(progress: bool, row: Mapping[str, Any]) -> None:
    if progress:
        shown = f"{row['value']:.6g}" if row["status"] == "ok" else row["status"]
        note = f", {row['note']}" if row["note"] else ""
        sys.stderr.write(f"{shown} ({row['seconds']:.2f} s{note})\n")


@outside_of_modes()
def measure(
    module: nn.Module,
    inputs: Data,
    labels: Data = None,
    measures: str | Sequence[str] | Mapping[str, Callable[..., Tensor] | Mapping[str, Any]] = "all",
    *,
    train: Data = None,
    initial: nn.Module | None = None,
    loss: str = "cross_entropy",
    init_scale: float | None = None,
    pixel_deviations: Data = 1.0,
    samples: int | None = None,
    batch_size: int | None = None,
    repeats: int = 3,
    seed: int = 0,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Compute measures of a network, one row each; what does not apply is a row that says why.

    Args:
        module: Maps inputs to logits of shape (samples, classes).
        inputs: Points at which sensitivities and regions are measured: a tensor, an array, a
            ``Dataset`` or a ``DataLoader``; of pairs with labels, the first members. They are
            converted to the dtype and the device of the parameters; integers stay integers where
            the module takes no others, such as tokens, which no measure can move or differentiate.
        labels: Labels of ``inputs``. If they are given and ``train`` is not, then measures of the
            training set (margins, gradients, the training loss) are computed on ``inputs``.
        measures: ``all``, one name, several names, or name → settings of a measure of the catalog,
            or → a function of your own, which names what it needs as ``generalization.offered``
            describes it.
        train: Training set: a pair of inputs and labels, a ``Dataset`` or a ``DataLoader``.
        initial: The same network before training, for distances from initialization.
        loss: Name of the training loss, ``cross_entropy`` or ``squared``.
        init_scale: Factor on the initial weights of a network of a study.
        pixel_deviations: Pixels per unit of input, one number or one for each of ``inputs``.
        repeats: Draws of a sampled measure, two or more, whose mean is its value.
        seed: Seeds the random numbers of sampled measures.

    Returns:
        One row per measure: ``measure``; ``value``; ``standard_error``, over inputs where the value
        is a mean over inputs, over the draws of all repeats where a measure tells it (flatness,
        learning coefficients, and rows of Jacobians of more than 128 classes, whose error over
        inputs is in the note), else over repeats, NaN for exact values; ``status``, ``ok`` or the
        reason why there is no value; ``method``, ``exact``, ``sampled`` (with random numbers, on a
        grid, or at a part of the points) or ``searched`` (the best of a search); ``inputs``, the
        number of inputs; ``seconds``; ``note``, how a value is approximated or what it leaves out.
        Loops that are sampled are sampled at 4,096 points, or at fewer where a point of a large
        network is costly, unless ``grid_points`` is among the settings; the note says at how many.
        If it is interrupted, the rows that are done are kept, and the others say so.

    Raises:
        InputError: If a name is not that of a measure, or data cannot be read.

    Example:
        >>> network = nn.Linear(2, 2, bias=False)
        >>> _ = nn.init.constant_(network.weight, 1.5)
        >>> table = measure(network, torch.zeros(4, 2), measures=["weight_norm", "training_loss"])
        >>> print(table[["measure", "value", "status"]].to_string(index=False))
              measure  value                                                           status
          weight_norm    3.0                                                               ok
        training_loss    NaN training_loss needs train_inputs and train_labels: give labels or train
    """
    progress = sys.stderr.isatty() if progress is None else progress
    # Two draws tell whether anything is drawn at all.
    _require_counts(fewest=2, repeats=repeats)
    if loss not in LOSSES:
        raise InputError(f"loss must be among {', '.join(LOSSES)}, not {loss!r}.")
    _require_counts(samples=samples, batch_size=batch_size)
    module = _read_module("module", module)
    initial = None if initial is None else _read_module("initial", initial)
    chosen = dict(_chosen_measures(measures))
    if labels is not None or np.ndim(pixel_deviations):
        given = "labels" if labels is not None else "pixel_deviations"
        refuse_shuffled("inputs", inputs, given)
    with torch.random.fork_rng([]):  # Loaders draw.
        points, labels = read_points("inputs", _given("inputs", inputs), labels, module, samples)
        train_inputs, train_labels = read_points("train", train, None, module, None)
    if train is None and labels is not None:
        train_inputs, train_labels = points, labels
    offered = {
        "networks": module,
        "trained_networks": module,
        "initial_networks": initial,
        "inputs": points,
        "pixel_deviations": _deviations(pixel_deviations, points),
        "train_inputs": train_inputs,
        "train_labels": train_labels,
        "init_scale": init_scale,
        "loss": loss,
    }
    offered = {name: value for name, value in offered.items() if value is not None}
    rows = {name: measure_row(name, "interrupted before it was computed") for name in chosen}
    with left_as_it_was(module):
        batch_size = batch_size or fitting_batch_size(module, points)
    try:
        with left_as_it_was(module), at_most(batch_size), sharing_results({}):
            for number, (name, function) in enumerate(chosen.items(), 1):
                _announce(progress, name, number, len(chosen))
                rows[name] = measured_row(name, function, module, offered, repeats, seed)
                _report(progress, rows[name])
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted: what is done is returned.\n")
    return pd.DataFrame(list(rows.values()), columns=COLUMNS)


@outside_of_modes()
def compare(
    one: nn.Module,
    other: nn.Module,
    inputs: Data,
    *,
    layers: Sequence[str] | None = None,
    other_layers: Sequence[str] | None = None,
    similarities: str | Sequence[str] | Mapping[str, Mapping[str, Any]] = "all",
    samples: int | None = None,
    batch_size: int | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Compare layers of two networks by their activations on the same inputs.

    A layer is a submodule, by its name in ``named_modules``, that is used once and returns a
    tensor. Of feature maps and of tokens, units are channels, and every position of every input is
    a sample; maps of two sizes are averaged over positions first. On which axis units are is told
    by the last linear layer or convolution before, and followed from there; a layer where it is
    not known has no value.

    Args:
        one: A network.
        other: Another, or the same.
        inputs: Inputs that both are shown: a tensor, an array, a ``Dataset`` or a ``DataLoader``.
        layers: Names of submodules of ``one``; by default all such that contain no other.
        other_layers: Names of submodules of ``other``; by default as for ``one``.
        similarities: ``all``, one name, several names, or name → settings.

    Returns:
        One row per similarity and pair of layers: ``layer``, ``other_layer``, ``similarity``,
        ``value``, ``null`` (its chance level), ``held_out`` (value on the half of the inputs on
        which directions were not fitted), ``status`` and ``samples``.

    Raises:
        InputError: If a layer or a similarity does not exist, a named layer has not one tensor of
            activations, those of an input depend on the other inputs, or data cannot be read.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> one = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> table = compare(one, one, torch.randn(50, 4), layers=["0"], similarities="linear_cka")
        >>> print(table[["other_layer", "value"]].round(2).to_string(index=False))
        other_layer  value
                  0   1.00
                  1   0.53
                  2   0.23
    """
    progress = sys.stderr.isatty() if progress is None else progress
    known = _named("similarities", similarities, SIMILARITIES)
    recorded = []
    _require_counts(samples=samples, batch_size=batch_size)
    with torch.random.fork_rng([]):
        # Read once: a loader may shuffle.
        inputs = whole("inputs", _given("inputs", inputs), samples)
    for key, given, names in (("one", one, layers), ("other", other, other_layers)):
        module = _read_module(key, given)
        chosen = layer_names(module, names)
        with left_as_it_was(module):
            points, _ = read_points("inputs", inputs, None, module, samples)
            size = batch_size or fitting_batch_size(module, points)
            with named_refusals(", ".join(known)):
                recorded.append(layer_activations(module, chosen, points, size))
        for name in sorted(set(names or ()) - set(recorded[-1])):
            raise InputError(
                f"layers of {key} must be used once and return a tensor, unlike {name!r}."
            )
    functions = {name: _with_settings(name, settings) for name, settings in known.items()}
    for name, function in functions.items():
        _refuse_settings(name, function)
    rows = []
    for similarity, function in functions.items():
        for layer, a in recorded[0].items():
            for other_layer, b in recorded[1].items():
                unknown = [name for name, x in ((layer, a), (other_layer, b)) if x is None]
                rows.append(_unknown(unknown[0], points) if unknown else _compared(function, a, b))
                rows[-1] |= {"layer": layer, "other_layer": other_layer, "similarity": similarity}
                if progress:
                    sys.stderr.write(f"{similarity} {layer} {other_layer} {rows[-1]['value']}\n")
    columns = ["layer", "other_layer", "similarity", "value", "null", "held_out", "status"]
    return pd.DataFrame(rows, columns=[*columns, "samples"])


def _read_module(key: str, module: nn.Module) -> nn.Module:
    """Return a module that can be measured, without what ``torch.compile`` wraps around it.

    Raises:
        InputError: If it is no module, or has no parameters yet.
    """
    if not isinstance(module, nn.Module):
        raise InputError(
            f"{key} must be a torch.nn.Module, not {with_article(type(module).__name__)}."
        )
    refuse_empty(module)
    return unwrapped(module)


def _given(key: str, data: Data) -> Data:
    """Return data that are there.

    Raises:
        InputError: If they are None.
    """
    if data is None:
        raise InputError(f"{key} must be a tensor, an array, a Dataset or a DataLoader, not None.")
    return data


def _require_counts(fewest: int = 1, **counts: int | None) -> None:
    """Refuse counts that are given and are none.

    Args:
        fewest: The least that they may be.

    Raises:
        InputError: If one is no integer, or is less.
    """
    for name, count in counts.items():
        known = isinstance(count, int | np.integer) and not isinstance(count, bool)
        if count is not None and not (known and count >= fewest):
            need = "a positive integer" if fewest == 1 else f"an integer of at least {fewest}"
            raise InputError(f"{name} must be {need}, not {count!r}.")


def _deviations(given: Data, points: Tensor) -> Tensor:
    """Return the pixels per unit of every input.

    Raises:
        InputError: If they are not one positive number, or one for each of the inputs.
    """
    try:
        found = torch.as_tensor(given, dtype=torch.float64, device=points.device)
    except (TypeError, ValueError, RuntimeError):
        found = torch.empty(0, 0)
    if found.shape not in ((), (1,), (len(points),)) or not (found > 0).all():
        raise InputError(
            "pixel_deviations must be one positive number, or one for each of the "
            f"{len(points)} inputs, not {given!r}."
        )
    return found.expand(len(points))


def _chosen_measures(
    measures: str | Sequence[str] | Mapping[str, Any],
) -> Iterator[tuple[str, Callable[..., Tensor]]]:
    """Functions of measures with their settings."""
    functions = {}
    if isinstance(measures, Mapping):
        functions = {name: one for name, one in measures.items() if callable(one)}
        measures = {name: one for name, one in measures.items() if name not in functions}
    for name, settings in _named("measures", measures, MEASURES).items():
        yield name, _with_settings(name, settings)
    yield from functions.items()


def _named(
    key: str, chosen: str | Sequence[str] | Mapping[str, Any], known: Mapping[str, Any]
) -> dict[str, Mapping[str, Any]]:
    """Name → settings of what was chosen.

    Raises:
        InputError: If a name is not known, or there are no names.
    """
    if isinstance(chosen, str):
        chosen = list(known) if chosen == "all" else [chosen]
    if not isinstance(chosen, Mapping | Sequence):
        raise InputError(f"{key} must be 'all', names or settings by name, not {chosen!r}.")
    named = dict(chosen) if isinstance(chosen, Mapping) else {name: {} for name in chosen}
    for name in named:
        if name not in known:
            near = get_close_matches(name, known) or sorted(known)
            raise InputError(f"{key} must be among {', '.join(near)}, not {name!r}.")
    return named


def _with_settings(name: str, settings: Mapping[str, Any]) -> Callable[..., Any]:
    """Function of a measure or a similarity, with its settings.

    Raises:
        InputError: If it has no such setting.
    """
    function = imported(place_of(name))
    parameters = signature(function).parameters.values()
    known = [one.name for one in parameters if one.kind is Parameter.KEYWORD_ONLY]
    if not isinstance(settings, Mapping):
        raise InputError(f"Settings of {name} must be a dictionary, not {settings!r}.")
    for setting in settings:
        if setting not in known:
            these = ", ".join(known) or "none"
            raise InputError(f"Settings of {name} must be among {these}, not {setting!r}.")
    return partial(function, **settings)


def _refuse_settings(name: str, function: partial[Any]) -> None:
    """Refuse settings of a similarity that cannot be meant, by two layers that have a value.

    Raises:
        InputError: If the function refuses them, or they are of another type than it takes.
    """
    try:
        function(TRIAL, TRIAL)
    except TypeError as error:
        said = str(error).rstrip(".")
        raise InputError(
            f"Settings of {name} must have the types of their defaults, not "
            f"{function.keywords!r} ({said})."
        ) from error


def _unknown(layer: str, inputs: Tensor) -> dict[str, Any]:
    """Row of a layer whose units cannot be told from positions."""
    status = f"layers must have units on an axis that is known, unlike {layer!r}"
    return {"value": np.nan, "status": status, "samples": len(inputs)}


def _compared(function: Callable[..., Any], a: Tensor, b: Tensor) -> dict[str, Any]:
    """Similarity of two recorded layers."""
    try:
        score = function(*samples_by_units(a, b))
    except ValueError as error:
        return {"value": np.nan, "status": reason_of(error), "samples": len(a)}
    return {
        name: getattr(score, name) for name in ("value", "null", "held_out", "status", "samples")
    }

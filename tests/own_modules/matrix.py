"""What every measure, profile and similarity says to every kind of module."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from inspect import signature
from typing import Any
from unittest.mock import patch
from warnings import catch_warnings, simplefilter

import pandas as pd
import torch
from own_modules.cases import SAMPLES, Case, labels
from torch import Generator, Tensor, nn

from generalization.catalog import (
    FUNCTIONS,
    SIMILARITIES,
    place_of,
)
from generalization.errors import NoValue
from generalization.hyperparameters import Hyperparameters
from generalization.networks.sharing import Results, sharing_results
from generalization.own_networks import compare
from generalization.signatures import imported, named_by

# Fewer points, draws and steps than by default: the modules are small.
QUICK = {
    "grid_points": 16,
    "probes": 4,
    "random_samples": 20,
    "draws": 2,
    "repeats": 2,
    "steps": 4,
    "samples": 8,
    "ascent_steps": 2,
    "chains": 1,
    "chain_steps": 20,
}

PIXEL_DEVIATIONS = torch.ones(SAMPLES, dtype=torch.float64)

# These are given the course of the training loss, and no network.
OF_TRAINING = ("steps_to_loss", "steps_between_losses")
OF_MODULES = tuple(name for name in FUNCTIONS if name not in OF_TRAINING)


@dataclass(frozen=True)
class Outcome:
    """What a function says to a module.

    Attributes:
        values: Numbers, if it returned any.
        refusal: The sentence of its ValueError, or of the warning with which it returned no number.
        error: Any other exception.
        changed: What it changed of the module.
    """

    values: Tensor | None = None
    refusal: str = ""
    error: str = ""
    changed: tuple[str, ...] = ()

    @property
    def sign(self) -> str:
        """Sign in the matrix."""
        if self.values is None:
            return "–"
        return "✓" if self.values.isfinite().all() else "NaN"


def state(module: nn.Module) -> dict[str, Any]:
    """Return everything of a module that a measure must leave as it is."""
    found: dict[str, Any] = {}
    for name, part in module.named_modules():
        found[f"mode of {name}"] = part.training
        for kind in ("forward", "forward_pre", "backward"):
            found[f"{kind} hooks of {name}"] = len(getattr(part, f"_{kind}_hooks"))
        tensors = {**part._parameters, **part._buffers}
        for key, tensor in tensors.items():
            if tensor is not None:
                found[f"{key} of {name}"] = (id(tensor), tensor.dtype, tensor.requires_grad)
                bits = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
                found[f"values of {key} of {name}"] = bits.numpy().tobytes()
                found[f"gradient of {key} of {name}"] = tensor.grad
    return found


def difference(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, ...]:
    """Name what is not as it was."""
    return tuple(name for name in {**before, **after} if before.get(name) != after.get(name))


def seen(module: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits and the inputs of the last linear layer, as a researcher records them."""
    module, features = copy.deepcopy(module).eval(), [inputs.flatten(1)]
    for layer in [one for one in module.modules() if isinstance(one, nn.Linear)][-1:]:
        layer.register_forward_pre_hook(lambda _, given: features.append(given[0]))
    with torch.no_grad():
        logits = module(inputs)
    return getattr(logits, "logits", logits), features[-1]


@cache
def fitted_labels(case: Case) -> Tensor:
    """Return the classes that the network predicts: many measures need a training set that fits."""
    logits, _ = seen(case.module(), case.inputs())
    predicted = logits.argmax(-1) if logits.dim() == 2 and logits.shape[1] > 1 else labels()
    return predicted if predicted.unique().numel() > 1 else labels()


@cache
def inputs_of(case: Case, dtype: torch.dtype) -> Tensor:
    """Return the inputs of a case, which are the same memory for all functions."""
    return case.inputs().to(dtype)


@cache
def train_inputs_of(case: Case, dtype: torch.dtype) -> Tensor:
    """Return training images of the same values, in memory of their own."""
    return inputs_of(case, dtype).clone()


def given(
    function: Callable[..., Any], module: nn.Module, case: Case, inputs: Tensor
) -> dict[str, Any]:
    """Return what a measure, a profile or a measure of pairs names."""
    labels_, named = fitted_labels(case), signature(function).parameters
    offered = {
        "networks": module,
        "trained_networks": module,
        "inputs": inputs,
        "labels": labels_,
        "pixel_deviations": PIXEL_DEVIATIONS,
        "train_inputs": train_inputs_of(case, inputs.dtype),
        "train_labels": labels_,
        "hyperparameters": Hyperparameters(dataset="digits"),
        "evaluated_steps": torch.tensor([[0.0, 1.0, 2.0]], dtype=torch.float64),
        "evaluated_losses": torch.tensor([[2.0, 0.1, 0.01]], dtype=torch.float64),
        "init_scale": 1.0,
        "loss": "cross_entropy",
        "generator": Generator().manual_seed(3),
        "shared_generator": Generator().manual_seed(4),
        "members": pd.DataFrame({"seed": [0], "step": [0], "final": [True]}),
        "recorded": None,
    }
    if "initial_networks" in named:
        offered["initial_networks"] = halved(module)
    if "logits_a" in named or "features_a" in named:
        offered |= of_pair(module, halved(module), inputs)
    return named_by(function, offered)


@torch.no_grad()
def halved(module: nn.Module) -> nn.Module:
    """Return a copy with half of every parameter."""
    module = copy.deepcopy(module)
    for parameter in module.parameters():
        parameter.mul_(0.5)
    return module


def of_pair(one: nn.Module, other: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
    """Return what measures of pairs are given of two networks."""
    found = {}
    for side, network in (("a", one), ("b", other)):
        logits, features = seen(network, inputs)
        found[f"logits_{side}"], found[f"features_{side}"] = logits[None], features[None]
        found[f"train_accuracy_{side}"] = torch.ones(1, dtype=torch.float64)
    return found


def settings(function: Callable[..., Any]) -> dict[str, Any]:
    """Return quick settings of a function."""
    return {name: value for name, value in QUICK.items() if name in signature(function).parameters}


def values_of(found: Any) -> Tensor:
    """Return the numbers of a result, whatever its kind."""
    if isinstance(found, Tensor):
        return found.double().flatten()
    return torch.tensor(found.select_dtypes("number").to_numpy(dtype=float)).flatten()


def arguments(
    name: str, module: nn.Module, case: Case, dtype: torch.dtype | None = None
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return a function and all that it is given for a module.

    Args:
        dtype: Of the inputs, if it is not that of the case.
    """
    inputs = inputs_of(case, dtype or case.dtype)
    if name in SIMILARITIES:
        return similarity, {"name": name, "module": module, "inputs": inputs}
    function = imported(place_of(name))
    return function, given(function, module, case, inputs) | settings(function)


def similarity(name: str, module: nn.Module, inputs: Tensor) -> Tensor:
    """Return a similarity of all pairs of layers of a module.

    Raises:
        ValueError: If a pair of layers is refused.
    """
    table = compare(module, module, inputs, similarities=name)
    for status in table["status"]:
        if status.startswith(f"{name}: "):
            raise ValueError(status)
    return torch.tensor(table["value"].to_numpy())


@contextmanager
def short_spectra() -> Iterator[None]:
    """Let spectra of few eigenvalues count: those of the modules are no longer."""
    with patch("generalization.measures.spectra.SMALLEST_SPECTRUM", 3):
        yield


def outcome_of(
    name: str, module: nn.Module, case: Case, dtype: torch.dtype | None = None
) -> Outcome:
    """Call a function with a module, as ``arguments`` gives it."""
    function, named = arguments(name, module, case, dtype)
    before = state(module)
    found, refusal, error = None, "", ""
    try:
        with catch_warnings(record=True) as warned, short_spectra():
            simplefilter("always", UserWarning)
            found = values_of(function(**named))
        reasons = [one.message for one in warned if isinstance(one.message, NoValue)]
        if reasons and not found.isfinite().any():
            found, refusal = None, f"{name} has no value: {reasons[-1]}."
    except ValueError as raised:
        refusal = str(raised)
    except Exception as raised:  # What a test shall report.
        error = f"{type(raised).__name__}: {raised}"
    return Outcome(found, refusal, error, difference(before, state(module)))


@cache
def shared(case: Case) -> tuple[nn.Module, Results]:
    """Return the module that all functions are given, and what they share of it, as in ``measure``.

    A function that changed the module would be named, since it must be left as it was.
    """
    return case.module(), {}


@cache
def outcome(name: str, case: Case) -> Outcome:
    """Call a function with the module of a case."""
    module, results = shared(case)
    with sharing_results(results):
        return outcome_of(name, module, case)

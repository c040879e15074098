"""What every measure, profile and similarity says to every kind of module."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any
from warnings import catch_warnings, simplefilter

import pandas as pd
import torch
from own_modules.cases import CASES, SAMPLES, Case, labels
from torch import Generator, Tensor, nn

from generalization.catalog import (
    ENSEMBLE_MEASURES,
    FUNCTIONS,
    MEASURES,
    PROFILES,
    SIMILARITIES,
    place_of,
)
from generalization.errors import NoValue
from generalization.hyperparameters import Hyperparameters
from generalization.signatures import imported, named_by

# Fewer points and draws than by default: the modules are small.
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
                found[f"values of {key} of {name}"] = bits.tolist()
                found[f"gradient of {key} of {name}"] = tensor.grad
    return found


def difference(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, ...]:
    """Name what is not as it was."""
    return tuple(name for name in {**before, **after} if before.get(name) != after.get(name))


def fitted_labels(case: Case) -> Tensor:
    """Return the classes that the network predicts: many measures need a training set that fits."""
    module = case.module().eval()
    with torch.no_grad():
        logits = module(case.inputs())
    logits = getattr(logits, "logits", logits)
    predicted = logits.argmax(-1) if logits.dim() == 2 and logits.shape[1] > 1 else labels()
    return predicted if predicted.unique().numel() > 1 else labels()


def given(module: nn.Module, case: Case) -> dict[str, Any]:
    """Return all that measures and profiles may name."""
    inputs, labels_ = case.inputs(), fitted_labels(case)
    initial = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in initial.parameters():
            parameter.mul_(0.5)
    return {
        "networks": module,
        "trained_networks": module,
        "initial_networks": initial,
        "inputs": inputs,
        "labels": labels_,
        "pixel_deviations": torch.ones(SAMPLES, dtype=torch.float64),
        "train_inputs": inputs.clone(),
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


def settings(function: Callable[..., Any]) -> dict[str, Any]:
    """Return quick settings of a function."""
    return {name: value for name, value in QUICK.items() if name in signature(function).parameters}


def values_of(found: Any) -> Tensor:
    """Return the numbers of a result, whatever its kind."""
    if isinstance(found, Tensor):
        return found.double().flatten()
    if isinstance(found, pd.DataFrame):
        return torch.tensor(found.select_dtypes("number").to_numpy(dtype=float)).flatten()
    return torch.tensor([found.value], dtype=torch.float64)


def arguments(name: str, module: nn.Module, case: Case) -> tuple[Callable[..., Any], dict]:
    """Return a function and all that it is given for a module."""
    function = imported(place_of(name))
    return function, named_by(function, given(module, case)) | settings(function)


def outcome(name: str, case: Case) -> Outcome:
    """Call a measure or a profile with a module."""
    module = case.module()
    function, named = arguments(name, module, case)
    before = state(module)
    found, refusal, error = None, "", ""
    try:
        with catch_warnings(record=True) as warned:
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


OF_MODULES = (*MEASURES, *PROFILES)
assert {*OF_MODULES, *SIMILARITIES, *ENSEMBLE_MEASURES} == set(FUNCTIONS)

# Tens of seconds over all kinds, by the same kernels as others: of these, few kinds only.
SLOW = {
    *("gauss_newton_eigenvalue", "local_learning_coefficient"),
    *(name for name in MEASURES if MEASURES[name].file in {"pac_bayes", "worst_case_flatness"}),
}


def printed(names: Sequence[str] = OF_MODULES, cases: Sequence[Case] = CASES) -> str:
    """Return the page of the documentation: value or refusal of every function and kind."""
    rows, sentences = [], dict[str, list[str]]()
    for name in names:
        cells = []
        for case in cases:
            said = outcome(name, case)
            number = said.values is not None and bool(said.values.isfinite().all())
            cells.append("✓" if number else "NaN" if said.values is not None else "–")
            if said.refusal:
                sentence = said.refusal.replace(name, "MEASURE")
                sentences.setdefault(sentence, []).append(f"{name} of “{case.name}”")
        rows.append(f"| `{name}` | {' | '.join(cells)} |")
    numbers = range(1, len(cases) + 1)
    kinds = [f"{number}. {case.name}" for number, case in zip(numbers, cases, strict=True)]
    head = f"| measure or profile | {' | '.join(map(str, numbers))} |"
    rule = "|---" * (len(cases) + 1) + "|"
    refused = [f"* {sentence} ({len(of)}, as {of[0]})" for sentence, of in sentences.items()]
    return "\n".join([HEADING, *kinds, "", head, rule, *rows, "", REFUSED, *refused, ""])


HEADING = """# Kinds of modules

Every measure and profile, given every kind of module of `tests/own_modules/cases.py`: ✓ a value,
NaN none for this network (a layer on which nothing depends), – a refusal in one sentence, or the
reason why such a network has no value. Made by
`PYTHONPATH=tests:. python -m own_modules.matrix > docs/modules.md`.
"""
REFUSED = "## Refusals\n"

if __name__ == "__main__":
    sys.stdout.write(printed())

"""Measures of one ``torch.nn.Module`` that no study has trained: the row of each.

Args:
    like: A tensor with the dtype and on the device of the parameters.
    samples: Number of points that are used, the first ones; all by default.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from inspect import Parameter, signature
from typing import Any
from warnings import WarningMessage, catch_warnings, simplefilter

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.data import (
    DataLoader,
    RandomSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from generalization.bearable_costs import bearable, is_ours
from generalization.devices import SHARE_OF_MEMORY, halving_memory, usable_memory
from generalization.errors import Approximated, InputError, in_order, reason_of
from generalization.given_data import Data, as_tensor, collected
from generalization.networks.activation_calls import pools_maxima
from generalization.networks.differentiability import refuse_foreign_parameters, watched
from generalization.networks.integer_inputs import needs_integers
from generalization.networks.modules import evaluation_mode
from generalization.networks.reading import kernels_with_all_derivatives
from generalization.networks.sharing import once
from generalization.offered import checked_values
from generalization.randomness import generator_for
from generalization.refusals import named_refusals, with_name
from generalization.signatures import named_by
from generalization.standard_errors import collecting_standard_errors

SAMPLED = {"sampled_transitions"}
COUNTED = {"transitions", "sampled_transitions"}
FEW = 2  # Images on which the error of sampling is estimated.
CONVERGED = {"gauss_newton_eigenvalue"}  # Random numbers begin an iteration, and change no digit.
DRAWN = {"generator", "shared_generator"}
# What an argument of ``measure`` gives to measures; the rest of the needs is given by the call.
GIVEN_BY = {
    "train_inputs": "labels or train",
    "train_labels": "labels or train",
    "initial_networks": "initial",
    "init_scale": "init_scale",
}
BATCHES = (1, 1024)
# ASSUME: so many at once for an input; one with 1,000 classes took 14 MB, of which each has 4 MB.
MATRICES_OF_CLASSES = 4


def measured_row(
    name: str,
    function: Callable[..., Tensor],
    module: nn.Module,
    offered: Mapping[str, Any],
    repeats: int,
    seed: int,
) -> dict[str, Any]:
    """Compute the row of a measure, with what makes it bearable on a large network."""
    began = time.perf_counter()
    lacking = _lacking(function, offered)
    if lacking:
        return measure_row(name, f"{name} needs {' and '.join(lacking)}: {_remedy(lacking)}")
    try:
        if is_ours(name, function):  # Also where it is given weights alone.
            once(refuse_foreign_parameters, module, offered["inputs"][:1])
        function, offered, reduced = bearable(name, function, module, offered)
    except InputError as error:
        return measure_row(name, with_name(name, reason_of(error)))
    values: list[Tensor] = []
    warned: list[WarningMessage] = []
    own_errors: list[Tensor] = []  # Of every repeat, over the draws within it.
    draws = [False]  # Whether the last repeat drew from the generator that it was given.
    for repeat in range(repeats):

        def compute(repeat: int = repeat) -> Tensor:
            generator = generator_for(name, seed, repeat)
            before = generator.get_state()
            given = {**offered, "generator": generator, "shared_generator": generator}
            known = watched(module) if is_ours(name, function) else nullcontext()
            with named_refusals(name), collecting_standard_errors() as told, known:
                found = function(**named_by(function, given))
            own_errors[repeat:] = told[-1:]
            draws[0] = not torch.equal(generator.get_state(), before)
            return found

        try:
            with catch_warnings(record=True) as of_repeat:
                simplefilter("always")
                found = halving_memory(f"measure {name}", compute)
            warned = [one for one in warned if not isinstance(one.message, Approximated)]
            warned += of_repeat  # An approximation is told as of the last repeat.
            values.append(checked_values(name, found, 1).double().reshape(-1).cpu())
        except Exception as error:  # One measure that fails leaves the others.
            return measure_row(name, with_name(name, reason_of(error)))
        if not is_drawn(name, function, draws[0]):
            break
        if repeat and torch.equal(values[0], values[1]):
            break  # Other random numbers change nothing: a closed form.
    drawn = len(values) > 1 and not torch.equal(values[0], values[1])
    messages = in_order(warned)
    approximated = [one for one in messages if isinstance(one, Approximated)]
    notes = [approximations(approximated)] if approximated else []
    if name in SAMPLED and len(approximated) == len(messages):
        notes = [_note_of_sampling(function, module, offered["inputs"], values[0])]
    if name in COUNTED and pools_maxima(module, offered["inputs"][:1]):
        notes.append("; ".join([*notes[-1:], "switches of max-pooling are not counted"]))
    if not drawn:
        values = values[:1]
    one_per_repeat = torch.stack([one.mean() for one in values])
    over = values[0] if len(values[0]) > 1 else one_per_repeat
    error = over.std() / len(over) ** 0.5 if len(over) > 1 else torch.tensor(torch.nan)
    value = one_per_repeat.mean().item()
    pooled = torch.tensor([one.item() for one in own_errors[: len(values)]]).double()
    if len(pooled) == len(values) and pooled.isnan().all():
        error = torch.tensor(torch.nan)  # Of a single input that has a value.
    elif len(pooled) == len(values) and (pooled.isfinite() & (pooled > 0)).all():
        if len(values[0]) > 1 and notes and value:
            notes.append(f"{notes[-1]}; ±{error.item() / abs(value):.1%} over inputs")
        error = pooled.norm() / len(pooled)
    if reduced:
        if drawn and value:
            apart = (one_per_repeat.std() / len(values) ** 0.5).item() / abs(value)
            reduced = f"{reduced}, ±{apart:.1%} over repeats"
        notes = ["; ".join([reduced, *notes[-1:]])]
    others = [one for one in messages if one not in approximated]
    reasons = (" ".join(str(one).split()).rstrip(".") for one in others)
    said = [f"{name} has no value: {one}." for one in reasons]
    reason = [f"{name} is {value}, not a finite number", *said][-1]
    return measure_row(
        name,
        "ok" if np.isfinite(value) else reason,
        value=value,
        standard_error=error.item(),
        method=method_of(approximated, drawn=drawn or bool(reduced)),
        inputs=len(offered["inputs"]),
        seconds=time.perf_counter() - began,
        note=notes[-1] if notes and np.isfinite(value) else "",
    )


def approximations(messages: Iterable[Approximated]) -> str:
    """Say how a value is approximated: each way once, in the order of the messages."""
    return "; ".join(dict.fromkeys(" ".join(str(one).split()) for one in messages))


def method_of(messages: Iterable[Approximated], *, drawn: bool) -> str:
    """Return how a value was found: ``exact``, ``sampled`` or ``searched``.

    Args:
        messages: Warnings of the measure about its approximations. A search of samples is a search.
        drawn: Whether it depends on random numbers.
    """
    methods = {one.method for one in messages} | ({"sampled"} if drawn else set())
    return next((one for one in ("searched", "sampled") if one in methods), "exact")


def is_drawn(name: str, function: Callable[..., Tensor], draws: bool) -> bool:
    """Return whether a measure may depend on random numbers; arguments as of ``_may_vary``."""
    return name not in CONVERGED and _may_vary(function, draws)


def _may_vary(function: Callable[..., Tensor], draws: bool) -> bool:
    """Return whether other random numbers may give another value.

    Args:
        function: A measure.
        draws: Whether it drew from its generator, which counts if the generator is optional. Others
            may draw from a copy.
    """
    parameters = signature(function).parameters
    optional = [parameters[one].default is not Parameter.empty for one in DRAWN & {*parameters}]
    return draws if optional and all(optional) else bool(optional)


def _note_of_sampling(
    function: Callable[..., Tensor], module: nn.Module, inputs: Tensor, counts: Tensor
) -> str:
    """Say how many transitions are missed, which is inversely proportional to the points."""
    points = _grid_points(function)
    note = f"sampled at {points} points"
    if counts[:FEW].sum() == 0 or points < 4:
        return note
    with catch_warnings():
        simplefilter("ignore")
        few = function(networks=module, inputs=inputs[:FEW], grid_points=points // 2)
    fewer = few.sum().item()
    return f"{note}, about {1 - fewer / counts[:FEW].sum().item():.1%} below the exact count"


def _grid_points(function: Callable[..., Tensor]) -> int:
    return signature(function).parameters["grid_points"].default


def measure_row(name: str, status: str, **values: Any) -> dict[str, Any]:
    """Row of a measure, without a value unless it is given."""
    empty = {"value": np.nan, "standard_error": np.nan, "method": "", "inputs": 0, "seconds": 0.0}
    return {"measure": name, "status": status, **empty, "note": "", **values}


def _remedy(lacking: list[str]) -> str:
    """Say which arguments of ``measure`` give what is lacking."""
    if {"hyperparameters", "evaluated_steps"} & {*lacking}:
        return "only networks of a study have them"
    return "give " + " and ".join(dict.fromkeys(GIVEN_BY.get(need, need) for need in lacking))


def _lacking(function: Callable[..., Tensor], offered: Mapping[str, Any]) -> list[str]:
    """Arguments without a default that are not given."""
    known = {*offered, *DRAWN}
    parameters = signature(function).parameters.items()
    return [one for one, it in parameters if it.default is Parameter.empty and one not in known]


def tensor_like(module: nn.Module) -> Tensor:
    """Return a tensor with the dtype and on the device of a module's parameters."""
    tensors = (*module.parameters(), *module.buffers())
    return next((one for one in tensors if one.is_floating_point()), torch.empty(0))


def read_points(
    key: str, data: Data, labels: Data, module: nn.Module, samples: int | None
) -> tuple[Tensor | None, Tensor | None]:
    """Return inputs and labels as tensors: the first ones, in the dtype of the weights.

    Integers stay integers where the module takes no other numbers, as an embedding of tokens does.

    Raises:
        InputError: If they are none, not finite numbers, or not as many labels as inputs.
    """
    if data is None:
        return None, None
    if isinstance(data, Tensor | np.ndarray):
        inputs = as_tensor(key, data)
    else:
        inputs, labels = collected(key, data, labels, samples)
    if inputs.dim() < 2 or inputs.is_complex():
        raise InputError(
            f"{key} must be real numbers of shape (samples, *features), not {inputs.dtype} of "
            f"shape {tuple(inputs.shape)}."
        )
    like = tensor_like(module)
    inputs = inputs[:samples].detach().to(like.device)
    if not len(inputs):
        raise InputError(f"{key} must hold at least one input, not none.")
    whole = not inputs.is_floating_point() and needs_integers(module, inputs)
    inputs = inputs.long() if whole else inputs.to(like.dtype)
    finite = inputs.flatten(1).isfinite().all(1)
    if not finite.all():
        raise InputError(
            f"{key} must be finite in {inputs.dtype}, but input {finite.int().argmin()} is not."
        )
    if labels is None:
        return inputs, None
    labels = as_tensor(f"labels of {key}", labels)[:samples].detach().to(like.device)
    if labels.is_floating_point() or labels.dim() != 1 or len(labels) != len(inputs):
        raise InputError(
            f"labels of {key} must be {len(inputs)} integers, one per input, not "
            f"{labels.dtype} of shape {tuple(labels.shape)}."
        )
    return inputs, labels.long()


def whole(key: str, data: Data, samples: int | None) -> Tensor:
    """Return all inputs as a tensor, of which a ``Dataset`` or a ``DataLoader`` is read once."""
    known = isinstance(data, Tensor | np.ndarray)
    return as_tensor(key, data) if known else collected(key, data, None, samples)[0]


SHUFFLING = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)


def refuse_shuffled(key: str, data: Data, given: str) -> None:
    """Refuse a ``DataLoader`` whose order is random beside what is given in an order.

    Args:
        given: Argument that has one entry for each input.

    Raises:
        InputError: If its sampler draws.
    """
    if isinstance(data, DataLoader):
        sampler = getattr(data.batch_sampler, "sampler", data.sampler)
        if isinstance(sampler, SHUFFLING) or getattr(sampler, "shuffle", False):
            raise InputError(
                f"{key} must be in the order of {given}, not in that of a DataLoader which "
                "shuffles: let it give pairs, or set shuffle=False."
            )


def fitting_batch_size(module: nn.Module, inputs: Tensor) -> int:
    """Return how many inputs' activations, with a graph, fit into a quarter of the free memory.

    They are what the parts of a module return, and what gradients need, such as the products of
    queries and keys. Beside them there are some matrices of classes by classes, as the Jacobian of
    a softmax has.
    """
    returned: list[int] = []  # bytes
    needed: dict[int, int] = {}  # place in memory → bytes; not of parameters, of any batch the same

    def count(_: nn.Module, __: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            returned.append(output.nbytes)

    def keep(tensor: Tensor) -> Tensor:
        memory = tensor.untyped_storage()
        needed.setdefault(memory.data_ptr(), memory.nbytes())
        return tensor

    hooks, first = [], inputs[:1].detach()
    try:
        for one in (*module.parameters(), *module.buffers(), first):
            needed[one.untyped_storage().data_ptr()] = 0
        hooks += [one.register_forward_hook(count) for one in module.modules()]
        first.requires_grad_(first.is_floating_point())
        with (
            evaluation_mode(module),
            kernels_with_all_derivatives(),
            torch.enable_grad(),
            saved_tensors_hooks(keep, lambda kept: kept),
        ):
            output = module(first)
        logits = getattr(output, "logits", output)
        of_classes = MATRICES_OF_CLASSES * logits.element_size() * logits.shape[-1] ** 2
    except Exception:
        return BATCHES[1]  # The measures say what is wrong with it.
    finally:
        for hook in hooks:
            hook.remove()
    each = max(sum(returned), sum(needed.values())) + of_classes
    room = int(SHARE_OF_MEMORY * usable_memory(inputs.device) / max(1, each))
    return min(max(room, BATCHES[0]), BATCHES[1])

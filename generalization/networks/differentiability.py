"""Whether torch can differentiate all that a module computes, and what to say where it cannot.

Args:
    module: A module of a user, in eval mode.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.overrides import TorchFunctionMode

from generalization.errors import InputError
from generalization.networks.bending import is_feature, leaves, mark_feature
from generalization.networks.finite_differences import FORWARD, has_true_derivatives
from generalization.networks.integer_inputs import refuse_integers, takes_integers
from generalization.networks.modules import is_of_torch, kind_of, owned_tensors
from generalization.networks.sharing import once
from generalization.refusals import with_article

# What torch says of modules that it cannot differentiate or batch, and what they lack.
IMPOSSIBLE = {
    "to not have been used in the graph": "logits that depend smoothly on the inputs",
    "does not require grad and does not have a grad_fn": "logits that have derivatives",
    "One of the differentiated Tensors does not require grad": "logits that have derivatives",
    "inside of a function being transformed by a functorch": "layers that take no gradients",
    "linalg.eigh: The algorithm failed to converge": "finite derivatives of logits",
    "Trying to use forward AD": "layers that have forward derivatives",
    "must implement the jvp function": "layers that have forward derivatives",
    "vmap: It looks like you're": "layers that torch.vmap can batch",
    "Batching rule not implemented": "layers that torch.vmap can batch",
    "data-dependent control flow": "layers that torch.vmap can batch",
    "does not have vmap support": "layers that torch.vmap can batch",
    "must override the setup_context": "layers whose autograd.Function has a setup_context",
    "marked with @once_differentiable": "layers that can be differentiated twice",
    "Cannot access data pointer": "layers that are computed by functions of torch",
    "The stateless API can't be used": "parameters that can be replaced",
    "is not supported on ScriptModules": "layers that are written in Python",
}
FEW = 4  # Inputs that tell log-probabilities.
TO_NUMPY = {"numpy", "__array__"}


@dataclass(frozen=True)
class Read:
    """A network as a measure reads it.

    Attributes:
        inputs: Points of the measure, if it has any.
        by_arrays: Whether arrays compute a part of it.
        true: Results of ``has_true_derivatives``, by what values are differentiated by.
    """

    module: nn.Module
    inputs: Any
    by_arrays: bool
    true: dict[str, bool] = field(default_factory=dict)

    def require(self, by: str) -> None:
        """Refuse derivatives that are not those of values.

        Raises:
            InputError: If they are not.
        """
        if not isinstance(self.inputs, Tensor) or not len(self.inputs):
            return
        found = with_article(kind_of(self.module))
        if "inputs" in by and takes_integers(self.module):
            refuse_integers(kind_of(self.module))
        if self.by_arrays:
            raise InputError(f"networks must have logits with derivatives, not those of {found}.")
        if by not in self.true:
            self.true[by] = once(has_true_derivatives, self.module, self.inputs, by)
        if not self.true[by]:
            raise InputError(
                f"networks must have logits with derivatives by {by} that are those of their "
                f"values, not those of {found}, which cuts or replaces gradients."
            )

    def require_logits(self) -> None:
        """Refuse log-probabilities, which softmax takes for logits, but are others.

        Raises:
            InputError: If the exponentials of every row of a few sum to 1.
        """
        if not isinstance(self.inputs, Tensor) or not len(self.inputs):
            return
        if once(_are_log_probabilities, self.module, self.inputs[:FEW]):
            raise InputError(
                "networks must return logits, not log-probabilities as "
                f"{with_article(kind_of(self.module))} does: drop the last log_softmax."
            )


@torch.no_grad()
def _are_log_probabilities(module: nn.Module, inputs: Tensor) -> bool:
    sums = module(inputs).logsumexp(1)
    return torch.allclose(sums, torch.zeros_like(sums), atol=1e-5)


_read: ContextVar[tuple[Read, ...]] = ContextVar("read", default=())


@contextmanager
def reading(networks: Sequence[Read]) -> Iterator[None]:
    """Let ``needs_derivatives`` ask these networks within the block."""
    token = _read.set(tuple(networks))
    try:
        yield
    finally:
        _read.reset(token)


def needs_derivatives(by: str, *, forward: str = "") -> None:
    """Refuse to differentiate the networks that a measure reads if torch gives other derivatives.

    What differentiates modules calls it before.

    Args:
        by: ``inputs``, ``parameters``, or ``inputs and parameters`` for a mixed second derivative.
        forward: By what they are differentiated in forward mode, ``inputs`` or ``parameters``.

    Raises:
        InputError: If derivatives are not those of values.
    """  # noqa: DOC502
    for network in _read.get():
        for one in ("inputs", "parameters", by) if by == "inputs and parameters" else (by,):
            network.require(one)
        if forward:
            network.require(f"{forward}{FORWARD}")


def needs_logits() -> None:
    """Refuse networks that return log-probabilities.

    What a function of the input that is added to all logits changes calls it.

    Raises:
        InputError: If the network that a measure reads does.
    """  # noqa: DOC502
    for network in _read.get():
        network.require_logits()


class ComingBack(TorchFunctionMode):
    """Notices tensors that a module makes of arrays that it has made of features.

    That it makes arrays is no sign: it may write them to a log.

    Attributes:
        noticed: Whether there are any.
    """

    def __init__(self, module: nn.Module, inputs: Tensor) -> None:
        super().__init__()
        self.known = set(map(id, owned_tensors(module)))
        self.left = self.noticed = False
        mark_feature(inputs)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        given = list(leaves((args, kwargs or {})))
        self.noticed |= self.left and any(map(self._is_unknown, given))
        found = function(*args, **(kwargs or {}))
        features = any(map(is_feature, given))
        # An autograd.Function computes without a graph, and knows its derivatives.
        if features and torch.is_grad_enabled():
            self.left |= getattr(function, "__name__", "") in TO_NUMPY
        for one in leaves(found):
            if isinstance(one, Tensor) and id(one) not in self.known:
                one._is_feature = features
        return found

    def _is_unknown(self, value: Any) -> bool:
        if isinstance(value, Tensor):
            return not hasattr(value, "_is_feature") and id(value) not in self.known
        return isinstance(value, np.ndarray)


class _Used(TorchFunctionMode):
    """Notices parameters that a module computes with.

    Attributes:
        parameters: Those that are not known, by their identity.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.known = set(map(id, module.parameters()))
        self.parameters: dict[int, Tensor] = {}
        self.made: list[Tensor] = []  # Kept, lest another tensor has their identity.

    def __torch_function__(self, function, types, args=(), kwargs=None):
        # What asks a tensor for its shape or its type does not compute with it.
        if getattr(function, "__name__", "") != "__get__":
            for one in leaves((args, kwargs or {})):
                if _is_trained(one) and id(one) not in self.known:
                    self.parameters[id(one)] = one
        found = function(*args, **(kwargs or {}))
        self.made += filter(_is_trained, leaves(found))
        self.known.update(map(id, self.made))
        return found


def _is_trained(value: Any) -> bool:
    """Return whether a value is a parameter, or a leaf like one."""
    if not isinstance(value, Tensor):
        return False
    return isinstance(value, nn.Parameter) or (value.is_leaf and value.requires_grad)


@torch.no_grad()
def refuse_foreign_parameters(module: nn.Module, inputs: Tensor) -> None:
    """Refuse a module that computes with parameters that it holds, but not as its own.

    Raises:
        InputError: If there are any, as of layers in a list.
    """
    if is_of_torch(module):
        return
    with _Used(module) as used, suppress(Exception):  # What fails says so itself.
        module(inputs)
    if used.parameters:
        raise InputError(
            "networks must have all parameters that they compute with in named_parameters, not "
            f"compute with {len(used.parameters)} others as {with_article(kind_of(module))} does."
        )


_watched: ContextVar[nn.Module | None] = ContextVar("watched", default=None)


@contextmanager
def watched(module: nn.Module) -> Iterator[None]:
    """Let ``refuse_held_parameters`` pass a module that ``refuse_foreign_parameters`` passed."""
    token = _watched.set(module)
    try:
        yield
    finally:
        _watched.reset(token)


def refuse_held_parameters(module: nn.Module) -> None:
    """Refuse a module that holds parameters but not as its own, unless it was watched.

    For want of inputs it cannot be seen whether it computes with them.

    Raises:
        InputError: If there are any, as of layers in a list.
    """
    if _watched.get() is module:
        return
    own = set(map(id, module.parameters()))
    of_users = (one for one in module.modules() if not type(one).__module__.startswith("torch."))
    held = (value for part in of_users for value in leaves(list(vars(part).values())))
    found = {
        id(one)
        for value in held
        for one in (value.parameters() if isinstance(value, nn.Module) else [value])
        if isinstance(one, nn.Parameter)
    }
    if found - own:
        raise InputError(
            f"networks must have all their parameters in named_parameters, not hold "
            f"{len(found - own)} others as {with_article(kind_of(module))} does."
        )


def refusal(name: str, modules: Sequence[nn.Module], error: Exception) -> str:
    """Return what a network must have that torch lacked of it; empty if that is not why.

    Args:
        name: Name of the measure that failed.
        modules: The networks that it was given.
        error: Exception that it raised.
    """
    known = isinstance(error, InputError | torch.OutOfMemoryError | MemoryError)
    if known or str(error).startswith("networks must"):
        return ""
    without = [module for module in modules if not any(True for _ in module.parameters())]
    if without:
        found = with_article(type(without[0]).__name__)
        return f"{name} needs networks with parameters, not {found} without."
    lost = sum(int((~one.isfinite()).sum()) for module in modules for one in module.parameters())
    if lost:
        return f"{name} needs networks with finite weights, not with {lost} that are not finite."
    kind = with_article(kind_of(modules[0]))
    for said, need in IMPOSSIBLE.items():
        if said in str(error):
            return f"{name} needs networks with {need}, not {kind}."
    if _is_raised_within(modules, error):
        said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        return f"{name} needs networks that torch can differentiate and batch, not {kind} ({said})."
    return ""


def _is_raised_within(modules: Sequence[nn.Module], error: Exception) -> bool:
    """Return whether an error comes from the code of modules, or of an autograd.Function."""
    # Measures may evaluate copies.
    kinds = {type(part) for module in modules for part in module.modules()}
    trace = error.__traceback__
    while trace is not None:
        values = trace.tb_frame.f_locals
        within = any(isinstance(one, FunctionCtx) for one in values.values())
        if within or type(values.get("self")) in kinds:
            return True
        trace = trace.tb_next
    return False

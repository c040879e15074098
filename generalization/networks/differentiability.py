"""Whether torch can differentiate all that a module computes, and what to say where it cannot.

Args:
    module: A module of a user, in eval mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.overrides import TorchFunctionMode

from generalization.errors import InputError
from generalization.networks.bending import is_feature, leaves, mark_feature
from generalization.networks.modules import Wrapping, kind_of, owned_tensors
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
INTEGERS = {torch.int64, torch.int32}
TO_NUMPY = {"numpy", "__array__"}


class WithoutDerivatives(Wrapping):
    """A module whose logits have no graph, or one with other derivatives than theirs.

    Args:
        body: The module.
        replaced: Whether there are other derivatives.
    """

    def __init__(self, body: nn.Module, replaced: bool = False) -> None:
        super().__init__(body)
        self.replaced = replaced

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits.

        Raises:
            InputError: If they are to be differentiated.
        """
        if torch.is_grad_enabled() or torch._C._functorch.maybe_current_level() is not None:
            found = with_article(kind_of(self))
            raise InputError(
                f"networks must have logits with derivatives that are those of their values, not "
                f"those of {found}, which cuts or replaces gradients."
                if self.replaced
                else f"networks must have logits with derivatives, not those of {found}."
            )
        return self.body(inputs)


class ComingBack(TorchFunctionMode):
    """Notices tensors that a module makes of arrays that it has made of features.

    That it makes arrays is no sign: it may write them to a log.

    Attributes:
        noticed: Whether there are any.
        counts: Whether features become integers, by which other features are chosen.
    """

    def __init__(self, module: nn.Module, inputs: Tensor) -> None:
        super().__init__()
        self.known = set(map(id, owned_tensors(module)))
        self.left = self.noticed = self.counts = False
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
                self.counts |= features and one.dtype in INTEGERS
        return found

    def _is_unknown(self, value: Any) -> bool:
        if isinstance(value, Tensor):
            return not hasattr(value, "_is_feature") and id(value) not in self.known
        return isinstance(value, np.ndarray)


def leads_to(output: Any, inputs: Tensor) -> bool:
    """Return whether the graph of an output has inputs among its leaves, if they can be there."""
    logits = getattr(output, "logits", output)
    if not (isinstance(logits, Tensor) and inputs.requires_grad):
        return True
    return logits is inputs or any(one is inputs for one in _leaves_of(logits))


def refuse_foreign_parameters(module: nn.Module, output: Any) -> None:
    """Refuse logits that depend on parameters that a module holds, but not as its own.

    Raises:
        InputError: If there are any, as of layers in a list.
    """
    logits, own = getattr(output, "logits", output), set(map(id, module.parameters()))
    of_graph = _leaves_of(logits) if isinstance(logits, Tensor) else ()
    foreign = [one for one in of_graph if isinstance(one, nn.Parameter) and id(one) not in own]
    if foreign:
        raise InputError(
            "networks must have all parameters that they compute with in named_parameters, not "
            f"compute with {len(foreign)} others as {with_article(kind_of(module))} does."
        )


def _leaves_of(tensor: Tensor) -> list[Tensor]:
    """Return the leaves of the graph of a tensor."""
    stack, seen, found = [tensor.grad_fn], set(), []
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        if hasattr(node, "variable"):
            found.append(node.variable)
        seen.add(node)
        stack += [source for source, _ in node.next_functions]
    return found


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

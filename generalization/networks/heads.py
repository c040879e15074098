"""What enters the head of a module, the last linear layer: its last hidden layer.

It is what the logits are computed from, whatever has made it: an activation function, a shortcut, a
gate, a normalization, attention or pooling. The activation function that is called last may belong
to a branch inside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from generalization.errors import InputError
from generalization.networks.bending import leaves, writes
from generalization.networks.modules import kind_of, owned_tensors
from generalization.refusals import with_article

PRODUCTS = {"addmm", "linear", "matmul", "mm"}
CONVOLUTIONS = {"conv1d", "conv2d", "conv3d"}
MEANS = {"mean", "avg_pool1d", "avg_pool2d", "avg_pool3d"}
MEANS |= {f"adaptive_{name}" for name in MEANS - {"mean"}}
# Functions that make no hidden layer of inputs.
PREPARING = MEANS | {
    *("add", "clone", "contiguous", "detach", "div", "double", "dropout", "flatten", "float"),
    *("getitem", "half", "iadd", "idiv", "imul", "isub", "movedim", "mul", "neg", "pad", "permute"),
    *("radd", "reshape", "rmul", "rsub", "squeeze", "sub", "to", "transpose", "truediv", "type"),
    *("unflatten", "unsqueeze", "view", "view_as"),
}


@dataclass(frozen=True)
class Head:
    """A call of a linear layer or a convolution.

    Attributes:
        values: What enters it, of every sample.
        axis: Axis of the units; positions are on the others.
        outputs: Number of its outputs.
        averaged: Whether outputs have been averaged, but not chosen or summed.
    """

    values: Float[Tensor, "samples *axes"]
    axis: int
    outputs: int
    averaged: bool = True


class HeadCalls(TorchFunctionMode):
    """Follows outputs of linear layers as long as nothing but constants is joined to them.

    Args:
        module: A module in eval mode.
        samples: Number of inputs.
    """

    def __init__(self, module: nn.Module, samples: int) -> None:
        super().__init__()
        self.constants, self.samples = set(map(id, owned_tensors(module))), samples

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        found = function(*args, **kwargs)
        name = getattr(function, "__name__", "")
        # Arguments may be named in any order.
        named = {key: kwargs[key] for key in ("input", *kwargs) if key in kwargs}
        given = [*leaves((args, named))]
        head = self._entered(name.strip("_"), given, found)
        head = head or self._followed(name.strip("_"), given, found)
        raw = name.strip("_") in PREPARING and any(getattr(one, "_is_raw", False) for one in given)
        depends = any(map(self._may_be_feature, given))
        for one in leaves((found, given[:1] if writes(name) else ())):
            if isinstance(one, Tensor) and id(one) not in self.constants:
                one._head, one._is_raw, one._depends = head, raw, depends
        return found

    def _entered(self, name: str, given: list[Any], found: Any) -> Head | None:
        """Return the call of a linear layer of features."""
        if name not in PRODUCTS | CONVOLUTIONS:
            return None
        values, weight = given[1:3] if name == "addmm" else given[:2]
        if len(values) != self.samples or values.dim() < 2 or not self._may_be_feature(values):
            return None
        if getattr(values, "_is_raw", False) or (name in PRODUCTS and weight.dim() != 2):
            return None
        for one in (values, values._base):
            if one is not None:
                one._head = None  # Else every layer would keep those below it in memory.
        return Head(values, 1 if name in CONVOLUTIONS else -1, found.numel())

    def _followed(self, name: str, given: list[Any], found: Any) -> Head | None:
        """Return the head whose outputs a function is given, beside constants alone."""
        marked = [one for one in given if getattr(one, "_head", None)]
        others = (one for one in given if not getattr(one, "_head", None))
        entering = {id(one._head.values) for one in marked}
        if len(entering) != 1 or any(map(self._may_be_feature, others)):
            return None
        fewer = isinstance(found, Tensor) and found.numel() < max(one.numel() for one in marked)
        averaged = all(one._head.averaged for one in marked) and (not fewer or name in MEANS)
        return replace(marked[0]._head, averaged=averaged)

    def _may_be_feature(self, value: Any) -> bool:
        """Return whether a value depends on the inputs; of numpy's, whether it is of samples."""
        if not isinstance(value, Tensor) or id(value) in self.constants:
            return False
        of_samples = value.dim() > 0 and len(value) == self.samples
        return getattr(value, "_depends", of_samples)


def entering_head(
    module: nn.Module, inputs: Float[Tensor, "samples *features"]
) -> Float[Tensor, "samples units"]:
    """Compute what enters the last linear layer of a module, or convolution that makes the logits.

    Positions are averaged where those of logits are; else each has units of its own.

    Args:
        module: Module in eval mode, which maps inputs to logits.

    Raises:
        InputError: If the logits are not computed from the outputs of one linear layer alone, or
            this has the inputs themselves.
    """
    given: Any = inputs.clone()
    given._is_raw = given._depends = True
    with HeadCalls(module, len(inputs)):
        logits = module(given)
    head = getattr(logits, "_head", None)
    if head is None:
        raise InputError(
            "networks must compute their logits by one linear layer from a hidden layer, not as "
            f"{with_article(kind_of(module))} does."
        )
    if head.outputs == logits.numel() or head.values.dim() == 2:
        return head.values.flatten(1)
    if not head.averaged:
        raise InputError(
            "networks must average the logits of positions or have one position, not choose among "
            f"them as {with_article(kind_of(module))} does, whose last hidden layer is not known."
        )
    return head.values.movedim(head.axis, 1).flatten(2).mean(2)

"""Axes on which the units of layers lie, positions being on the others.

Linear layers and convolutions tell the axis of what they return. Through any other function it is
followed by NaN: given activations of which unit k is NaN, a function returns NaN where unit k goes.
If these are other parts of one axis for other k, and the same parts of all others, it is this axis.

Args:
    arguments: Positional arguments and those by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Inexact
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

LAST = {"linear", "bilinear", "embedding", "multi_head_attention_forward"}
LAST |= {"lstm", "gru", "rnn_tanh", "rnn_relu"}
SECOND = {"batch_norm", "group_norm", "instance_norm", "pixel_shuffle", "pixel_unshuffle"}
PRODUCTS = {"matmul", "bmm", "mm"}
NORMALIZATIONS = {"layer_norm", "rms_norm"}
MIXING = {"softmax", "log_softmax", "softmin", "normalize"}  # Units stay where they are.
UNKNOWN = 0  # Axes are counted from the last, which is -1.


@torch.no_grad()
def unit_axes(
    module: nn.Module, names: Sequence[str], inputs: Inexact[Tensor, "samples *features"]
) -> dict[str, int]:
    """Find the axes of the units that submodules return in eval mode, counted from the last.

    Args:
        module: Is applied once, and functions in it five times.
        names: Names of submodules, of which those whose axis is not known are left out.
        inputs: Few of them, since functions are applied again: one is enough.
    """
    found: dict[str, int] = {}

    def record(name: str, _: nn.Module, __: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() > 1:
            axis = -1 if output.dim() == 2 else _axis(output) or UNKNOWN
            if axis % output.dim():  # Samples are on the first.
                found[name] = axis

    parts = dict(module.named_modules())
    hooks = [parts[name].register_forward_hook(partial(record, name)) for name in names]
    inputs = inputs.clone()
    inputs._unit_axis = UNKNOWN
    try:
        with _Followed():
            module(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return found


class _Followed(TorchFunctionMode):
    """Marks activations with the axis of their units."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        arguments = (args, kwargs or {})
        tell = _telling(getattr(function, "__name__", ""), arguments)
        # Before the call, which may write to its arguments.
        follow = None if tell else _following(function, arguments)
        found = function(*args, **(kwargs or {}))
        for place, one in enumerate(tree_leaves(found)):
            if isinstance(one, Tensor) and (tell or follow):
                one._unit_axis = tell(one) if tell else follow(place, one)
        return found


def _telling(name: str, arguments: tuple[Any, Any]) -> Callable[[Tensor], int] | None:
    """Return what tells the axis of a result; None if a function of this name does not."""
    name = name.strip("_")
    args = (*arguments[0], *arguments[1].values())
    if name in LAST or (name in NORMALIZATIONS and len(args[1]) == 1):
        return lambda _: -1
    if name in SECOND or name.startswith("conv") or "pool" in name:
        return lambda found: 1 - found.dim()
    if name in PRODUCTS:  # With weights, or with positions: not of units with units.
        is_last = _axis(args[0]) != -2 and _axis(args[1]) in {None, -1}
        return lambda _: -1 if is_last else UNKNOWN
    if name in MIXING | NORMALIZATIONS:
        kept = _axis(args[0]) or UNKNOWN
        return lambda _: kept
    return None


def _following(
    function: Callable[..., Any], arguments: tuple[Any, Any]
) -> Callable[[int, Tensor], int] | None:
    """Return what finds the axis of a result, by its place; None if no activations are given."""
    axes = [_axis(one) for one in tree_leaves(arguments)]
    if all(axis is None for axis in axes):
        return None
    units = {one.size(axis) for one in tree_leaves(arguments) if (axis := _axis(one))}
    if units == {1}:  # There is no other to follow.
        same = {one.shape: _axis(one) for one in tree_leaves(arguments) if _axis(one)}
        return lambda _, found: same.get(found.shape, UNKNOWN)
    try:
        # Of either half there are two, if it is another result.
        given = [tree_map(partial(_with_nan, unit=unit), arguments) for unit in (0, 1, -2, -1)]
        results = [tree_leaves(function(*args, **kwargs)) for args, kwargs in given if units]
        found_axes = [_differing(ones) for ones in zip(*results, strict=True)]
    except Exception:  # Whatever a function says to NaN.
        found_axes = []
    return lambda place, _: found_axes[place] if found_axes else UNKNOWN


def _with_nan(value: Any, unit: int) -> Any:
    """Return a copy of an argument; of activations, one whose unit is NaN, and nothing else."""
    if not isinstance(value, Tensor):
        return value
    copied, axis = value.detach().clone(), _axis(value)
    if axis:
        copied.nan_to_num_().select(axis, unit % copied.size(axis)).fill_(torch.nan)
    return copied


def _differing(results: Sequence[Any]) -> int:
    """Return the one axis along which the places of NaN differ between results."""
    places = [one.isnan() for one in results if isinstance(one, Tensor) and one.isnan().any()]
    if not places:
        return UNKNOWN
    found = []
    for axis in range(-places[0].dim(), 0):
        along = [one.movedim(axis, 0).reshape(one.size(axis), -1).any(1) for one in places]
        if any(not torch.equal(one, along[0]) for one in along):
            found.append(axis)
    return found[0] if len(found) == 1 else UNKNOWN


def _axis(value: Any) -> int | None:
    """Return the axis of the units of activations; None of anything else."""
    return getattr(value, "_unit_axis", None) if isinstance(value, Tensor) else None

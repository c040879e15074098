"""Whether the derivatives of a module are those of its values, by finite differences.

A forward pass may cut or replace gradients without a word: by ``detach``, ``data``, ``item``,
``tolist``, a straight-through estimator, or an autograd.Function. Its Jacobians are then those of
another function. Derivatives along a direction of the inputs and one of the parameters tell. An
autograd.Function may have a derivative that is right and cannot be differentiated itself: the
derivative by the parameters of that along the inputs tells. It may have a wrong one in forward
mode, which computes with its ``jvp``.

Args:
    steps: Lengths and tolerances of differences.
    by: By what values are differentiated, one of ``WAYS``; by both one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from functools import partial
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.func import jvp
from torch.overrides import TorchFunctionMode

from generalization.devices import SHARE_OF_MEMORY, usable_memory
from generalization.networks.coupling import spread
from generalization.networks.integer_inputs import takes_integers
from generalization.networks.modules import (
    is_of_torch,
    left_as_it_was,
    logits_at,
    owned_tensors,
)

POINTS = 2
# Relative changes before: without one, units without biases may be at a kink, and pooled values
# equal; with one, a function may have no value.
CHANGES = (1e-2, 0.0)
SIZE_OF_ZEROS = 1e-2  # A step in what is 0 has no relative length.
NARROW = {torch.bfloat16, torch.float16, torch.float32}
CASTS = {"bfloat16", "float", "half", "to", "type", "type_as"}


class Steps(NamedTuple):
    """How differences of values are compared with a slope.

    Attributes:
        lengths: Relative lengths of steps; the slope is right if it is at any of them: longer ones
            cross more kinks, shorter ones lose more digits.
        tolerance: Relative difference, which a few kinks make.
        rounding: Relative error of values.
        in_double: Whether values are in double precision.
    """

    lengths: tuple[float, ...]
    tolerance: float
    rounding: float
    in_double: bool


DOUBLE = Steps((1e-6, 1e-7, 1e-5), 1e-4, 1e-13, in_double=True)
SINGLE = Steps((1e-3, 1e-2), 5e-2, 2e-6, in_double=False)
# A gradient jumps at a kink: most shorter steps cross none, and single precision has no shorter.
OF_GRADIENTS = Steps((1e-8, 1e-9, 1e-7), 1e-3, 1e-13, in_double=True)
FORWARD = " in forward mode"
WAYS = {
    "inputs": (DOUBLE, SINGLE),
    "parameters": (DOUBLE, SINGLE),
    "inputs and parameters": (OF_GRADIENTS,),
    f"inputs{FORWARD}": (DOUBLE, SINGLE),
    f"parameters{FORWARD}": (DOUBLE, SINGLE),
}


class Line(NamedTuple):
    """Tensors that are moved along a direction."""

    tensors: list[Tensor]
    directions: list[Tensor]

    @torch.no_grad()
    def move(self, length: float) -> None:
        """Change the tensors by a multiple of the direction."""
        for one, direction in zip(self.tensors, self.directions, strict=True):
            one.add_(direction, alpha=length)

    def part(self, places: Sequence[int]) -> Line:
        """Return the line of some of the tensors, the others standing still."""
        return Line([self.tensors[i] for i in places], [self.directions[i] for i in places])

    @torch.no_grad()
    def has_slope(self, values: Callable[[], Tensor], slope: Tensor, steps: Steps) -> bool:
        """Return whether values have a slope, each of theirs."""

        def values_at(length: float) -> Tensor:
            self.move(length)
            found = values()
            self.move(-length)
            return found

        right = torch.zeros_like(slope, dtype=torch.bool)
        for length in steps.lengths:
            above, below = values_at(length), values_at(-length)
            found = (above - below) / (2 * length)
            allowed = steps.tolerance * torch.maximum(found.abs(), slope.abs())
            right |= (found - slope).abs() <= allowed + steps.rounding / length * above.abs().max()
            if right.all():
                return True
        return False


class InDouble(TorchFunctionMode):
    """Computes everything in double precision, also what a module asks for in a narrower one.

    In this a number that has left the graph would stay as it is when inputs move a little.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if kwargs.get("dtype") in NARROW:
            kwargs["dtype"] = torch.float64
        found = function(*args, **kwargs)
        if not isinstance(found, Tensor) or found.dtype not in NARROW:
            return found
        cast = getattr(function, "__name__", "") in CASTS
        return (args[0] if cast else found).to(found.device, torch.float64)


@contextmanager
def _in_double() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with InDouble():
            yield
    finally:
        torch.set_default_dtype(before)


def has_true_derivatives(module: nn.Module, inputs: Tensor, by: str) -> bool:
    """Return whether derivatives are those of values, as far as they can be computed.

    Modules in which only code of torch runs are right. Second derivatives are compared with
    differences of first ones, which must be right.

    Args:
        module: In eval mode; a copy is evaluated.
    """
    if is_of_torch(module):
        return True
    points = inputs[spread(len(inputs), POINTS)]
    # In double precision: a copy, its gradients and a direction.
    needed = 24 * sum(one.numel() for one in module.parameters())
    roomy = needed <= SHARE_OF_MEMORY * usable_memory(inputs.device)
    for steps in WAYS[by]:
        if steps.in_double and not roomy:
            continue
        try:
            with left_as_it_was(module), _in_double() if steps.in_double else nullcontext():
                copied, given = _copy(module, points, double=steps.in_double)
                return any(_agree(copied, given, by, change, steps) for change in CHANGES)
        except Exception:  # Code of others, which may need its own precision.
            continue
    return True  # What lacks derivatives says so itself.


def _copy(module: nn.Module, points: Tensor, *, double: bool) -> tuple[nn.Module, Tensor]:
    """Copy a module and points; in its own precision one that cannot be copied is taken itself."""
    made = [one for one in owned_tensors(module) if not one.is_leaf]  # They have a graph.
    points = points.detach().clone()
    try:
        copied = deepcopy(module, {id(one): one.detach().clone() for one in made})
    except Exception:
        if double:
            raise
        return module, points
    if double:
        return copied.double(), points.double()
    return copied, points


@torch.enable_grad()
def _agree(module: nn.Module, inputs: Tensor, by: str, change: float, steps: Steps) -> bool:
    """Return whether derivatives, by inputs those of every point, are those of values.

    Args:
        module: A copy, which is changed.
        inputs: A few points, which are changed.
        change: Relative length of a change of everything before.
    """
    parameters = [one.requires_grad_() for one in module.parameters() if one.is_floating_point()]
    points = [] if takes_integers(module) else [inputs.requires_grad_()]
    given = Line(points + parameters, [*map(_around, points), *map(_rolled, parameters)])
    of_points = by.startswith("inputs") and by != "inputs and parameters"
    begin, end = (0, len(points)) if of_points else (len(points), None)
    line = given.part(range(len(given.tensors))[begin:end])

    def values() -> Tensor:
        if by != "inputs and parameters":
            return _mixed(module(inputs))
        with torch.enable_grad():
            (found,) = gradients_of(_mixed(module(inputs)), points, create_graph=True)
        return (found * given.directions[0]).flatten(1).sum(1)

    if not line.tensors or (by == "inputs and parameters" and not points):
        return True
    given.move(change)
    if by.endswith(FORWARD):
        found = [_forward_slopes(module, inputs, line)]
        agrees = partial(line.has_slope, values, found[0], steps)
    else:
        found = gradients_of(values(), line.tensors)
        agrees = partial(_has_slopes, line, found, values, steps, of_points=of_points)
    # What is no number is not wrong in silence.
    agree = agrees() if all(one.isfinite().all() for one in found) else change == 0
    given.move(-change)
    return agree


@torch.no_grad()
def _forward_slopes(module: nn.Module, inputs: Tensor, line: Line) -> Tensor:
    """Return the slope of the values of every point along a line, in forward mode."""
    moved = dict(zip(map(id, line.tensors), line.directions, strict=True))
    own = {name: one for name, one in module.named_parameters() if id(one) in moved}
    still = inputs.detach(), {name: one.detach() for name, one in own.items()}
    of_inputs = moved.get(id(inputs), torch.zeros_like(inputs))
    along = of_inputs, {name: moved[id(one)] for name, one in own.items()}
    return jvp(lambda at, with_: _mixed(logits_at(module, with_, at)), still, along)[1]


def gradients_of(values: Tensor, tensors: Sequence[Tensor], **settings: bool) -> tuple[Tensor, ...]:
    """Return the gradients of a sum, which are zeros where there is no graph."""
    if not values.requires_grad:
        return tuple(map(torch.zeros_like, tensors))
    return torch.autograd.grad(
        values, tensors, torch.ones_like(values), materialize_grads=True, **settings
    )


def _has_slopes(
    line: Line,
    gradients: Sequence[Tensor],
    values: Callable[[], Tensor],
    steps: Steps,
    *,
    of_points: bool,
) -> bool:
    """Return whether values have the slopes that the gradients of their sum give them.

    Parameters without a gradient are moved by themselves, lest others outweigh them.

    Args:
        of_points: Whether every point has a slope of its own.
    """
    slopes = [one * along for one, along in zip(gradients, line.directions, strict=True)]
    if of_points:
        return line.has_slope(values, slopes[0].flatten(1).sum(1), steps)
    for reached in (True, False):
        places = [i for i, one in enumerate(gradients) if bool(one.any()) == reached]
        slope = sum((slopes[i].sum() for i in places), torch.zeros(()))
        if places and not line.part(places).has_slope(lambda: values().sum(), slope, steps):
            return False
    return True


def _mixed(output: Tensor) -> Tensor:
    """Return a sum of the logits of every point with different weights."""
    logits = getattr(output, "logits", output)
    weights = torch.arange(1, logits.numel() + 1, device=logits.device).cos().view_as(logits)
    return (weights * logits).where(logits.isfinite(), 0.0).flatten(1).sum(1)


@torch.no_grad()
def _around(points: Tensor) -> Tensor:
    """Draw a direction, of every point as long as it."""
    generator = Generator().manual_seed(0)
    drawn = torch.randn(points.shape, generator=generator, dtype=torch.float64).to(points)
    sizes = points.square().flatten(1).mean(1).sqrt()
    sizes = sizes.where(sizes > 0, SIZE_OF_ZEROS)
    return drawn * sizes.view(-1, *[1] * (points.dim() - 1))


@torch.no_grad()
def _rolled(parameter: Tensor) -> Tensor:
    """Return the next entry of a parameter for each: a direction as long as it, without drawing."""
    rolled = parameter.flatten().roll(1).view_as(parameter)
    return rolled if rolled.any() else torch.full_like(rolled, SIZE_OF_ZEROS)

"""Whether a module couples the points of a batch, so that they have no outputs of their own.

Points are evaluated together, in another order, some of them in smaller batches, and some alone: a
statistic of the batch, running or of groups of points, changes outputs in one of these ways. The
largest batch is as large as those in which measures evaluate a module, since it may couple points
of large batches only; a module of layers of torch.nn does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Generator, Tensor, nn

from generalization.devices import SAMPLES_PER_CHUNK, at_most, samples_at_once
from generalization.networks.modules import is_of_torch

POINTS = 8
# Relative difference of outputs that rounding may make, also of tensor cores.
ROUNDING = 5e-3


def some_points(module: nn.Module, inputs: Tensor) -> Tensor:
    """Return inputs from the first to the last, as many as are evaluated together, at least two.

    Args:
        module: The module, of which a few points tell all if it is of layers of torch.nn.
    """
    most = samples_at_once(POINTS if is_of_torch(module) else SAMPLES_PER_CHUNK)
    return inputs[spread(len(inputs), max(2, most))]


@contextmanager
def as_many_as_compared(modules: Sequence[nn.Module], points: Sequence[Tensor]) -> Iterator[None]:
    """Evaluate modules in batches no larger than those that were compared.

    Args:
        points: Inputs, of the most of which ``some_points`` were compared.
    """
    foreign = [module for module in modules if not is_of_torch(module)]
    if not (foreign and points):
        yield
        return
    with at_most(len(some_points(foreign[0], max(points, key=len)))):
        yield


def other_batches(count: int) -> Iterator[list[int]]:
    """Yield places of points, to be evaluated as batches of their own: one, a few, all reordered.

    Args:
        count: Number of points.
    """
    for place in sorted({0, count // 2, count - 1}):
        yield [place]
    if count > POINTS:
        yield spread(count, POINTS).tolist()
    yield torch.randperm(count, generator=Generator().manual_seed(0)).tolist()


def spread(count: int, most: int) -> Tensor:
    """Return no more than so many places of points, from the first to the last."""
    return torch.linspace(0, count - 1, min(count, most)).round().long()


def differ(outputs: Tensor, others: Tensor) -> bool:
    """Return whether outputs of the same points differ by more than rounding."""
    if outputs.shape != others.shape:
        return True
    close = ROUNDING * float(outputs.nan_to_num(0, 0, 0).abs().max())
    return not torch.allclose(outputs, others, rtol=0, atol=close, equal_nan=True)


def is_coupled(module: nn.Module, inputs: Tensor) -> bool:
    """Return whether logits of points change with the other points, or with their order.

    Args:
        module: A module that has been put into eval mode.
        inputs: One or more, of which ``some_points`` are compared.
    """
    points = some_points(module, inputs)
    logits, batches = module(points), other_batches(len(points))
    return any(differ(logits[places], module(points[places])) for places in batches)

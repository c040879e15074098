"""Whether a module couples the points of a batch, so that they have no outputs of their own.

A few points are evaluated together, in another order, and some of them alone: a statistic of the
batch, running or of groups of points, changes outputs in one of the three ways.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from generalization.devices import samples_at_once

POINTS = 8
# Relative difference of outputs that rounding may make, also of tensor cores.
ROUNDING = 5e-3


def some_points(inputs: Tensor) -> Tensor:
    """Return a few inputs from the first to the last, no more than fit the memory together."""
    count = min(len(inputs), max(2, samples_at_once(POINTS)))
    return inputs[torch.linspace(0, len(inputs) - 1, count).round().long()]


def other_batches(count: int) -> Iterator[list[int]]:
    """Yield places of points, to be evaluated as batches of their own: one, and all reordered.

    Args:
        count: Number of points.
    """
    for place in sorted({0, count // 2, count - 1}):
        yield [place]
    yield torch.randperm(count, generator=Generator().manual_seed(0)).tolist()


def differ(outputs: Tensor, others: Tensor) -> bool:
    """Return whether outputs of the same points differ by more than rounding."""
    if outputs.shape != others.shape:
        return True
    close = ROUNDING * float(outputs.nan_to_num(0, 0, 0).abs().max())
    return not torch.allclose(outputs, others, rtol=0, atol=close, equal_nan=True)

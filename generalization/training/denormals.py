"""Numbers too small to matter, and large enough to cost."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Take numbers below 1.2e-38 for zero in this thread, and afterwards as it was before.

    The momentum of a weight without gradient is multiplied by 0.9 at every step, ends at the
    smallest denormal number and stays there, since 0.9 of it is rounded to itself. Some CPUs take a
    hundred times as long for each product with such a number.
    """
    flushed = are_denormals_flushed()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed)


def are_denormals_flushed() -> bool:
    """Return whether this thread flushes denormal numbers to zero."""
    return bool(torch.full((1,), 1e-38).mul(0.1) == 0)

"""Flushing of denormal numbers, which are negligible but slow."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Flush numbers below 1.2e-38 to zero in this thread, and restore the mode afterwards.

    The momentum of a weight without gradient decays by a factor of 0.9 per step to the smallest
    denormal number and stays there, since 0.9 of it rounds to itself. On some CPUs products with
    denormal numbers take a hundred times as long.
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

"""Ending a training in time: before a time limit, at preemption or when a job is cancelled."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def noticed_sigterm() -> Iterator[Callable[[], bool]]:
    """Note SIGTERM instead of ending by it, so that work can first be brought to a safe place.

    It must be entered in the main thread.

    Yields:
        Function that returns whether this process has been sent SIGTERM.
    """
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    try:
        yield lambda: bool(received)
    finally:
        signal.signal(signal.SIGTERM, before)

"""Progress reports during training."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

Report = Callable[[int, float], None]

LOG_SECONDS = 10.0

log = logging.getLogger(__name__)


@contextmanager
def shown_progress(ensemble: str, networks: int) -> Iterator[Report]:
    """Show progress: a bar if stderr is a terminal, else a log line every 10 seconds.

    Args:
        ensemble: Name of the ensemble.
        networks: Number of networks.

    Yields:
        Callback ``report`` of ``train_ensemble``.
    """

    def line(done: int) -> str:
        return f"{ensemble}: {done} of {networks} networks trained"

    if sys.stderr.isatty():
        columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(line(0), total=1.0)
            yield lambda done, share: bar.update(task, completed=share, description=line(done))
        return
    reported = time.monotonic()

    def report(done: int, share: float) -> None:
        nonlocal reported
        if done == networks or time.monotonic() - reported >= LOG_SECONDS:
            reported = time.monotonic()
            log.info("%s, %.0f %% of the steps allowed.", line(done), 100 * share)

    yield report

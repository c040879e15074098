"""How far training is: a bar for a person who looks on, lines of text otherwise."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def progress_of_training(name: str, networks: int) -> Iterator[Callable[[int, int], None]]:
    """Show how far the training of an ensemble is, on stderr.

    Args:
        name: Of the ensemble.
        networks: How many are trained.

    Yields:
        A function to be told how many networks are done and how many steps were taken in all.
    """
    if sys.stderr.isatty():
        columns = ["{task.description}", BarColumn(), "{task.completed}/{task.total} networks"]
        more = [TextColumn("{task.fields[steps]:,} steps"), TimeElapsedColumn()]
        with Progress(*columns, *more, console=Console(stderr=True)) as progress:
            task = progress.add_task(name, total=networks, steps=0)
            yield lambda done, steps: progress.update(task, completed=done, steps=steps)
        return

    begin = last = time.monotonic()

    def line(done: int, steps: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done == networks or now - last > SECONDS_BETWEEN_LINES:
            last = now
            told = f"{name}: {done} of {networks} networks done, {steps:,} steps, {now - begin:.0f} s"
            print(told, file=sys.stderr, flush=True)

    yield line

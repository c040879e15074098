"""Fair timing: variants take turns in one process, beside the machine's sgemm rate."""

import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

# Environment variable that names the file to which tables are added, one JSON object per line.
RECORDED = "RECORDED_TABLES"


def sgemm_rate(threads: int = 1, size: int = 1024, repeats: int = 15) -> float:
    """FLOP per second of ``torch.mm`` on float32 squares: the limit that fractions refer to."""
    torch.set_num_threads(threads)
    a, b = torch.randn(size, size), torch.randn(size, size)
    out = torch.empty(size, size)
    seconds = take_turns({"sgemm": lambda: torch.mm(a, b, out=out)}, repeats, warmups=2)
    return 2 * size**3 / seconds["sgemm"]


def take_turns(
    variants: Mapping[str, Callable[[], object]], repeats: int = 5, warmups: int = 1
) -> dict[str, float]:
    """Median seconds of every variant; A B C, A B C, … so that a drifting machine is fair to all.

    With one thread the clock is the CPU time of this process, which other processes disturb less;
    with more it is the wall.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    for function in variants.values():
        for _ in range(warmups):
            function()
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(repeats):
        for name, function in variants.items():
            begin = clock()
            function()
            seconds[name].append(clock() - begin)
    return {name: statistics.median(values) for name, values in seconds.items()}


def print_table(
    title: str,
    seconds: Mapping[str, float],
    *,
    ours: str,
    flops: float | None = None,
    limit: float | None = None,
) -> None:
    """One line per variant: median, how many times slower than ours, fraction of the sgemm limit.

    The table is also added to the file that the environment variable ``RECORDED_TABLES`` names.

    Args:
        title: What was timed, with its shape.
        seconds: Variant → median seconds, as ``take_turns`` gives them.
        ours: The variant that the others are compared with.
        flops: Floating point operations of our variant.
        limit: FLOP per second of ``sgemm_rate``, measured in the same run.
    """
    fraction = flops / seconds[ours] / limit if flops is not None and limit is not None else None
    print(f"\n{title}")
    for name, value in seconds.items():
        line = f"  {name:<44} {value * 1e3:12.3f} ms   {value / seconds[ours]:9.2f} x ours"
        if name == ours and fraction is not None and limit is not None:
            line += f"   {fraction:6.1%} of sgemm ({limit / 1e9:.0f} GFLOP/s)"
        print(line)
    if RECORDED in os.environ:
        facts = {"title": title, "threads": torch.get_num_threads(), "ours": ours}
        table = {**facts, "seconds": dict(seconds), "fraction": fraction, "limit": limit}
        with Path(os.environ[RECORDED]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(table) + "\n")
